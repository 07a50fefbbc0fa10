"""A queue behind a memory: an answer is offered at once, and kept if it is not taken at once."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["FallThroughQueue"]


class FallThroughQueue(Component):
    """Items in their order, each offered from the very cycle in which it is pushed.

    A place must be reserved, while `free`, when an item is requested, as in `rtl.parts.reserved_queue.ReservedQueue`.
    `free` does not depend on whether an item is taken in the same cycle.

    With two places it takes the same cycles as `rtl.parts.read_buffer.ReadBuffer`. That one needs fewer registers, but
    it leaves an answer in the memory's own register until it is taken; here an answer lasts for one cycle only.

    Parameters
    ----------
    shape
        Shape of an item.
    depth
        Places. If items come `d` cycles after they were asked for, d + 1 places lose no cycle, however often `o.ready`
        drops: an item is offered in every cycle as long as one could be asked for in every cycle.

    Attributes
    ----------
    free : Out(1)
        Whether a place may be reserved in this cycle.
    reserve : In(1)
        Reserve a place; only while `free`.
    push : In(1)
        Fill a reserved place with `item`.
    item : In(shape)
        What to push.
    o : Out(stream.Signature(shape))
        The items.
    """

    def __init__(self, *, shape: ShapeLike, depth: int) -> None:
        check_at_least("depth", depth, 1)
        self._shape, self._depth = shape, depth
        super().__init__(
            {
                "free": Out(1),
                "reserve": In(1),
                "push": In(1),
                "item": In(shape),
                "o": Out(stream.Signature(shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect a queue, the way past it, and the count of its places that are reserved or full."""
        m = Module()
        m.submodules.queue = queue = RegisteredQueue(shape=unsigned(Shape.cast(self._shape).width), depth=self._depth)
        held = Signal(range(self._depth + 1))
        item = Value.cast(self.item)
        m.d.comb += [
            Value.cast(self.o.payload).eq(Mux(queue.o.valid, queue.o.payload, item)),
            self.o.valid.eq(queue.o.valid | self.push),
            queue.o.ready.eq(self.o.ready),
            queue.i.payload.eq(item),
            queue.i.valid.eq(self.push & (queue.o.valid | ~self.o.ready)),
            self.free.eq(held != self._depth),
        ]
        m.d.sync += held.eq(held + self.reserve - (self.o.valid & self.o.ready))
        return m
