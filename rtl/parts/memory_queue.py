"""A long queue in one synchronous memory; an item falls through when the queue is empty."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["MemoryQueue"]


class MemoryQueue(Component):
    """Items in their order, each offered from the very cycle in which it comes; one may come and go in every cycle.

    The oldest item is in a register, because a memory answers late in its cycle. Every item is written to the memory,
    which in every cycle is addressed for the item that will be the oldest but one in the next. The answer does not show
    what is written in the same cycle. So when the oldest goes, its place takes

    - what is at the entrance, if there is no other,
    - what came last, kept in a register, if it came in the cycle before,
    - what the memory answers, if it came earlier.

    Whether there is an item, and whether there are several, is in registers, as wide words are chosen by that.

    There is no path from `o.ready` to `i.ready`.

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
        """Connect the memory, its two ends and the ways past it."""
        m = Module()
        bits = unsigned(Shape.cast(self._shape).width)
        words = max(self._depth, 2)  # Amaranth cannot write an address of no bits as RTLIL
        m.submodules.items = items = UncheckedMemory(shape=bits, depth=words)
        write, read = items.write_port(), items.read_port()
        entrance, exit_ = Value.cast(self.i.payload), Value.cast(self.o.payload)
        level, newest, just_came = Signal(range(self._depth + 1)), Signal(bits), Signal()
        some, several = Signal(), Signal()
        oldest, comes, goes = Signal(bits), Signal(), Signal()
        end = Signal(range(words))
        second, third = (Signal(range(words), init=k % self._depth) for k in (1, 2))
        m.d.comb += [
            self.i.ready.eq(level != self._depth),
            self.o.valid.eq(some | self.i.valid),
            exit_.eq(Mux(some, oldest, entrance)),
            comes.eq(self.i.valid & self.i.ready),
            goes.eq(self.o.valid & self.o.ready),
            write.en.eq(comes),
            write.addr.eq(end),
            write.data.eq(entrance),
            read.addr.eq(Mux(goes, third, second)),
        ]
        m.d.sync += [
            second.eq(read.addr),
            newest.eq(entrance),
            just_came.eq(comes & Mux(goes, end == third, end == second)),
        ]
        with m.If(comes & ~goes):
            m.d.sync += [level.eq(level + 1), some.eq(1), several.eq(some)]
        with m.Elif(goes & ~comes):
            m.d.sync += [level.eq(level - 1), some.eq(several), several.eq(level > 2)]
        with m.If(goes | ~some):
            m.d.sync += oldest.eq(Mux(~several, entrance, Mux(just_came, newest, read.data)))
        with m.If(goes):
            m.d.sync += third.eq(self._after(third))
        with m.If(comes):
            m.d.sync += end.eq(self._after(end))
        return m

    def _after(self, place: Signal) -> Value:
        return Mux(place == self._depth - 1, 0, place + 1)
