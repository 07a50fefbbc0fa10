"""How long a schedule takes, predicted: compute and the port as two resources, each doing its own in order.

*Blocking*: everything waits for each transfer. *Overlapped*: compute hands a transfer to the port and goes on until it
needs what is in flight, or frees memory from which the port still reads. A step's own traffic, such as streamed
weights, shares the port with the transfers, first come, first served.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.lowering.checkpoint.schedule import (
    RUNS_FORWARD,
    TRANSFERS,
    Action,
    Budget,
    CheckpointSchedule,
    Costs,
    byte_changes,
)

_MOST_ROWS_MOVED = 24
"""A transfer is moved past so many rows at most, to bound the work; in most schedules memory ends it long before."""


def row_cycles(costs: Costs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each action the cycles of one step of it on compute and on the port, shape (actions,) each."""
    compute, port = np.zeros((2, len(Action)), dtype=np.int64)
    compute[list(RUNS_FORWARD)] = costs.forward_cycles
    compute[Action.REVERSE] = costs.backward_cycles
    compute[Action.BACKTRACK] = costs.undo_cycles
    port[[*RUNS_FORWARD, Action.BACKTRACK]] = costs.forward_port_cycles
    port[Action.REVERSE] = costs.backward_port_cycles
    port[list(TRANSFERS)] = (
        costs.save_state_cycles,
        costs.load_state_cycles,
        costs.save_tape_cycles,
        costs.load_tape_cycles,
    )
    return compute, port


def work_cycles(schedule: CheckpointSchedule, costs: Costs) -> tuple[int, int]:
    """Return the cycles of compute and of the port, added up; no way of running `schedule` takes less than either."""
    count = schedule.stop - schedule.start
    compute, port = row_cycles(costs)
    return int((compute[schedule.action] * count).sum()), int((port[schedule.action] * count).sum())


def blocking_cycles(schedule: CheckpointSchedule, costs: Costs) -> int:
    """Return the cycles of `schedule` if compute waits for every transfer."""
    compute, port = row_cycles(costs)
    each = np.maximum(compute, port)  # a step's own traffic runs beside it
    each[list(TRANSFERS)] += costs.latency_cycles
    return int((each[schedule.action] * (schedule.stop - schedule.start)).sum())


def overlapped_cycles(schedule: CheckpointSchedule, costs: Costs) -> int:
    """Return the cycles of `schedule` if transfers run beside compute, in the order of its rows.

    With c the time when compute is free, d when the port is:

    - a step of f cycles with p cycles of traffic of its own: d' = max(c, d) + p if p > 0; c' = max(c + f, d')
    - a transfer of p cycles: d' = max(c, d) + p; it is done a latency later
    - what uses a state or tape first waits for its transfer, and so does what frees it after it was sent.
    """
    compute_of, port_of = (cycles.tolist() for cycles in row_cycles(costs))
    free = port_free = 0
    state_there: dict[int, int] = {}
    tape_there: dict[int, int] = {}
    for action, start, stop in schedule.rows():
        count = stop - start
        port = port_of[action] * count
        if action in _SENDS:
            port_free = max(free, port_free) + port
            there = tape_there if action in _OF_TAPE else state_there
            there[stop - 1] = port_free + costs.latency_cycles  # a range is used from its last step
            continue
        if action in _AWAITS:
            there = tape_there if action in _OF_TAPE else state_there
            if there:
                free = max(free, _arrival(there, start, stop))
        if port:
            port_free = max(free, port_free) + port
            free = max(free + compute_of[action] * count, port_free)
        else:
            free += compute_of[action] * count
    return max(free, 0)


_OF_TAPE = {Action.SAVE_TAPE_REMOTE, Action.LOAD_TAPE_REMOTE, Action.FREE_TAPE_LOCAL, Action.REVERSE}
_SENDS = set(TRANSFERS)
_AWAITS = {Action.FREE_TAPE_LOCAL, Action.REVERSE, Action.LOAD_STATE_LOCAL, Action.FREE_STATE_LOCAL}


def _arrival(there: dict[int, int], start: int, stop: int) -> int:
    """Return when the transfers of start..stop, known by their last steps, are done; each is asked about once."""
    if stop - start > len(there):
        return max((there.pop(step) for step in list(there) if start <= step < stop), default=0)
    return max(there.pop(step, 0) for step in range(start, stop))


def overlapped(schedule: CheckpointSchedule, budget: Budget) -> CheckpointSchedule:
    """Return `schedule` with transfers spread as far as local memory allows, in the same order.

    Loads are moved before rows that do not need their room. What was stored is freed later, so that no row waits for
    the port. Neither makes any row wait longer (`overlapped_cycles` is monotone in every time), but for one case: a
    transfer that is moved before a step's own traffic may hold it up.
    """
    rows = list(schedule.rows())
    change = byte_changes(schedule, budget)[0].tolist()
    kept_bytes = np.cumsum(change).tolist()
    for place, row in enumerate(rows):
        if row[0] in _LOADS:
            _move(rows, kept_bytes, change, place, -1, budget.local_bytes)
    for place in range(len(rows) - 1, 0, -1):
        if rows[place][0] in _FREES and rows[place - 1] == (_SENT_BY[rows[place][0]], *rows[place][1:]):
            _move(rows, kept_bytes, change, place, 1, budget.local_bytes)
    return CheckpointSchedule.of(schedule.steps, rows)


_LOADS = {Action.LOAD_STATE_REMOTE, Action.LOAD_TAPE_REMOTE}
_SENT_BY: dict[int, int] = {
    Action.FREE_STATE_LOCAL: Action.SAVE_STATE_REMOTE,
    Action.FREE_TAPE_LOCAL: Action.SAVE_TAPE_REMOTE,
}
_FREES = set(_SENT_BY)
_STATE_ROWS = {
    Action.SAVE_STATE_LOCAL,
    Action.LOAD_STATE_LOCAL,
    Action.FREE_STATE_LOCAL,
    Action.SAVE_STATE_REMOTE,
    Action.LOAD_STATE_REMOTE,
    Action.FREE_STATE_REMOTE,
}


def _move(
    rows: list[tuple[int, int, int]], kept_bytes: list[int], change: list[int], place: int, direction: int, room: int
) -> None:
    """Move the row at `place` past its neighbours while local memory has the room and order allows it."""
    row = rows[place]
    for _ in range(_MOST_ROWS_MOVED):
        other = place + direction
        if not 0 <= other < len(rows) or not _may_pass(row, rows[other]):
            return
        earlier = min(place, other)
        # so many bytes are kept between the two rows now
        between = (kept_bytes[earlier - 1] if earlier else 0) + (change[place] if direction < 0 else change[other])
        if between > room:
            return
        rows[place], rows[other] = rows[other], rows[place]
        change[place], change[other] = change[other], change[place]
        kept_bytes[earlier] = between
        place = other


def _may_pass(row: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    """Tell whether `row`, a load or a free, may change places with `other`."""
    if other[0] in _SENDS and row[0] in _LOADS:
        return False  # the port keeps its order
    same_steps = other[1] < row[2] and row[1] < other[2]
    if not same_steps:
        return True
    of_state = row[0] in _STATE_ROWS
    return of_state != (other[0] in _STATE_ROWS)
