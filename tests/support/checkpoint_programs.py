"""Random training steps under random checkpoint schedules, small enough to follow cycle by cycle."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from programs import READOUTS, architectures, recorded_step, shapes

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.accel.program import Program
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule, Costs
from deltatrain.workloads.lowering.checkpoint.timing import overlapped
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.trace import RecordedStep


class Case(NamedTuple):
    """A training step and how it is checkpointed; `schedules` are those of the samples, `budget` what they had."""

    architecture: Architecture
    shape: Shape
    step: RecordedStep
    readout: str
    policy: str
    program: Program
    schedules: list[CheckpointSchedule]
    budget: Budget
    costs: Costs

    def __repr__(self) -> str:
        placed, hidden = self.architecture.placement.model_dump(), self.shape.hidden
        return f"{self.policy} {self.architecture.checkpoint!r} {placed} {hidden} {self.step.lengths} {self.readout}"


def checkpointed(
    architecture: Architecture, shape: Shape, step: RecordedStep, readout: str, policy: str, costs: Costs
) -> Case:
    """Return the case; FitError if it does not fit."""
    found: dict[int, CheckpointSchedule] = {}
    budgets: list[Budget] = []

    def schedule_of(steps: int, budget: Budget) -> CheckpointSchedule:
        budgets.append(budget)
        schedule = POLICIES.load(policy).schedule(steps, budget, costs)
        found[steps] = overlapped(schedule, budget) if architecture.checkpoint.overlap else schedule
        return found[steps]

    program = lower(architecture, shape, step, readout, schedule_of)
    schedules = [found[steps] for steps in step.lengths.tolist()]
    return Case(architecture, shape, step, readout, policy, program, schedules, budgets[0], costs)


def step_bytes(architecture: Architecture, shape: Shape) -> int:
    """Return the most bytes that a step's state and tape may take together, generously."""
    elements = sum(shape.hidden) + sum(shape.inputs) + architecture.engine.lanes * 3 * len(shape.hidden)
    return elements * 12 * architecture.engine.formats.memory.bytes


@st.composite
def cases(
    draw: st.DrawFn, most_steps: int = 9, widest: int = 9, overlap: bool | None = None, most_tiles: int = 1
) -> Case:
    """Return a case; with several tiles on a third of the machines if there may be more than one."""
    machine = draw(architectures(draw(st.sampled_from([1, 1, most_tiles]))))
    shape = draw(shapes(widest))
    lengths = np.array(draw(st.lists(st.integers(1, most_steps), min_size=1, max_size=2)))
    step = recorded_step(shape, lengths, draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])), draw(st.integers(0, 2**16)))
    table: dict[str, Any] = {
        "policy": "segment",
        "overlap": draw(st.booleans()) if overlap is None else overlap,
        "local_bytes": int(step_bytes(machine, shape) * draw(st.floats(0.3, 1.5))),
    }
    machine = Architecture.from_table(machine.model_dump(mode="json") | {"checkpoint": table})
    quick = [name for name in POLICIES.names() if name != "optimal"]
    policy = draw(st.sampled_from([*quick, *quick, "optimal"]))  # whose search takes a while
    moves = draw(st.tuples(*[st.integers(0, 20)] * 4))
    costs = Costs(draw(st.integers(1, 5)), draw(st.integers(1, 9)), *moves, 0, 0, draw(st.integers(1, 5)))
    try:
        return checkpointed(machine, shape, step, draw(READOUTS), policy, costs)
    except FitError as error:
        assume(False)
        raise AssertionError from error
