"""A short queue whose oldest item is in registers, because a memory, even of LUTs, answers late in its cycle."""

from __future__ import annotations

from amaranth.hdl import Elaboratable, Module, Mux, Shape, ShapeLike, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.arguments import check_at_least

__all__ = ["RegisteredQueue"]


class _Others(Elaboratable):
    """All items but the oldest. Any that is offered is written, and is one of them if it `stays`, which is known late.

    Attributes
    ----------
    offered, item, stays
        Whether an item comes, the item, and whether it is kept, only while there is `room`.
    some, oldest, goes
        Whether there is an item, the oldest of them, and whether it goes, only while there is one.
    """

    def __init__(self, width: int, depth: int) -> None:
        self._depth = depth
        self.offered, self.stays, self.room, self.some, self.goes = (Signal() for _ in range(5))
        self.item, self.oldest = Signal(width), Signal(width)

    def elaborate(self, platform: object) -> Module:
        """Keep one item in registers, or several in a memory of LUTs."""
        m = Module()
        if self._depth == 1:
            m.d.comb += self.room.eq(~self.some)
            with m.If(self.offered & self.room):
                m.d.sync += self.oldest.eq(self.item)
            m.d.sync += self.some.eq(Mux(self.some, ~self.goes, self.stays))
            return m
        m.submodules.items = items = Memory(shape=self.item.shape(), depth=self._depth, init=[])
        write, read = items.write_port(), items.read_port(domain="comb")
        level = Signal(range(self._depth + 1))
        m.d.comb += [
            self.room.eq(level != self._depth),
            self.some.eq(level != 0),
            write.en.eq(self.offered & self.room),
            write.data.eq(self.item),
            self.oldest.eq(read.data),
        ]
        for place, moves in ((write.addr, self.stays), (read.addr, self.goes)):
            with m.If(moves):
                m.d.sync += place.eq(Mux(place == self._depth - 1, 0, place + 1))
        with m.If(self.stays & ~self.goes):
            m.d.sync += level.eq(level + 1)
        with m.Elif(self.goes & ~self.stays):
            m.d.sync += level.eq(level - 1)
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
        entrance, oldest, free, comes = Value.cast(self.i.payload), Signal(bits), Signal(), Signal()
        following, some = entrance, Signal()  # what is the oldest next, and whether there are others
        m.d.comb += [
            Value.cast(self.o.payload).eq(oldest),
            free.eq(~self.o.valid | self.o.ready),
            comes.eq(self.i.valid & self.i.ready),
        ]
        if self._depth == 1:
            m.d.comb += self.i.ready.eq(~self.o.valid)
        else:
            m.submodules.others = others = _Others(bits.width, self._depth - 1)
            m.d.comb += [
                self.i.ready.eq(others.room),
                some.eq(others.some),
                others.goes.eq(free & some),
                others.item.eq(entrance),
                others.offered.eq(self.i.valid),
                others.stays.eq(comes & (some | ~free)),
            ]
            following = Mux(some, others.oldest, entrance)
        with m.If(free):
            m.d.sync += [oldest.eq(following), self.o.valid.eq(some | comes)]
        return m
