"""Why the lanes lacked words of columns from off-chip memory while a run went on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from deltatrain.accel.counters import Starved
from deltatrain.accel.observer import Span


class StarvedLanes:
    """An observer that adds up the cycles in which the lanes had no word, by why.

    Attributes
    ----------
    cycles
        By why.
    """

    watches_memory = False
    watches_ops = False

    def __init__(self) -> None:
        self.cycles: Counter[Starved] = Counter()

    def span(self, span: Span) -> None:
        """Add up the cycles that an op of the lanes lost."""
        for gap in span.gaps:
            self.cycles[gap.why] += gap.end - gap.start

    def level(self, track: str, cycle: int, value: int) -> None:
        """Ignore a level."""

    def activity(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        """Ignore what the memory did."""
