"""Turns the answers of a synchronous memory into a stream that may stall, with no path from `ready` to address."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

__all__ = ["ReadBuffer"]


class ReadBuffer(Component):
    """Offers each item in the cycle after it was addressed, straight from the memory's own register.

    There is room for two: the memory's register, which keeps its item while nothing is addressed, and one register
    beside it, filled only where the next item is read before this one is taken. Two are enough for an item a cycle,
    also right after a stall, though `free` knows nothing of `o.ready` in its cycle:

        cycle      0    1    2    3    4    5    6
        addressed  a    b    c              d
        offered         a    b    b    b    c    d
        memory          a    b    c    c    c    d
        beside                    b    b
        taken           a              b    c    d

    In cycle 2 nothing is taken and c has been addressed; from cycle 3 on both places are full, until c goes.

    Parameters
    ----------
    shape
        Shape of an item.

    Attributes
    ----------
    free : Out(1)
        Whether an item may be addressed in this cycle.
    read : In(1)
        An item is addressed, and the memory's port enabled; only while `free`.
    item : In(shape)
        What the memory answers, from the cycle after `read` until the one after the next.
    o : Out(stream.Signature(shape))
        The items, in the order in which they were addressed.
    """

    def __init__(self, *, shape: ShapeLike) -> None:
        super().__init__({"free": Out(1), "read": In(1), "item": In(shape), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        """Follow which of the two places is full; the one beside the memory holds the older item."""
        m = Module()
        in_memory, beside, taken = Signal(), Signal(), Signal()
        older = Signal.like(self.o.payload)
        m.d.comb += [
            self.free.eq(~(in_memory & beside)),
            self.o.valid.eq(in_memory | beside),
            self.o.payload.eq(Mux(beside, older, self.item)),
            taken.eq(self.o.valid & self.o.ready),
        ]
        m.d.sync += [
            in_memory.eq(self.read | (in_memory & (beside | ~taken))),
            beside.eq((beside | (in_memory & self.read)) & ~taken),
        ]
        with m.If(~beside):
            m.d.sync += older.eq(self.item)
        return m
