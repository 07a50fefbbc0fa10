"""How full local memory is of tapes and states while a run goes on."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

from deltatrain.accel.observer import Span

KEPT = "tapes and states in local memory, bytes"
"""The name of the level that `sim.machine.record` tells."""

_MOST_POINTS = 256


class KeptBytes:
    """An observer that keeps the level `KEPT`."""

    watches_memory = False
    watches_ops = False

    def __init__(self) -> None:
        self._cycles, self._levels_bytes = array("q"), array("q")

    def span(self, span: Span) -> None:
        """Ignore what a unit did."""

    def level(self, track: str, cycle: int, value: int) -> None:
        """Keep the level if it is `KEPT`, of several in a cycle the last, which holds from then on."""
        if track != KEPT:
            return
        if self._cycles and self._cycles[-1] == cycle:
            self._levels_bytes[-1] = value
        else:
            self._cycles.append(cycle)
            self._levels_bytes.append(value)

    def activity(self, track: str, what: str, start_ps: int, end_ps: int, numbers: Mapping[str, int]) -> None:
        """Ignore what the memory did."""

    def over_time(self) -> tuple[tuple[int, int], ...]:
        """Return pairs of a cycle and the bytes kept from then on; a long run gives the peaks of equal parts."""
        levels, places = np.asarray(self._levels_bytes), np.arange(len(self._cycles))
        if len(places) > _MOST_POINTS:
            parts = np.array_split(places, _MOST_POINTS)
            places = np.array([part[levels[part].argmax()] for part in parts])
        return tuple(zip(np.asarray(self._cycles)[places].tolist(), levels[places].tolist(), strict=True))
