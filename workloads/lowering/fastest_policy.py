"""The schedules that make a training step fastest: its program is made by each policy's, and followed op by op.

Schedules are chosen by what a mean step and a mean transfer cost (`checkpoint.timing`). That says little of how the
latency of transfers, the exchange between tiles and pipelines that run empty add up where few bytes are kept; ops say
it. So a schedule that is predicted to be the fastest is held against the others before it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from deltatrain.accel.errors import FitError
from deltatrain.accel.program import Program
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule
from deltatrain.workloads.lowering.costs.bounds import least_cycles
from deltatrain.workloads.lowering.costs.pace import followed_cycles
from deltatrain.workloads.lowering.keeping import ScheduleOf

Made = TypeVar("Made")

_MOST_RUNS = 3
"""A schedule that runs a step forward more often than that, on average, is not made into a program to be compared."""

_CLOSE = 0.005
"""What followed ops do not tell: a candidate must save more than this share of the cycles."""


def fastest(candidates: Iterable[Callable[[], Program]]) -> Program:
    """Return the program that is done first, of those that each candidate makes; the first of those about as fast.

    Errors as of `fitting`.
    """
    best, least = None, 0
    for program in fitting(candidates):
        cycles = _cycles(program)
        if best is None or cycles < (1 - _CLOSE) * least:
            best, least = program, cycles
    assert best is not None
    return best


def fitting(candidates: Iterable[Callable[[], Made]]) -> Iterator[Made]:
    """Yield what each candidate makes that fits.

    Raises
    ------
    FitError
        That of the first candidate, if none fits.
    """
    reasons, one_fits = list[FitError](), False
    for make in candidates:
        try:
            made = make()
        except FitError as error:
            reasons.append(error)
        else:
            one_fits = True
            yield made
    if not one_fits:
        raise reasons[0]


def seldom_again(schedule_of: ScheduleOf) -> ScheduleOf:
    """Return the same schedules, but those that run steps so often that they are not worth being made."""

    def checked(steps: int, budget: Budget) -> CheckpointSchedule:
        schedule = schedule_of(steps, budget)
        if schedule.forward_steps > _MOST_RUNS * steps:
            raise FitError(f"{schedule.forward_steps:,} forward steps are too many to be compared")
        return schedule

    return checked


def _cycles(program: Program) -> int:
    return max(followed_cycles(program), least_cycles(program))
