"""The number of one of several tiles, and the elements and neurons that are its own."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Mux, Value
from amaranth.utils import ceil_log2

from deltatrain.rtl.parts.division import Divided, divided

__all__ = ["Part", "dealt"]


def dealt(index: Value, lanes: int, tiles: int) -> tuple[Value, Value]:
    """Return the tile that has an element, and the element's index among that tile's own; `Part.everywhere` undoes it.

    Parameters
    ----------
    index
        Index among the elements of all tiles.
    lanes
        P, a power of two.
    tiles
        How many tiles share the elements; of a power of two all this is wires.
    """
    lane_bits = ceil_log2(lanes)
    word = divided(index[lane_bits:], tiles)
    return word.remainder, Cat(index[:lane_bits], word.quotient)


class Part(NamedTuple):
    """One tile of several.

    Attributes
    ----------
    number
        The tile's number, from 0.
    tiles
        How many tiles share the work.
    lanes
        P, a power of two.
    """

    number: int
    tiles: int
    lanes: int

    def everywhere(self, index: Value) -> Value:
        """Return the index among all elements of one of the tile's own."""
        lane_bits = ceil_log2(self.lanes)
        word = index[lane_bits:]
        if self.tiles == 1 << ceil_log2(self.tiles):
            return Cat(index[:lane_bits], Const(self.number, ceil_log2(self.tiles)), word)
        return Cat(index[:lane_bits], word * self.tiles + self.number)

    def own_width(self, width: Value) -> Value:
        """Return how many elements of a vector of `width` are this tile's."""
        lane_bits = ceil_log2(self.lanes)
        rounds, last = self._words(width)
        # No word of a round is behind that of the last tile.
        words = rounds + ((last > self.number) if self.number < self.tiles - 1 else Const(0, 1))
        return Cat(Mux(last == self.number, width[:lane_bits], 0)[:lane_bits], words)

    def own_words(self, width: Value, word_elements: int | None = None) -> Value:
        """Return in how many words of P these are, or of so many elements, a power of two."""
        own, lane_bits = self.own_width(width), ceil_log2(word_elements or self.lanes)
        return own[lane_bits:] + own[:lane_bits].any()

    def _words(self, width: Value) -> Divided:
        """Return how many whole words every tile has of `width` elements, and how many tiles have one more."""
        return divided(width[ceil_log2(self.lanes) :], self.tiles)
