"""Reversals put off: while a tape is on its way back, steps that come before it are run again already."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from deltatrain.workloads.lowering.checkpoint.schedule import Action, Budget, CheckpointSchedule, byte_changes

__all__ = ["with_late_reversals"]

_OVERTAKES = {
    Action.FORWARD,
    Action.FORWARD_TAPE,
    Action.LOAD_STATE_LOCAL,
    Action.SAVE_STATE_LOCAL,
    Action.FREE_STATE_LOCAL,
    Action.FREE_STATE_REMOTE,
    Action.FREE_TAPE_REMOTE,
    Action.LOAD_STATE_REMOTE,
    Action.LOAD_TAPE_REMOTE,
}
"""What a reversal leaves as it finds it, and does not need: all but other reversals and its own tape's making."""

_CHOICES: tuple[Callable[[int], bool], ...] = (
    lambda step: True,
    lambda step: step % 2 == 0,
    lambda step: step % 2 == 1,
    lambda step: step < 2,
    lambda step: step >= 2,
)
"""Reversals of which steps are put off."""


def with_late_reversals(schedule: CheckpointSchedule, budget: Budget) -> Iterator[CheckpointSchedule]:
    """Yield schedules that do the same as `schedule`, some reversals as late as local memory allows."""
    for chosen in _CHOICES:
        late = _put_off(schedule, budget, chosen)
        if not np.array_equal(late.action, schedule.action):
            yield late


def _put_off(schedule: CheckpointSchedule, budget: Budget, chosen: Callable[[int], bool]) -> CheckpointSchedule:
    rows = list(schedule.rows())
    change = byte_changes(schedule, budget)[0].tolist()
    kept_bytes = np.cumsum(change).tolist()
    for first in reversed(range(len(rows))):
        if rows[first][0] != Action.REVERSE or not chosen(rows[first][1]):
            continue
        place = first
        while place + 1 < len(rows) and rows[place + 1][0] in _OVERTAKES:
            between = (kept_bytes[place - 1] if place else 0) + change[place + 1]
            if between > budget.local_bytes:
                break
            rows[place], rows[place + 1] = rows[place + 1], rows[place]
            change[place], change[place + 1] = change[place + 1], change[place]
            kept_bytes[place] = between
            place += 1
    return CheckpointSchedule.of(schedule.steps, rows)
