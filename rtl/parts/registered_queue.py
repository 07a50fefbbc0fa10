"""A short queue whose oldest item is in registers, because a memory, even of LUTs, answers late in its cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.arguments import check_at_least

__all__ = ["RegisteredQueue"]


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
        m.submodules.others = others = SyncFIFO(width=bits.width, depth=self._depth - 1)
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
