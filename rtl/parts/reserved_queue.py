"""A queue whose places are reserved before their items are made, so that the pipeline in front never stalls."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Shape, ShapeLike, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["ReservedQueue"]


class ReservedQueue(Component):
    """Items of a pipeline, in order, with backpressure at the pipeline's entrance and not inside it.

    A place must be reserved, while `free`, before an item starts through the pipeline. The item may be pushed any
    number of cycles later; it is offered from the cycle after.

    Parameters
    ----------
    shape
        Shape of an item.
    depth
        Places. A pipeline that pushes `d` cycles after it reserves is never held up if there are d + 2 and items are
        taken as they come.

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
    last : In(1)
        Whether `item` is the last of its op.
    last_taken : Out(1)
        The last item of an op is taken in this cycle.
    o : Out(stream.Signature(shape))
        The items.
    """

    def __init__(self, *, shape: ShapeLike, depth: int) -> None:
        check_at_least("depth", depth, 1)
        self._depth = depth
        self._shape = shape
        super().__init__(
            {
                "free": Out(1),
                "reserve": In(1),
                "push": In(1),
                "item": In(shape),
                "last": In(1),
                "last_taken": Out(1),
                "o": Out(stream.Signature(shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect a queue and the count of its places that are reserved or full."""
        m = Module()
        width = Shape.cast(self._shape).width
        m.submodules.queue = queue = RegisteredQueue(shape=width + 1, depth=self._depth)
        held = Signal(range(self._depth + 1))
        taken = Signal()
        m.d.comb += [
            queue.i.payload.eq(Cat(self.item, self.last)),
            queue.i.valid.eq(self.push),
            Value.cast(self.o.payload).eq(queue.o.payload[:-1]),
            self.o.valid.eq(queue.o.valid),
            queue.o.ready.eq(self.o.ready),
            taken.eq(self.o.valid & self.o.ready),
            self.last_taken.eq(taken & queue.o.payload[-1]),
            self.free.eq(held != self._depth),
        ]
        m.d.sync += held.eq(held + self.reserve - taken)
        return m
