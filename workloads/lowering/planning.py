"""Planning: the memory and the predicted time of every checkpoint policy on a machine, and how far each reaches.

Cycles of a step come from a program that keeps every tape: the analytic fidelity's bound, or the pace of its units
where that is longer (`workloads.lowering.costs.step_costs`). The time of a schedule is predicted with compute and the
port as two resources (`workloads.lowering.checkpoint.timing`). With several tiles, bytes are those of the tile that
keeps most. Sparse weights take less time, and the room of whole matrices, as homes are settled for those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.accel.quantity import quantity
from deltatrain.accel.tiles import dealt
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES, Policy
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, Costs, Demand, demand_of
from deltatrain.workloads.lowering.checkpoint.sizes import Occupancy, budget
from deltatrain.workloads.lowering.checkpoint.timing import blocking_cycles, overlapped, overlapped_cycles
from deltatrain.workloads.lowering.costs.step_costs import keeping_all, step_costs
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.placement import own_most
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.step_programs import OPTIMAL, existing_alone
from deltatrain.workloads.trace import RecordedStep

PLAIN = "store_all"

MOST_STEPS = 10**9
"""Longer sequences are not tried."""

_BUILT_STEPS = 4_000
"""Longer schedules are not built row by row: their time grows by as much a step as from half this length to it."""

_WIDTH_PARTS = 64
"""Widths are tried in 64ths of those given."""


@dataclass(frozen=True)
class PolicyPlan:
    """What one policy takes.

    Attributes
    ----------
    policy
        Its name.
    demand
        Memories and forward steps; None if it does not fit.
    blocking_cycles, overlapped_cycles
        Of one sample's forward and backward pass, with the port blocking and beside compute; predicted.
    reason
        Why it does not fit, or empty.
    longest
        The longest sequence that fits; `MOST_STEPS` if there is no longest one, 0 if no closed form tells.
    widest
        The factor by which all layers may be wider; 0 if no closed form tells.
    """

    policy: str
    demand: Demand | None
    blocking_cycles: int
    overlapped_cycles: int
    reason: str
    longest: int
    widest: float


@dataclass(frozen=True)
class Plan:
    """All policies on one machine.

    Attributes
    ----------
    steps
        T.
    budget, costs
        Of one step.
    unlimited_cycles
        Of keeping everything in a local memory without end.
    policies
        In alphabetical order.
    """

    steps: int
    budget: Budget
    costs: Costs
    unlimited_cycles: int
    policies: tuple[PolicyPlan, ...]

    def __repr__(self) -> str:
        best, sizes = self.recommended, self.budget
        fitting = [plan.policy for plan in self.policies if plan.demand is not None]
        lines = [
            f"checkpoint plan of T = {self.steps:,}: {len(fitting)} of {len(self.policies)} policies fit",
            ", ".join(fitting) or "none",
            f"a state takes {quantity(sizes.state_bytes, 'B')}, a tape {quantity(sizes.tape_bytes, 'B')}; "
            f"room for them {quantity(sizes.local_bytes, 'B')} local, {quantity(sizes.remote_bytes, 'B')} remote",
        ]
        if best is not None and best.demand is not None:
            lines.append(
                f"recommended: {best.policy}, {best.overlapped_cycles:,} cycles a sample, "
                f"{best.overlapped_cycles / self.unlimited_cycles:.3f} of keeping everything; "
                f"{quantity(best.demand.local_bytes, 'B')} local, {quantity(best.demand.remote_bytes, 'B')} remote"
            )
        return "\n  ".join(lines)

    @property
    def recommended(self) -> PolicyPlan | None:
        """The fastest policy, of several the one with the least memory; None if none fits."""
        fitting = [plan for plan in self.policies if plan.demand is not None]
        return min(fitting, key=_preference, default=None)


def _preference(plan: PolicyPlan) -> tuple[int, int, int, bool]:
    assert plan.demand is not None, "it fits"
    return plan.overlapped_cycles, plan.demand.remote_bytes, plan.demand.local_bytes, plan.policy != PLAIN


def occupancy_of(step: RecordedStep, architecture: Architecture) -> Occupancy:
    """Return what share of elements is listed, over all steps and samples; the first step has no recurrent delta."""
    listed_x, listed_h = step.asked_x or step.fired_x, step.asked_h or step.fired_h
    steps = int(step.lengths.sum())
    later = max(1, steps - len(step.lengths))
    x, h = (
        tuple(float(mask.sum()) / (count * mask.shape[-1]) for mask in masks)
        for masks, count in ((listed_x, steps), (listed_h, later))
    )
    if architecture.tiles.count == 1:
        return Occupancy(x, h, x, h)
    most_x, most_h = (
        tuple(_of_busiest(mask, architecture) / count for mask in masks)
        for masks, count in ((listed_x, steps), (listed_h, later))
    )
    return Occupancy(x, h, most_x, most_h)


def _of_busiest(mask: NDArray[np.bool_], architecture: Architecture) -> float:
    """Return the share of a tile's elements listed in the tile that lists most, summed over steps and samples."""
    own = dealt(mask, architecture.engine.lanes, architecture.tiles.count).sum(axis=-1)
    return float(own.max(axis=-1).sum()) / own_most(architecture, mask.shape[-1])


def plan(
    architecture: Architecture,
    shape: Shape,
    step: RecordedStep,
    readout: str,
    steps: int,
    *,
    on_progress: Callable[[str, float], None] | None = None,
) -> Plan:
    """Return what every policy takes for sequences of `steps` steps.

    Parameters
    ----------
    architecture, shape, readout
        The machine and the network.
    step
        A recorded or synthetic training step: what fires, and how long a step takes, is taken from it.
    steps
        T.
    on_progress
        Told the policy and the share of policies that are done.

    Raises
    ------
    FitError
        If weights, gradients and working state alone do not fit.
    """
    occupancy = occupancy_of(step, architecture)
    room = budget(architecture, shape, occupancy)
    costed = existing_alone(lower(keeping_all(architecture), shape, step, readout), shape, step)
    costs = step_costs(costed, room)
    unlimited = steps * (
        max(costs.forward_cycles, costs.forward_port_cycles) + max(costs.backward_cycles, costs.backward_port_cycles)
    )
    plans: list[PolicyPlan] = []
    names = sorted(
        POLICIES.names(), key=lambda name: name == OPTIMAL
    )  # which goes as far as the farthest of the others
    for number, name in enumerate(names):
        if on_progress:
            on_progress(name, number / len(names))
        reach = _reach(name, plans, architecture, shape, occupancy, steps, room, costs)
        plans.append(_policy_plan(name, steps, room, costs, *reach))
    if on_progress:
        on_progress(OPTIMAL, 1.0)
    return Plan(steps, room, costs, unlimited, tuple(sorted(plans, key=lambda one: one.policy)))


def _policy_plan(name: str, steps: int, room: Budget, costs: Costs, longest: int, widest: float) -> PolicyPlan:
    try:
        demand, blocking, beside = _predicted(name, steps, room, costs)
    except FitError as error:
        return PolicyPlan(name, None, 0, 0, str(error), longest, widest)
    return PolicyPlan(name, demand, blocking, beside, "", longest, widest)


def _predicted(name: str, steps: int, room: Budget, costs: Costs) -> tuple[Demand, int, int]:
    """Return what a policy takes, and its cycles with the port blocking and beside compute."""
    policy = POLICIES.load(name)
    if name != OPTIMAL:
        taken = policy.demand(steps, room, costs)
        if taken.remote_bytes == 0 and steps > _BUILT_STEPS:
            cycles = taken.forward_steps * max(costs.forward_cycles, costs.forward_port_cycles)
            cycles += steps * max(costs.backward_cycles, costs.backward_port_cycles)
            if name == "reversible":
                cycles += steps * max(costs.undo_cycles, costs.forward_port_cycles)
            return taken, cycles, cycles
    if steps <= _BUILT_STEPS:
        return _built(policy, steps, room, costs)
    half, whole = (
        _built(policy, length, _shorter(room, steps, length), costs) for length in (_BUILT_STEPS // 2, _BUILT_STEPS)
    )
    times = (steps - _BUILT_STEPS) / (_BUILT_STEPS // 2)
    far = [round(b + (b - a) * times) for a, b in zip((*half[0], *half[1:]), (*whole[0], *whole[1:]), strict=True)]
    local = max(half[0].local_bytes, whole[0].local_bytes)
    reached = Demand(local, far[1], max(steps, far[2])) if name == OPTIMAL else taken
    return reached, far[3], far[4]


def _shorter(room: Budget, steps: int, length: int) -> Budget:
    """Return `room` with as much remote memory a step of `length` as there is of `steps`."""
    return room._replace(remote_bytes=room.remote_bytes * length // steps)


def _built(policy: Policy, steps: int, room: Budget, costs: Costs) -> tuple[Demand, int, int]:
    spread = overlapped(policy.schedule(steps, room, costs), room)
    blocking = policy.blocking_schedule(steps, room, costs)
    return demand_of(spread, room), blocking_cycles(blocking, costs), overlapped_cycles(spread, costs)


def _reach(
    name: str,
    others: list[PolicyPlan],
    architecture: Architecture,
    shape: Shape,
    occupancy: Occupancy,
    steps: int,
    room: Budget,
    costs: Costs,
) -> tuple[int, float]:
    """Return the longest sequence and the factor of the widest network that fit."""
    if name == OPTIMAL:
        return max(plan.longest for plan in others), max(plan.widest for plan in others)
    policy = POLICIES.load(name)
    if not policy.CLOSED_FORM:
        return 0, 0.0

    def long(length: int) -> bool:
        return _fits(lambda: policy.demand(length, room, costs))

    def wide(parts: int) -> bool:
        hidden = tuple(max(1, width * parts // _WIDTH_PARTS) for width in shape.hidden)
        inputs = shape.inputs[0], *hidden[:-1]
        wider = Shape(shape.arithmetic, inputs, hidden, shape.classes, code_bits=shape.code_bits)
        return _fits(lambda: policy.demand(steps, budget(architecture, wider, occupancy), costs))

    return _largest(long, MOST_STEPS), _largest(wide, _WIDTH_PARTS * 1024) / _WIDTH_PARTS


def _fits(demand: Callable[[], Demand]) -> bool:
    try:
        demand()
    except FitError:
        return False
    return True


def _largest(fits: Callable[[int], bool], most: int) -> int:
    """Return the largest number up to `most` that fits, given that smaller ones fit if larger do; 0 if none does."""
    below, above = 0, 1
    while above <= most and fits(above):
        below, above = above, 2 * above
    if above > most:
        return most
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (middle, above) if fits(middle) else (below, middle)
    return below
