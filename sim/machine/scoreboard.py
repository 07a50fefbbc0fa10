"""Which ops are done, and since when."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterable
from typing import get_args

import simpy

from deltatrain.accel.counters import Cause
from deltatrain.accel.program import NO_OP, Program
from deltatrain.sim.memory.clock import At, Clock

CAUSES: tuple[Cause, ...] = get_args(Cause)
"""The first are the units, as in `UNITS`."""

_PENDING = -1


class Scoreboard:
    """Where units retire their ops, and wait for those that an op depends on.

    Parameters
    ----------
    clock
        The time.
    program
        What is run.
    on_retired
        Told each op that retires.

    Attributes
    ----------
    ahead
        Names of the units whose ops it begins by itself.
    done_at
        For each op the cycle in which it was done, or will be if that is known; -1 otherwise.
    """

    ahead: tuple[str, ...] = ()

    def __init__(self, clock: Clock, program: Program, on_retired: Callable[[int], None]) -> None:
        self.done_at = array("q", [_PENDING]) * len(program.ops)
        self._clock, self._on_retired = clock, on_retired
        self._unit = program.unit.data
        self._awaited: dict[int, simpy.Event] = {}

    def wait_for(self, ops: Iterable[int]) -> Generator[simpy.Event, None, Cause]:
        """Wait until all of `ops` are done; return the unit that was last, of several the last in `UNITS`."""
        last, at = NO_OP, _PENDING
        for op in ops:
            if op == NO_OP:
                continue
            if self.done_at[op] == _PENDING:
                yield self._awaited.setdefault(op, self._clock.event())
            if (self.done_at[op], self._unit[op]) > (at, self._unit[last]):
                last, at = op, self.done_at[op]
        if at > self._clock.cycle:  # known ahead of the time
            yield self._clock.timeout(at - self._clock.cycle)
        return CAUSES[self._unit[last]] if last != NO_OP else "end"

    @property
    def all_done(self) -> bool:
        """Whether every op is done."""
        return _PENDING not in self.done_at

    def retire(self, op: int) -> None:
        """Let an op be done now."""
        self.done_at[op] = self._clock.cycle
        self._on_retired(op)
        waiting = self._awaited.pop(op, None)
        if waiting is not None:
            waiting.succeed()

    def ended(self) -> None:
        """Tell what it kept to itself while the run went on: here nothing."""

    def retire_at(self, op: int, cycle: int) -> None:
        """Let an op be done in `cycle`, not before now."""
        At(self._clock, cycle, lambda _: self.retire(op))
