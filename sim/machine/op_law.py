"""When ops begin that need no off-chip memory: all for which that is known, one unit after the other, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.compiling import compiled
from deltatrain.accel.op_table import NO_OP, PHASES, UNITS

PENDING = -1
"""When an op is done of which that is not known."""

Words = NDArray[np.int64]


class Table(NamedTuple):
    """What the law reads of a program, by rows of the op table, shape (N,) each; `depends` of shape (N, D)."""

    unit: NDArray[np.int8]
    phase: NDArray[np.int8]
    depends: Words
    issue_cycles: Words
    drain_cycles: Words


class Units(NamedTuple):
    """Where the U units stand whose ops the law begins, and what they did, by phase and by the unit they waited for.

    Attributes
    ----------
    rows
        Their ops, one unit's behind the other's.
    at, end
        The places in `rows` of each one's next op and behind its last, shape (U,).
    free
        The cycle from which each can take its next op, shape (U,).
    busy_cycles
        Shape (U, phases).
    stall_cycles
        Shape (U, phases, units).
    first_stalled
        The op that waited first for that unit, NO_OP if none did; shape as of `stall_cycles`.
    """

    rows: Words
    at: Words
    end: Words
    free: Words
    busy_cycles: Words
    stall_cycles: Words
    first_stalled: Words

    @classmethod
    def of(cls, rows: list[Words]) -> Units:
        """Return units that begin with these ops, none of which has begun."""
        end, shape = np.cumsum([len(of_unit) for of_unit in rows]), (len(rows), len(PHASES), len(UNITS))
        at, zeros = end - [len(of_unit) for of_unit in rows], np.zeros(shape, np.int64)
        free, busy = np.zeros(len(rows), np.int64), np.zeros(shape[:2], np.int64)
        return cls(np.concatenate(rows), at, end, free, busy, zeros, np.full(shape, NO_OP))


def _last(others: Words, unit: NDArray[np.int8], done_at: Words) -> tuple[int, int]:
    """Return when the last of some ops is done and its unit, of several the last in `UNITS`; PENDING if not known."""
    ready, its_unit = 0, 0
    for other in others:
        if other == NO_OP:
            continue
        if done_at[other] == PENDING:
            return PENDING, 0
        if done_at[other] > ready or (done_at[other] == ready and unit[other] > its_unit):
            ready, its_unit = done_at[other], unit[other]
    return ready, its_unit


last = compiled(_last)


def _begin(table: Table, units: Units, done_at: Words) -> int:
    """Let units begin their ops for as long as all is known that these depend on; return how many began.

    An op begins when its unit is free and the last of what it depends on is done. `done_at` is kept up.
    """
    begun, before = 0, -1
    while begun > before:
        before = begun
        for u in range(len(units.at)):
            while units.at[u] < units.end[u]:
                op = units.rows[units.at[u]]
                ready, cause = last(table.depends[op], table.unit, done_at)
                if ready == PENDING:
                    break
                phase, waited = table.phase[op], max(ready - units.free[u], 0)
                if waited and units.stall_cycles[u, phase, cause] == 0:
                    units.first_stalled[u, phase, cause] = op
                units.stall_cycles[u, phase, cause] += waited
                units.busy_cycles[u, phase] += table.issue_cycles[op]
                units.free[u] += waited + table.issue_cycles[op]
                done_at[op] = units.free[u] + table.drain_cycles[op]
                units.at[u] += 1
                begun += 1
    return begun


begin = compiled(_begin)
