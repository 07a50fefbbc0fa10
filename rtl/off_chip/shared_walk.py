"""Walks through one tile's words of a step of the tape, among those of several tiles: tile after tile."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out, Signature, connect, flipped

from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.off_chip.tape_walk import TapePart, TapeWalk
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["SHARE", "SharedWalk", "share_out", "walk_for"]

SHARE = Signature({"own": Out(INDEX_BITS), "before": In(INDEX_BITS), "total": In(INDEX_BITS)})
"""How many words of a step a tile has; how many the tiles before it have, and all together."""


def walk_for(sizes: TileSizes, lanes: int) -> TapeWalk | SharedWalk:
    """Return what walks through the tape of a tile that is alone, or of one of several."""
    return (SharedWalk if sizes.is_part else TapeWalk)(sizes=sizes, lanes=lanes)


def share_out(m: Module, shares: Iterable[Any]) -> None:
    """Tell each tile, of a `SHARE` each, how many words those before it have, and how many there are."""
    parts, before, total = list(shares), Signal(INDEX_BITS), Signal(INDEX_BITS)
    for share in parts:
        behind = Signal(INDEX_BITS)
        m.d.comb += [share.before.eq(before), share.total.eq(total), behind.eq(before + share.own)]
        before = behind
    m.d.comb += total.eq(before)


class SharedWalk(Component):
    """Walks in step with the other tiles: each word is taken in all of them, and is one tile's own.

    Parameters
    ----------
    sizes, lanes
        As of `rtl.off_chip.tape_walk.TapeWalk`.

    Attributes
    ----------
    step, tables, counts, spikes, take
        As there, of this tile.
    share : Out(SHARE)
        This tile's words among those of all.
    words : Out(unsigned(INDEX_BITS))
        Words of the step in all tiles.
    is_own : Out(1)
        Whether the word in front is this tile's.
    part, offset
        What it is then, and where. Codes lie behind the values of as many chunks as the tile has that has most.
    last : Out(1)
        Whether it is the last of all tiles.
    """

    def __init__(self, *, sizes: TileSizes, lanes: int) -> None:
        self._walk, self._has_codes = TapeWalk(sizes=sizes, lanes=lanes), bool(sizes.code_bits)
        self._counted = ("counts", "spikes") if sizes.spikes else ("counts",)
        members = {"share": Out(SHARE), "is_own": Out(1)}
        super().__init__(dict(self._walk.signature.members) | members)

    def elaborate(self, platform: object) -> Module:
        """Count the words of all tiles, and take those that are this tile's."""
        m = Module()
        m.submodules.walk = walk = self._walk
        step, share, number = self.step, self.share, Signal(INDEX_BITS)
        for table, inside in zip(self.tables, walk.tables, strict=True):
            connect(m, flipped(table), inside)
        m.d.comb += [
            walk.step.eq(step),
            walk.take.eq(self.take & self.is_own),
            share.own.eq(walk.words),
            self.words.eq(share.total),
            self.is_own.eq((number >= share.before) & (number < share.before + walk.words)),
            self.part.eq(walk.part),
            self.offset.eq(walk.offset),
            self.last.eq(number + 1 == share.total),
        ]
        for name in self._counted:
            m.d.comb += [of.eq(inside) for of, inside in zip(getattr(self, name), getattr(walk, name), strict=True)]
        if self._has_codes:
            with m.If((walk.part == TapePart.TAPE) & (walk.offset >= step.values)):
                m.d.comb += self.offset.eq(walk.offset + step.skipped)
        with m.If(self.take):
            m.d.sync += number.eq(Mux(self.last, 0, number + 1))
        return m
