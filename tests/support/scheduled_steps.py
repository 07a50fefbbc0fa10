"""Numbered steps under a checkpoint schedule that no policy need choose: some tapes and some states move off-chip."""

from __future__ import annotations

from deltatrain.sim.gates.step import NumberedStep, recorded_step
from deltatrain.workloads.lowering.checkpoint import mixed
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule
from deltatrain.workloads.lowering.checkpoint.timing import overlapped
from deltatrain.workloads.lowering.lowering import lower


def scheduled(step: NumberedStep, pattern: mixed.Pattern, *, spread: bool) -> NumberedStep:
    """Return `step` with segments that run again, and blocks between whose tapes are sent, `spread` or at once."""

    def schedule_of(steps: int, budget: Budget) -> CheckpointSchedule:
        made = mixed.schedule(steps, pattern)
        return overlapped(made, budget) if spread else made

    assert step.exist is None, "the program is of whole columns"
    recorded = recorded_step(step.golden, (*step.shape.inputs[:1], *step.shape.hidden))
    program = lower(step.architecture, step.shape, recorded, step.network.readout, schedule_of)
    vars(step)["program"] = program  # in place of the cached one, of the machine's own policy
    return step
