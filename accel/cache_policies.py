"""Which line of a set of the column cache goes first: policies as ranks of its uses, the line of the lowest goes."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.op_table import STREAMS, Ops

Integers = NDArray[np.int64]


class Uses(NamedTuple):
    """Runs of columns as they are looked up, one after the other, shape (M,) each.

    Attributes
    ----------
    line
        Which run it is.
    op, column
        For which op, and of which column of its matrix.
    times
        How many entries of the op's list, one after the other, are that column.
    """

    line: Integers
    op: Integers
    column: Integers
    times: Integers


class Policy(Protocol):
    """A policy: the rank of each use, no two alike, shape (M,); a line has that of its last use."""

    def __call__(self, ops: Ops, columns: NDArray[np.int32], uses: Uses) -> Integers:
        """Return the ranks of uses in a program of such ops and columns (`accel.program.Program`)."""


def within(counts: Integers) -> Integers:
    """Return 0, 1, ... for each of `counts`, one behind the other."""
    found: Integers = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return found


def _last_used(ops: Ops, columns: NDArray[np.int32], uses: Uses) -> Integers:
    """Rank each use by its time."""
    return np.arange(len(uses.line))


def _next_used(ops: Ops, columns: NDArray[np.int32], uses: Uses) -> Integers:
    """Rank each use by that of the same run that comes next, the farthest lowest."""
    line, number = uses.line, len(uses.line)
    order = np.argsort(line, kind="stable")
    following = np.full(number, 2 * number)
    same = line[order][1:] == line[order][:-1]
    following[order[:-1][same]] = order[1:][same]
    never = following == 2 * number
    following[never] -= np.flatnonzero(never)  # of those that are not used again, the one used least recently
    return -following


def _fired_before(ops: Ops, columns: NDArray[np.int32], uses: Uses) -> Integers:
    """Rank each use by the step in which its column fired last: forward this step, backward one before it."""
    steps, width = int(ops.step.max(initial=0)) + 2, int(columns.max(initial=0)) + 1
    sample, stream = ops.sample.astype(np.int64), ops.layer.astype(np.int64) * len(STREAMS) + ops.stream
    of_op = (sample * (int(stream.max(initial=0)) + 1) + stream) * width

    def moment(of: Integers, listed: Integers) -> Integers:
        return (of_op[of] + listed) * steps + ops.step[of] + 1

    forward = np.flatnonzero(ops.is_mode("matvec") & ops.is_phase("FP"))
    counts = ops.count[forward]
    listed = columns[np.repeat(ops.list_start[forward], counts) + within(counts)]
    fired = np.unique(moment(np.repeat(forward, counts), listed))
    now = moment(uses.op, uses.column)
    before = np.append(fired, -1)[np.searchsorted(fired, now) - 1]
    known = before // steps == now // steps
    backward = ops.is_phase("BP", "WG")[uses.op]
    step = np.where(backward, np.where(known, before % steps, 0), now % steps)
    return (sample[uses.op] * steps + step) * len(step) + np.arange(len(step))


POLICIES: dict[str, Policy] = {"lru": _last_used, "reverse": _fired_before, "belady": _next_used}
