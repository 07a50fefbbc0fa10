"""What an observer of a simulation is told: what every unit did when, and the levels of its queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from deltatrain.accel.counters import Cause, Starved


class Gap(NamedTuple):
    """Cycles from `start` to before `end` in which the lanes had no word of a column, and why."""

    start: int
    end: int
    why: Starved


class Span(NamedTuple):
    """What one unit did from cycle `start` to before cycle `end`.

    The spans of a unit follow each other without a gap from cycle 0 to the end of the run, so that their busy and
    stalled cycles add up to the unit's counters (`accel.counters.UnitCounters`).

    Attributes
    ----------
    unit
        Index into `accel.program.UNITS`.
    op
        Row of the op table that it worked on, or waited to begin; NO_OP after its last.
    start, end
        In engine cycles.
    works
        Whether the op was under way.
    stall_cycles
        Cycles of the span that were lost, by cause: all while the op waits, some or none while it is under way.
    gaps
        Where in the span of an op they were lost, and for lack of what; empty if that is not known.
    """

    unit: int
    op: int
    start: int
    end: int
    works: bool
    stall_cycles: Mapping[Cause, int]
    gaps: Sequence[Gap] = ()

    @property
    def busy_cycles(self) -> int:
        """Cycles of the span in which the unit got on with its op."""
        return self.end - self.start - sum(self.stall_cycles.values())


class Observer(Protocol):
    """What watches a simulation. A simulation that nobody watches pays nothing."""

    @property
    def watches_memory(self) -> bool:
        """Whether it wants the column buffer's level and DRAM activity. The memory then keeps its commands."""

    @property
    def watches_ops(self) -> bool:
        """Whether it wants all spans, and how many ops are under way.

        Otherwise it is told the spans of ops that need off-chip memory, and the other levels, perhaps after the run.
        """

    def span(self, span: Span) -> None:
        """Take what a unit did; spans of one unit come in the order of time, those of several units do not."""

    def level(self, track: str, cycle: int, value: int) -> None:
        """Take the level of a queue or buffer from `cycle` on; levels of one track come in the order of time.

        Parameters
        ----------
        track
            Name and unit of the level, such as ``column buffer, bytes``.
        cycle
            In engine cycles.
        value
            Not negative.
        """

    def activity(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        """Take what a part with a clock of its own did, such as ``row open`` or ``refresh`` of ``bank 3``.

        A model of off-chip memory reports its banks and buses here. Activities of one track come in the order
        of time and do not overlap.

        Parameters
        ----------
        track
            Name of the part.
        what
            What it did.
        start_ps, end_ps
            In picoseconds since the run began.
        numbers
            More about it, such as which row is open.
        """


class Observers:
    """Several observers that are told the same.

    Parameters
    ----------
    observers
        Whom to tell, in this order.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self.watches_memory = any(observer.watches_memory for observer in observers)
        self.watches_ops = any(observer.watches_ops for observer in observers)
        self._observers = observers

    def span(self, span: Span) -> None:
        """Tell all what a unit did."""
        for observer in self._observers:
            observer.span(span)

    def level(self, track: str, cycle: int, value: int) -> None:
        """Tell all of a level."""
        for observer in self._observers:
            observer.level(track, cycle, value)

    def activity(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        """Tell all what a part with a clock of its own did."""
        for observer in self._observers:
            observer.activity(track, what, start_ps, end_ps, numbers)
