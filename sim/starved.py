"""Why the lanes lacked words of columns from off-chip memory while a run went on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from accel.observer import Observer, Span
from accel.result import Starved


class StarvedLanes:
    """An observer that adds up the cycles in which the lanes had no word, by why, and tells another one everything.

    Parameters
    ----------
    then
        Whom else to tell.

    Attributes
    ----------
    cycles
        By why.
    """

    def __init__(self, then: Observer) -> None:
        self.cycles: Counter[Starved] = Counter()
        self.watches_memory = then.watches_memory
        self._then = then

    def span(self, span: Span) -> None:
        """Add up what an op of the lanes lost, and pass it on."""
        for gap in span.gaps:
            self.cycles[gap.why] += gap.end - gap.start
        self._then.span(span)

    def level(self, track: str, cycle: int, value: int) -> None:
        """Pass on a level."""
        self._then.level(track, cycle, value)

    def activity(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        """Pass on what a part with a clock of its own did."""
        self._then.activity(track, what, start_ps, end_ps, numbers)
