"""Planning: what every checkpoint policy takes on a machine, how long it is predicted to take, and how far it goes.

Cycles of a step come from the analytic fidelity of the lowered program, so they are a lower bound; the schedule's own
time is predicted with compute and the port as two resources (`workloads.checkpoint.timing`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accel.architecture import Architecture
from accel.errors import FitError
from accel.program import MODE_NAMES, PHASES, UNITS, Ops, Program
from sim.fidelity import analytic
from workloads.checkpoint.policies import POLICIES
from workloads.checkpoint.schedule import Budget, Costs, Demand, Schedule, demand_of
from workloads.checkpoint.sizes import budget, fired_of
from workloads.checkpoint.timing import blocking_cycles, overlapped, overlapped_cycles
from workloads.lowering import lower
from workloads.placement import Shape
from workloads.trace import RecordedStep

OPTIMAL, PLAIN = "optimal", "store_all"

MOST_STEPS = 10**9
"""Lengths beyond are not looked at."""

_BUILT_STEPS = 4_000
"""Longer schedules are not built row by row: their time grows by as much a step as from half that length."""

_WIDTH_PARTS = 64
"""Widths are tried in 64ths of those given."""


class Occupancy(NamedTuple):
    """Which share of each layer's input and recurrent elements fire a step."""

    x: tuple[float, ...]
    h: tuple[float, ...]


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
        The longest sequence that fits, `MOST_STEPS` if there is no end, 0 if there is no closed form to tell.
    widest
        The factor by which all layers may be wider, 0 likewise.
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

    @property
    def recommended(self) -> PolicyPlan | None:
        """The fastest policy, of several the one with the least memory; None if none fits."""
        fitting = [plan for plan in self.policies if plan.demand is not None]
        return min(fitting, key=_preference, default=None)


def _preference(plan: PolicyPlan) -> tuple[int, int, int, bool]:
    assert plan.demand is not None, "it fits"
    return plan.overlapped_cycles, plan.demand.remote_bytes, plan.demand.local_bytes, plan.policy != PLAIN


def occupancy_of(step: RecordedStep) -> Occupancy:
    """Return what share of the elements fired, over all steps and samples; the first step has no recurrent delta."""
    steps = int(step.lengths.sum())
    x = tuple(float(mask.sum()) / (steps * mask.shape[-1]) for mask in step.fired_x)
    later = max(1, steps - len(step.lengths))
    return Occupancy(x, tuple(float(mask.sum()) / (later * mask.shape[-1]) for mask in step.fired_h))


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
    occupancy = occupancy_of(step)
    room = budget(architecture, shape, fired_of(shape, *occupancy))
    costs = step_costs(architecture, shape, step, readout, room)
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


def step_costs(architecture: Architecture, shape: Shape, step: RecordedStep, readout: str, room: Budget) -> Costs:
    """Return the cycles of a step forward and backward, of running it backwards, and of moving a state or a tape."""
    program = lower(architecture, shape, step, readout)
    steps = int(step.lengths.sum())
    phase, mode = program.ops.phase, program.ops.mode
    tape = (mode == MODE_NAMES.index("store")) | (
        (mode == MODE_NAMES.index("load")) & (phase == PHASES.index("BP"))
    )  # moving tapes is what a policy decides
    forward = _only(program, (phase == PHASES.index("FP")) & ~tape)
    backward = _only(program, np.isin(phase, [PHASES.index("BP"), PHASES.index("WG")]) & ~tape)
    undone = np.isin(mode, [MODE_NAMES.index("matvec"), MODE_NAMES.index("gates_forward")])
    undo = _only(program, undone & (program.ops.phase == PHASES.index("FP")))

    def moved(size_bytes: int) -> int:
        return architecture.dma.request_cycles + _transfer_cycles(architecture, size_bytes)

    return Costs(
        forward_cycles=_per_step(analytic.count(forward).cycles, steps),
        backward_cycles=_per_step(analytic.count(backward).cycles, steps),
        save_state_cycles=moved(room.state_bytes),
        load_state_cycles=moved(room.state_bytes),
        save_tape_cycles=moved(room.tape_bytes),
        load_tape_cycles=moved(room.tape_bytes),
        forward_port_cycles=_per_step(_own_port_cycles(forward), steps),
        backward_port_cycles=_per_step(_own_port_cycles(backward), steps),
        undo_cycles=_per_step(max(_busiest_unit_cycles(undo), _own_port_cycles(undo)), steps),
    )


def _only(program: Program, chosen: NDArray[np.bool_]) -> Program:
    """Return the program with the chosen ops only, as far as the analytic fidelity reads it."""
    ops = Ops(**{name: getattr(program.ops, name)[chosen] for name in Ops.__dataclass_fields__})
    return replace(program, ops=ops)


def _per_step(cycles: int, steps: int) -> int:
    return -(-cycles // steps)


def _own_port_cycles(program: Program) -> int:
    return max(analytic.port_cycles(program), analytic.bus_cycles(program))


def _busiest_unit_cycles(program: Program) -> int:
    of_unit = np.bincount(program.unit, weights=program.issue_cycles, minlength=len(UNITS))
    return int(of_unit.max())


def _transfer_cycles(architecture: Architecture, size_bytes: int) -> int:
    """Return the cycles of port and data bus for `size_bytes`, whichever takes longer."""
    port = -(-size_bytes // architecture.dma.bytes_per_cycle)
    seconds = size_bytes / architecture.remote_bus_bytes_per_second
    return max(port, int(np.ceil(seconds * architecture.engine.clock_hz)))


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
        taken: Demand = policy.demand(steps, room, costs)
        if taken.remote_bytes == 0 and steps > _BUILT_STEPS:
            cycles = taken.forward_steps * max(costs.forward_cycles, costs.forward_port_cycles)
            cycles += steps * max(costs.backward_cycles, costs.backward_port_cycles)
            if name == "reversible":
                cycles += steps * max(costs.undo_cycles, costs.forward_port_cycles)
            return taken, cycles, cycles
    if steps <= _BUILT_STEPS:
        return _built(policy.schedule(steps, room, costs), room, costs)
    half, whole = (
        _built(policy.schedule(length, _shorter(room, steps, length), costs), room, costs)
        for length in (_BUILT_STEPS // 2, _BUILT_STEPS)
    )
    times = (steps - _BUILT_STEPS) / (_BUILT_STEPS // 2)
    far = [round(b + (b - a) * times) for a, b in zip((*half[0], *half[1:]), (*whole[0], *whole[1:]), strict=True)]
    local = max(half[0].local_bytes, whole[0].local_bytes)
    reached = Demand(local, far[1], max(steps, far[2])) if name == OPTIMAL else taken
    return reached, far[3], far[4]


def _shorter(room: Budget, steps: int, length: int) -> Budget:
    """Return `room` with as much remote memory a step of `length` as there is of `steps`."""
    return room._replace(remote_bytes=room.remote_bytes * length // steps)


def _built(schedule: Schedule, room: Budget, costs: Costs) -> tuple[Demand, int, int]:
    spread = overlapped(schedule, room)
    return demand_of(spread, room), blocking_cycles(schedule, costs), overlapped_cycles(spread, costs)


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
    if not getattr(policy, "CLOSED_FORM", True):
        return 0, 0.0

    def long(length: int) -> bool:
        return _fits(lambda: policy.demand(length, room, costs))

    def wide(parts: int) -> bool:
        hidden = tuple(max(1, width * parts // _WIDTH_PARTS) for width in shape.hidden)
        wider = Shape(shape.gates, (shape.inputs[0], *hidden[:-1]), hidden, shape.classes)
        return _fits(lambda: policy.demand(steps, budget(architecture, wider, fired_of(wider, *occupancy)), costs))

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
