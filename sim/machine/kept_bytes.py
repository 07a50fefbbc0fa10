"""How full local memory is of tapes and states while a run goes on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deltatrain.accel.observer import Span

KEPT = "tapes and states in local memory, bytes"
"""The name of the level that `sim.machine.record` tells."""

_MOST_POINTS = 256


class KeptBytes:
    """An observer that keeps the level `KEPT`."""

    watches_memory = False

    def __init__(self) -> None:
        self._levels: list[tuple[int, int]] = []

    def span(self, span: Span) -> None:
        """Ignore what a unit did."""

    def level(self, track: str, cycle: int, value: int) -> None:
        """Keep the level if it is `KEPT`."""
        if track == KEPT:
            self._levels.append((cycle, value))

    def activity(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        """Ignore what the memory did."""

    def over_time(self) -> tuple[tuple[int, int], ...]:
        """Return pairs of a cycle and the bytes kept from then on; a long run gives the peaks of equal parts."""
        levels = self._levels
        if len(levels) > _MOST_POINTS:
            parts = np.array_split(np.arange(len(levels)), _MOST_POINTS)
            levels = [max((levels[at] for at in part), key=lambda level: level[1]) for part in parts]
        return tuple(levels)
