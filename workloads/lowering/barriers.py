"""Barriers: ops beside which no other runs.

They are transfers on a machine whose cores wait for the off-chip memory, and ends of layers on one that works in turn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.program import NO_OP

__all__ = ["with_barriers"]


def with_barriers(
    depends: NDArray[np.int64], unit: NDArray[np.int8], units: int, barriers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return `depends` with more columns: each of the ops `barriers` waits for all before it, and all after for it.

    Units take their ops in order, so a barrier waits for the last op of every unit before it, and the first op of every
    unit after it waits for it.

    Parameters
    ----------
    depends
        Of every op, shape (N, D).
    unit
        The unit of every op, shape (N,), of `units`; ops of any other number are left as they are.
    barriers
        Rows, in order.
    """
    row = np.arange(len(depends))
    waits = np.full((len(depends), units + 1), NO_OP, dtype=np.int64)
    last = np.full(len(depends), NO_OP, dtype=np.int64)
    last[1:] = np.maximum.accumulate(np.where(np.isin(row, barriers), row, NO_OP))[:-1]  # the barrier before each op
    for number in range(units):
        rows = np.flatnonzero(unit == number)
        before = np.searchsorted(rows, barriers) - 1
        waits[barriers, number] = np.where(before >= 0, rows[np.maximum(before, 0)] if len(rows) else NO_OP, NO_OP)
        first = np.diff(last[rows], prepend=NO_OP) > 0  # the unit's first op behind a barrier
        waits[rows[first], units] = last[rows[first]]
    return np.concatenate([depends, waits], axis=1)
