"""The number of one of several tiles, and the elements and neurons that are its own."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Cat, Const, Mux, Value
from amaranth.utils import ceil_log2

__all__ = ["Part"]


class Part(NamedTuple):
    """One tile of several, a power of two, so that all of this is wires, a comparison and one small adder.

        bits of an element's index    above      | log2 tiles       | log2 P
                                      local word | number of a tile | lane

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

    @property
    def _split(self) -> tuple[int, int]:
        """Where the bits of the tile begin, and where they end."""
        lane_bits = ceil_log2(self.lanes)
        return lane_bits, lane_bits + ceil_log2(self.tiles)

    def owns(self, index: Value) -> Value:
        """Return whether an element is this tile's."""
        begin, end = self._split
        return index[begin:end] == self.number

    def local(self, index: Value) -> Value:
        """Return the index among the tile's own elements of one that it owns."""
        begin, end = self._split
        return Cat(index[:begin], index[end:])

    def everywhere(self, index: Value) -> Value:
        """Return the index among all elements of one of the tile's own; the inverse of `local`."""
        begin, end = self._split
        return Cat(index[:begin], Const(self.number, end - begin), index[begin:])

    def own_width(self, width: Value) -> Value:
        """Return how many elements of a vector of `width` are this tile's."""
        begin, end = self._split
        rest, last, rounds = width[:begin], width[begin:end], width[end:]
        # No word of a round is behind that of the last tile.
        words = rounds + ((last > self.number) if self.number < self.tiles - 1 else Const(0, 1))
        return Cat(Mux(last == self.number, rest, 0)[:begin], words)

    def own_words(self, width: Value) -> Value:
        """Return in how many words of P these are."""
        own, begin = self.own_width(width), self._split[0]
        return own[begin:] + own[:begin].any()
