"""Units whose ops take the cycles of their modes' laws: each a SimPy process that takes its ops in program order."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import simpy

from deltatrain.accel.counters import Cause
from deltatrain.accel.observer import Gap
from deltatrain.accel.program import UNITS, Program
from deltatrain.sim.machine.columns import Columns
from deltatrain.sim.machine.record import Record
from deltatrain.sim.machine.scoreboard import Scoreboard
from deltatrain.sim.memory.banks import SinglePortBanks
from deltatrain.sim.memory.clock import Clock

Waits = Generator[simpy.Event, None, None]
Issue = Generator[simpy.Event, None, int]
"""The cycles that a unit spends on an op; returns how many of them it was busy."""
_BLOCK_OPS = 1024
"""Rows of the op table that a unit has before it as Python's numbers."""


class Tile(NamedTuple):
    """What the units of a tile share.

    Attributes
    ----------
    clock
        The time.
    program
        What is run.
    scoreboard
        Where ops retire.
    record
        Told what the units do.
    issue_cycles
        For each op the cycles until its unit can take the next, by its mode's law.
    drain_cycles
        From then until the op is done.
    """

    clock: Clock
    program: Program
    scoreboard: Scoreboard
    record: Record
    issue_cycles: memoryview[int]
    drain_cycles: memoryview[int]


class Unit:
    """A unit: it begins each of its ops when all that the op depends on are done.

    Parameters
    ----------
    name
        One of `accel.program.UNITS`.
    tile
        Whose unit it is.
    """

    def __init__(self, name: str, tile: Tile) -> None:
        self._tile, self._clock = tile, tile.clock
        self._rows = np.flatnonzero(tile.program.unit == UNITS.index(name))

    def run(self) -> Waits:
        """Issue the ops one after the other."""
        clock, scoreboard, record = self._clock, self._tile.scoreboard, self._tile.record
        for op, depends in self._ops():
            record.stalled(op, (yield from scoreboard.wait_for(depends)))
            start = clock.cycle
            record.begun(op)
            busy_cycles = yield from self._issue(op)
            record.issued(op, start, busy_cycles, *self._lacked(op))
            self._retire(op)

    def _ops(self) -> Iterator[tuple[int, list[int]]]:
        """Yield the ops in their order, each with those that it depends on."""
        for start in range(0, len(self._rows), _BLOCK_OPS):
            rows = self._rows[start : start + _BLOCK_OPS]
            yield from zip(rows.tolist(), self._tile.program.ops.depends[rows].tolist(), strict=True)

    def _issue(self, op: int) -> Issue:
        """Spend the cycles that follow from the op's law alone."""
        yield self._clock.timeout(self._tile.issue_cycles[op])
        return self._tile.issue_cycles[op]

    def _lacked(self, op: int) -> tuple[Cause, Sequence[Gap]]:
        """Return what the unit lacked in the cycles of `op` in which it was not busy, and when, if that is known."""
        return "stream", ()

    def _retire(self, op: int) -> None:
        """Let the op that was issued be done when its drain is over."""
        drain_cycles = self._tile.drain_cycles[op]
        if drain_cycles:
            self._tile.scoreboard.retire_at(op, self._clock.cycle + drain_cycles)
        else:
            self._tile.scoreboard.retire(op)


class Engine(Unit):
    """The lanes: they take words at their law's pace, or as columns from off-chip memory arrive.

    Parameters
    ----------
    tile
        Whose engine it is.
    columns
        Where columns from off-chip memory arrive.
    """

    def __init__(self, tile: Tile, columns: Columns) -> None:
        super().__init__("engine", tile)
        self._columns = columns
        self._streamed = (tile.program.streamed_bytes > 0).data
        self._banks = SinglePortBanks(tile.program) if tile.program.architecture.local.ports == 1 else None

    def _issue(self, op: int) -> Issue:
        clock, issue_cycles = self._clock, self._tile.issue_cycles[op]
        if self._streamed[op]:
            free = yield from self._columns.work_through(op, issue_cycles, self._tile.drain_cycles[op])
            yield clock.timeout(free - clock.cycle)
        elif self._banks is not None and self._banks.writes_back(op):
            yield clock.timeout(self._banks.take(op, clock.cycle) - clock.cycle)
        else:
            yield clock.timeout(issue_cycles)
        return issue_cycles

    def _lacked(self, op: int) -> tuple[Cause, Sequence[Gap]]:
        return ("stream", self._columns.waits) if self._streamed[op] else ("sram", ())
