"""What every unit did when, gathered while it runs, and never longer than a page can hold."""

from __future__ import annotations

from collections.abc import Mapping

from deltatrain.accel.observer import Span
from deltatrain.accel.program import UNITS, Program
from deltatrain.reports.timeline.op_names import OpNames
from deltatrain.reports.timeline.schedule import MOST_STRETCHES, Stretch, shortened

_KEPT = 4
"""Times as many spans as a unit may have stretches are kept before they are joined."""

MOST_ASKED_OPS = 20_000
"""Of a longer program only what is told anyway is gathered: without spans, its ops may run ahead of the time."""


class UnitStretches:
    """Gathers the stretches of each unit (`reports.timeline.schedule`); an observer.

    Parameters
    ----------
    program
        What runs.
    most
        Stretches that a unit may have.
    """

    watches_memory = False

    def __init__(self, program: Program, most: int = MOST_STRETCHES) -> None:
        self.watches_ops = len(program.ops) <= MOST_ASKED_OPS
        self._names, self._most = OpNames(program), most
        self._spans: list[list[Span]] = [[] for _ in UNITS]
        self._joined: list[list[Stretch]] = [[] for _ in UNITS]

    def span(self, span: Span) -> None:
        """Keep what a unit did."""
        spans = self._spans[span.unit]
        spans.append(span)
        if len(spans) >= _KEPT * self._most:
            self._join(span.unit)

    def level(self, track: str, cycle: int, value: int) -> None:
        """Take a level, which no stretch shows."""

    def activity(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        """Take what a part outside the tile did, which no stretch shows."""

    def found(self) -> dict[str, list[Stretch]]:
        """Return the stretches of each unit that did anything; not the whole of it where ops ran ahead of the time."""
        for unit in range(len(UNITS)):
            self._join(unit)
        return {
            name: stretches
            for name, stretches in zip(UNITS, self._joined, strict=True)
            if any(one.ops for one in stretches)
        }

    def _join(self, unit: int) -> None:
        spans, self._spans[unit] = self._spans[unit], []
        self._joined[unit] = shortened([*self._joined[unit], *map(self._stretch, spans)], self._most)

    def _stretch(self, span: Span) -> Stretch:
        what = str(self._names[span.op]) if span.works else ""
        stalls: dict[str, int] = dict(span.stall_cycles.items())
        return Stretch(span.end - span.start, stalls, what, int(span.works))
