"""A short queue whose oldest item is in registers, because a memory, even of LUTs, answers late in its cycle."""

from __future__ import annotations

from amaranth.hdl import Elaboratable, Module, Mux, Shape, ShapeLike, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.fifo import FIFOInterface, SyncFIFO
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.arguments import check_at_least

__all__ = ["RegisteredQueue"]


class OnePlace(FIFOInterface, Elaboratable):
    """An `amaranth.lib.fifo.SyncFIFO` of one place, without a memory of one word, which synthesisers remark upon."""

    def __init__(self, width: int) -> None:
        super().__init__(width=width, depth=1)

    def elaborate(self, platform: object) -> Module:
        """Keep the item until it is read."""
        m, full = Module(), Signal()
        m.d.comb += [self.w_rdy.eq(~full), self.r_rdy.eq(full), self.w_level.eq(full), self.r_level.eq(full)]
        with m.If(self.w_en & ~full):
            m.d.sync += [self.r_data.eq(self.w_data), full.eq(1)]
        with m.Elif(self.r_en):
            m.d.sync += full.eq(0)
        return m


class RegisteredQueue(Component):
    """Items in their order, each offered from the cycle after it came; one may come and go in every cycle.

    It takes the same cycles as `amaranth.lib.fifo.SyncFIFO`. What goes makes place in the registers for the next in the
    same cycle: for the oldest of the others, or for what is at the entrance if there is none. There is no path from
    `o.ready` to `i.ready`.

    Parameters
    ----------
    shape
        Shape of an item.
    depth
        Places.

    Attributes
    ----------
    i : In(stream.Signature(shape))
        What comes.
    o : Out(stream.Signature(shape))
        What goes.
    """

    def __init__(self, *, shape: ShapeLike, depth: int) -> None:
        check_at_least("depth", depth, 1)
        self._shape, self._depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        """Connect the registers with the others behind them, and the way past these."""
        m = Module()
        bits = unsigned(Shape.cast(self._shape).width)
        depth = self._depth - 1
        m.submodules.others = others = OnePlace(bits.width) if depth == 1 else SyncFIFO(width=bits.width, depth=depth)
        entrance, oldest, free = Value.cast(self.i.payload), Signal(bits), Signal()
        m.d.comb += [
            Value.cast(self.o.payload).eq(oldest),
            self.i.ready.eq(others.w_rdy if self._depth > 1 else ~self.o.valid),
            free.eq(~self.o.valid | self.o.ready),
            others.r_en.eq(free),
            others.w_data.eq(entrance),
            others.w_en.eq(self.i.valid & (others.r_rdy | ~free)),
        ]
        with m.If(free):
            m.d.sync += [
                oldest.eq(Mux(others.r_rdy, others.r_data, entrance)),
                self.o.valid.eq(others.r_rdy | (self.i.valid & self.i.ready)),
            ]
        return m
