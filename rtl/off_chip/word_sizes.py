"""How large the words of W and of dW are in off-chip memory, in the column buffer, and in a column cache."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from amaranth.lib import data

from deltatrain.accel.engine import Engine
from deltatrain.rtl.parts.layouts import word

__all__ = ["WordSize", "word_sizes"]


class WordSize(NamedTuple):
    """The size of a word: an entry for each lane, of all tiles if they share a column.

    Attributes
    ----------
    lanes, entry_bits
        Lanes, and bits of an entry: a value and, of compressed columns, its number (`rtl.lanes.sparse`).
    bytes
        Of the word in memory, where numbers lie behind the values.
    """

    lanes: int
    entry_bits: int
    bytes: int

    @property
    def bits(self) -> int:
        """Bits of a word in the tile."""
        return self.lanes * self.entry_bits

    @property
    def shape(self) -> data.ArrayLayout:
        """Shape of a word in the tile."""
        return word(self.entry_bits, self.lanes)


def word_sizes(engine: Engine, kinds: Collection[str], tiles: int = 1, number_bits: int = 0) -> dict[str, WordSize]:
    """Return the size of a word of each of `kinds`, "weights" and "gradients", where numbers have so many bits."""
    lanes, formats = engine.lanes * tiles, engine.formats
    numbers = {"weights": formats.weight, "gradients": formats.weight_gradient}
    return {
        name: WordSize(lanes, number.bits + number_bits, number.bytes * lanes - (-lanes * number_bits // 8))
        for name, number in numbers.items()
        if name in kinds
    }
