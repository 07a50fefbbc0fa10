"""Writes that the memory has not confirmed: the bytes that may not be read yet."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.bus.burst_splitter import Piece
from deltatrain.rtl.bus.requests import PlacedMove
from deltatrain.rtl.bus.words import COUNT_BITS, Kind
from deltatrain.rtl.parts.arguments import check_power_of_two

__all__ = ["PendingWrites"]


class PendingWrites(Component):
    """Keeps the moves that are being written, in order, from their taking to their last response.

    The tile reads what it has posted without waiting; on a bus reads and writes are not ordered. So a read waits while
    it shares a byte with a write that is pending.

    Parameters
    ----------
    depth
        Most moves, a power of two of at least 2.

    Attributes
    ----------
    moves : In(stream.Signature(PlacedMove()))
        What begins to be written.
    ends : In(1)
        The oldest has its last response.
    oldest : Out(StructLayout)
        Its ``kind`` and the number of its ``words``.
    any : Out(1)
        There is one.
    read : In(Piece()), overlaps : Out(1)
        Whether these bytes are pending, those of this cycle's `moves` not counted.
    """

    def __init__(self, *, depth: int) -> None:
        check_power_of_two("depth", depth)
        self._depth = depth
        super().__init__(
            {
                "moves": In(stream.Signature(PlacedMove())),
                "ends": In(1),
                "oldest": Out(data.StructLayout({"kind": Kind, "words": COUNT_BITS})),
                "any": Out(1),
                "read": In(Piece()),
                "overlaps": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Keep the moves in a ring."""
        m = Module()
        ring = Array(Signal(PlacedMove(), name=f"move_{number}") for number in range(self._depth))
        held = Signal(self._depth)
        begin, end = Signal(ceil_log2(self._depth)), Signal(ceil_log2(self._depth))
        oldest = Signal(PlacedMove())
        m.d.comb += [
            self.moves.ready.eq(~held.bit_select(end, 1)),
            self.any.eq(held.any()),
            oldest.as_value().eq(Array(move.as_value() for move in ring)[begin]),
            self.oldest.kind.eq(oldest.kind),
            self.oldest.words.eq(oldest.words),
        ]
        with m.If(self.ends):
            m.d.sync += [held.bit_select(begin, 1).eq(0), begin.eq(begin + 1)]
        with m.If(self.moves.valid & self.moves.ready):
            m.d.sync += [held.bit_select(end, 1).eq(1), end.eq(end + 1)]
            for number, move in enumerate(ring):
                with m.If(end == number):
                    m.d.sync += move.eq(self.moves.payload)
        shared = (
            held[number] & (self.read.address < move.piece.end) & (move.piece.address < self.read.end)
            for number, move in enumerate(ring)
        )
        m.d.comb += self.overlaps.eq(Cat(*shared).any())
        return m
