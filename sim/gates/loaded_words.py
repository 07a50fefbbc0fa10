"""Words that gates load: the memory tells when they pass the port, and the load unit takes one item a cycle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.engine import Engine
from deltatrain.sim.gates.remote_host import Offer
from deltatrain.sim.gates.simulation import Simulation

__all__ = ["LoadedWords"]

Rows = NDArray[np.uint8]
"""Words as the bytes of their payloads, shape (words, bytes)."""


class LoadedWords:
    """Offers the words of all loads in the order of the requests, of both streams together one item a cycle.

    Parameters
    ----------
    simulation
        The gates.
    origin
        The simulation's cycle in which the environment's is 0.
    engine
        Lanes and formats.
    abreast
        Words of a vector that are one item: where several tiles are behind a port wider than a word, one of each.
    """

    def __init__(self, simulation: Simulation, origin: int, engine: Engine, abreast: int = 1) -> None:
        self._simulation, self._origin, self._abreast = simulation, origin, abreast
        self._word_bits = engine.lanes * engine.formats.activation.bits
        self._free = 0

    def offer(self, stream: str, words: int) -> Offer:
        """Return what offers the words of a request, which are so many."""
        return self._offer_words(stream) if self._abreast == 1 else self._offer_rows(stream, words)

    def _offer_words(self, stream: str) -> Offer:
        """Return what offers each by itself."""

        def offer(due: NDArray[np.int64], rows: Rows) -> None:
            number = np.arange(len(due))
            each = np.maximum(np.maximum.accumulate(due - number), self._free) + number
            self._free = int(each[-1]) + 1
            self._simulation.offer_array(stream, each + self._origin, rows)

        return offer

    def _offer_rows(self, stream: str, words: int) -> Offer:
        """Return what offers a row of them when its last word has passed; the last row may lack some."""
        row, left = list[int](), words

        def offer(due: NDArray[np.int64], rows: Rows) -> None:
            nonlocal left
            for cycle, payload in zip(due.tolist(), rows, strict=True):
                row.append(int.from_bytes(payload.tobytes(), "little"))
                left -= 1
                if len(row) == self._abreast or not left:
                    begin = max(cycle, self._free)
                    self._free = begin + 1
                    side_by_side = sum(word << number * self._word_bits for number, word in enumerate(row))
                    self._simulation.offer(stream, begin + self._origin, side_by_side)
                    row.clear()

        return offer
