"""Columns from off-chip memory for several tiles: each word is dealt out to all of them, and put together again."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.rtl.engine.ports import MatrixWords
from deltatrain.rtl.parts.layouts import word
from deltatrain.rtl.tiles.fork import Fork

__all__ = ["SharedColumns"]


class SharedColumns(Component):
    """Makes of the lanes of all tiles those of one tile, for the words of a kind of matrix.

    A word off-chip has P values of each tile, tile after tile. All tiles take their part of it in the same cycle, and
    hand out what they made of it in the same cycle.

    Parameters
    ----------
    value_bits
        Width of a value.
    lanes, tiles
        P and n.

    Attributes
    ----------
    together : Out(MatrixWords)
        All lanes, seen as those of one tile.
    tiles : In(MatrixWords).array(n)
        To the lanes of each tile.
    """

    def __init__(self, *, value_bits: int, lanes: int, tiles: int) -> None:
        self._lanes, self._all = lanes, word(value_bits, lanes * tiles)
        own = MatrixWords(word(value_bits, lanes))
        super().__init__({"together": Out(MatrixWords(self._all)), "tiles": In(own).array(tiles)})

    def elaborate(self, platform: object) -> Module:
        """Fork the words that come, and join those that go."""
        m, tiles, new_words = Module(), list(self.tiles), self.together.new_words
        m.submodules.fork = fork = Fork(shape=self._all, outlets=len(tiles))
        connect(m, flipped(self.together.words), fork.i)
        all_made = Signal()
        m.d.comb += [
            all_made.eq(Cat(tile.new_words.valid for tile in tiles).all()),
            new_words.valid.eq(all_made),
        ]
        for number, (tile, outlet) in enumerate(zip(tiles, fork.o, strict=True)):
            m.d.comb += [
                tile.words.valid.eq(outlet.valid),
                outlet.ready.eq(tile.words.ready),
                tile.new_words.ready.eq(new_words.ready & all_made),
            ]
            for lane in range(self._lanes):
                at = number * self._lanes + lane
                m.d.comb += [
                    tile.words.payload[lane].eq(outlet.payload[at]),
                    new_words.payload[at].eq(tile.new_words.payload[lane]),
                ]
        return m
