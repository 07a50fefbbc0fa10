"""Observers that keep what they are told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from deltatrain.accel.observer import Span


class KeptSpans:
    watches_memory = True
    watches_ops = True

    def __init__(self) -> None:
        self.spans: dict[int, list[Span]] = defaultdict(list)
        self.levels: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.activities: dict[str, list[tuple[str, int, int, Mapping[str, int]]]] = defaultdict(list)

    def span(self, span: Span) -> None:
        self.spans[span.unit].append(span)

    def level(self, track: str, cycle: int, value: int) -> None:
        self.levels[track].append((cycle, value))

    def activity(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        self.activities[track].append((what, start_ps, end_ps, numbers))
