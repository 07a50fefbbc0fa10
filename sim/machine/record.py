"""What the units of a run did: their tallies, and what an observer is told."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.counters import Cause
from deltatrain.accel.observer import Gap, Observer, Span
from deltatrain.accel.program import ENGINE, NO_OP, PHASES, UNITS, Program
from deltatrain.sim.machine.kept_bytes import KEPT
from deltatrain.sim.machine.tally import UnitTally
from deltatrain.sim.memory.clock import Clock

_PROGRESS_EVERY_OPS = 512


class Record:
    """Adds up what units did, and tells an observer, if there is one.

    Parameters
    ----------
    clock
        The time.
    program
        What is run.
    on_progress
        Called now and then with the share of ops that are done.
    observer
        Told what every unit does when, how many of its ops are in flight, and how full buffers are.

    Attributes
    ----------
    units
        The tally of each unit, in the order of `accel.program.UNITS`.
    engine_phases
        The engine's tally of each phase, in the order of `accel.program.PHASES`.
    retired
        How many ops are done.
    """

    def __init__(
        self,
        clock: Clock,
        program: Program,
        on_progress: Callable[[float], None] | None,
        observer: Observer | None,
    ) -> None:
        self.units = [UnitTally() for _ in UNITS]
        self.engine_phases = [UnitTally() for _ in PHASES]
        self.retired = 0
        self._clock, self._on_progress, self._observer = clock, on_progress, observer
        self._unit, self._phase = program.unit.data, program.ops.phase.data
        self._in_flight = [0] * len(UNITS)
        rows, kept_bytes = np.ascontiguousarray(program.kept_bytes.T)
        self._kept_rows, self._kept_changes = rows.data, np.diff(kept_bytes, prepend=0).data
        self._kept_bytes = 0

    def stalled(self, op: int, cause: Cause) -> None:
        """Note that the unit of `op` waited until now to begin it."""
        start, end = self.units[self._unit[op]].free, self._clock.cycle
        if end == start:
            return
        self._tell(self._unit[op], op, start, end, False, {cause: end - start})
        for tally in self._tallies(self._unit[op], self._phase[op]):
            tally.stall(cause, end - start)

    def begun(self, op: int) -> None:
        """Note that the unit of `op` begins it now."""
        self._change_level(self._unit[op], 1)

    def issued(self, op: int, start: int, busy_cycles: int, cause: Cause, gaps: Sequence[Gap]) -> None:
        """Note that a unit has issued an op that it began in cycle `start`, and can take its next.

        Parameters
        ----------
        op
            The op.
        start
            In engine cycles.
        busy_cycles
            Cycles in which it got on.
        cause
            What it lacked in the others.
        gaps
            When that was, if it is known.
        """
        unit, end = self._unit[op], self._clock.cycle
        starved_cycles = end - start - busy_cycles
        self._tell(unit, op, start, end, True, {cause: starved_cycles} if starved_cycles else {}, gaps)
        for tally in self._tallies(unit, self._phase[op]):
            tally.busy_cycles += busy_cycles
            tally.stall(cause, starved_cycles)
        self.units[unit].free = end

    def op_retired(self, op: int) -> None:
        """Note that an op is done now."""
        self.ops_retired(1)
        self._change_level(self._unit[op], -1)
        if self._observer is not None:
            self._tell_kept(op, self._observer)

    def ops_retired(self, count: int) -> None:
        """Note that so many ops more are done, or known to be."""
        before, self.retired = self.retired, self.retired + count
        if self._on_progress is not None and self.retired // _PROGRESS_EVERY_OPS > before // _PROGRESS_EVERY_OPS:
            self._on_progress(self.retired / len(self._unit))

    def ran_ahead(self, unit: int, phase: int, busy_cycles: int, stall_cycles: Mapping[Cause, int]) -> None:
        """Add what a unit did in a phase, of which nothing was told op by op."""
        for tally in self._tallies(unit, phase):
            tally.busy_cycles += busy_cycles
            for cause, cycles in stall_cycles.items():
                tally.stall(cause, cycles)

    def kept_ahead(self, done_at: NDArray[np.int64]) -> None:
        """Tell what ops kept in local memory that were done, each in its cycle, without being told one by one."""
        ended = done_at[self._kept_rows]
        order = np.argsort(ended, kind="stable")
        levels = zip(ended[order].tolist(), np.cumsum(np.asarray(self._kept_changes)[order]).tolist(), strict=True)
        if self._observer is not None:
            for cycle, kept_bytes in levels:
                self._observer.level(KEPT, cycle, kept_bytes)

    def buffer_level(self, used_bytes: int) -> None:
        """Note how full the column buffer is from now on."""
        if self._observer is not None:
            self._observer.level("column buffer, bytes", self._clock.cycle, used_bytes)

    def ended(self, cycles: int) -> None:
        """Note that the run has ended after `cycles`; what units had left of it they waited."""
        for unit, tally in enumerate(self.units):
            if cycles > tally.free:
                self._tell(unit, NO_OP, tally.free, cycles, False, {"end": cycles - tally.free})

    def _tallies(self, unit: int, phase: int) -> list[UnitTally]:
        """Return where the cycles of a unit in a phase are added up."""
        return [self.units[unit], self.engine_phases[phase]] if unit == ENGINE else [self.units[unit]]

    def _tell_kept(self, op: int, observer: Observer) -> None:
        """Tell how many bytes are kept from now on, if `op` has changed that."""
        at = bisect_left(self._kept_rows, op)
        if at < len(self._kept_rows) and self._kept_rows[at] == op:
            self._kept_bytes += self._kept_changes[at]
            observer.level(KEPT, self._clock.cycle, self._kept_bytes)

    def _tell(
        self,
        unit: int,
        op: int,
        start: int,
        end: int,
        works: bool,
        stall_cycles: dict[Cause, int],
        gaps: Sequence[Gap] = (),
    ) -> None:
        if self._observer is not None:
            self._observer.span(Span(unit, op, start, end, works, stall_cycles, gaps))

    def _change_level(self, unit: int, change: int) -> None:
        if self._observer is not None:
            self._in_flight[unit] += change
            self._observer.level(f"{UNITS[unit]}, ops under way", self._clock.cycle, self._in_flight[unit])
