"""The schedules that make a training step fastest: its program is made by each policy's, and followed op by op.

Schedules are chosen by what a mean step and a mean transfer cost (`checkpoint.timing`). That says little of how the
latency of transfers, the exchange between tiles and pipelines that run empty add up where few bytes are kept; ops say
it. So a schedule that is predicted to be the fastest is held against the others before it is taken. Followed ops tell
two programs apart that differ by much. Of those that do not, the one that is done first when it is run is taken.
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
"""A schedule that runs a step forward more often than that, on average, and twice as often as the one that it is held
against, is not made into a program."""

_UNSURE = 0.2
"""How far followed ops may be wrong of one program beside another, as a share: measured up to 0.17, on `edge`."""

CyclesOf = Callable[[Program], int]
"""How long a program takes."""


def followed(program: Program) -> int:
    """Return the cycles of a program as far as followed ops and bounds tell them."""
    return max(followed_cycles(program), least_cycles(program))


def fastest(candidates: Iterable[Callable[[], Program]], cycles_of: CyclesOf) -> Program:
    """Return the program that takes the fewest `cycles_of`, of those that candidates make; the first of equal ones.

    It is asked only of programs that followed ops do not tell apart. Errors as of `fitting`.
    """
    close: list[tuple[int, Program]] = []
    for program in fitting(candidates):
        close.append((followed(program), program))
        least = min(cycles for cycles, _ in close)
        close = [one for one in close if one[0] <= (1 + _UNSURE) * least]
    programs = [program for _, program in close]
    return min(programs, key=cycles_of) if len(programs) > 1 else programs[0]


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


def seldom_again(schedule_of: ScheduleOf, own: ScheduleOf) -> ScheduleOf:
    """Return the same schedules, but those that run steps so much more often than `own` that they are not made."""

    def checked(steps: int, budget: Budget) -> CheckpointSchedule:
        schedule = schedule_of(steps, budget)
        if schedule.forward_steps > max(_MOST_RUNS * steps, 2 * own(steps, budget).forward_steps):
            raise FitError(f"{schedule.forward_steps:,} forward steps are too many to be compared")
        return schedule

    return checked
