"""Segments: consecutive steps that are run forward again together, from a state kept where they begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from deltatrain.workloads.lowering.checkpoint.schedule import Action, Row, restarted_remotely

Rows = Callable[[int], list[Row]]


def bounds_of(start: int, stop: int, length: int) -> list[int]:
    """Return where segments of `length` begin, and `stop`; the first may be shorter, because the last is free."""
    first = start + (stop - start) % length
    return sorted({start, *range(first, stop, length), stop})


def taped(start: int, stop: int) -> list[Row]:
    """Return the rows that run steps forward with their tapes and reverse them."""
    return [(Action.FORWARD_TAPE, start, stop), (Action.REVERSE, start, stop)]


def kept_locally(t: int) -> list[Row]:
    """Return the rows that keep the working state t in local memory."""
    return [(Action.SAVE_STATE_LOCAL, t, t + 1)] if t else []


def restarted_locally(t: int) -> list[Row]:
    """Return the rows that restart from state t in local memory, for the last time."""
    rows: list[Row] = [(Action.LOAD_STATE_LOCAL, t, t + 1)]
    return [*rows, (Action.FREE_STATE_LOCAL, t, t + 1)] if t else rows


def one_level(
    bounds: Sequence[int],
    keep: Rows,
    restart: Rows,
    reverse: Callable[[int, int], list[Row]] = taped,
    *,
    first_kept: bool = False,
) -> list[Row]:
    """Return the rows of one pass over all segments and, from the last to the first, of their reversal.

    The last segment's first pass is the one that serves its reversal, so its state is not kept.

    Parameters
    ----------
    bounds
        Where the segments begin, and the end of the last.
    keep, restart
        Rows that keep the working state t, and that restart from it.
    reverse
        Rows that run a segment forward from its state and reverse it.
    first_kept
        Whether the state of the first segment is kept already.
    """
    segments = list(pairwise(bounds))
    rows: list[Row] = []
    for start, stop in segments[:-1]:
        if not (first_kept and start == bounds[0]):
            rows += keep(start)
        rows.append((Action.FORWARD, start, stop))
    rows += reverse(*segments[-1])
    for start, stop in reversed(segments[:-1]):
        rows += restart(start) + reverse(start, stop)
    return rows


def outer_again(start: int, stop: int, length: int) -> list[Row]:
    """Return the rows that bring state `start` back, run start..stop again in segments of `length` and reverse them.

    Inner states are kept locally, and the state brought back stays for the first segment.
    """
    bounds = bounds_of(start, stop, length)
    rows = restarted_remotely(start)
    if len(bounds) > 2:
        rows = [row for row in rows if row[0] != Action.FREE_STATE_LOCAL]
    return rows + one_level(bounds, kept_locally, restarted_locally, first_kept=True)
