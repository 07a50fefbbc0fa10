"""Retires ops in order: a fixed time after their last word, or later under backpressure on their results."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.reserved_queue import ReservedQueue

__all__ = ["Completion"]


class Completion(Component):
    """Keeps an op that has left the pipeline until everything that it made has been taken.

    A marker leaves the pipeline behind an op's last item. In each outlet to which the op gives items, the last of them
    is marked. Ops are done in order, so it is enough to count these marks.

    Parameters
    ----------
    outlets
        Queues whose items an op may have to wait for.
    depth
        Most ops in flight.

    Attributes
    ----------
    free : Out(1)
        Whether another op may be begun.
    reserve : In(1)
        An op is begun; only while `free`.
    push : In(1)
        The marker of an op leaves the pipeline.
    awaits : In(outlets)
        The outlets to which that op gives items.
    last_taken : In(outlets)
        The outlets from which an op's last item is taken in this cycle.
    done : Out(1)
        An op is done: its marker came, and its last items were taken, in earlier cycles.
    """

    def __init__(self, *, outlets: int, depth: int) -> None:
        check_at_least("outlets", outlets, 1)
        check_at_least("depth", depth, 1)
        self._depth = depth
        super().__init__(
            {
                "free": Out(1),
                "reserve": In(1),
                "push": In(1),
                "awaits": In(outlets),
                "last_taken": In(outlets),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count the ops whose last item was taken, outlet by outlet, and compare with the oldest marker."""
        m = Module()
        outlets = len(self.awaits)
        m.submodules.markers = markers = ReservedQueue(shape=outlets, depth=self._depth)
        taken = [Signal(range(self._depth + 1), name=f"taken_{outlet}") for outlet in range(outlets)]
        missing = Signal(outlets)
        m.d.comb += [
            self.free.eq(markers.free),
            markers.reserve.eq(self.reserve),
            markers.push.eq(self.push),
            markers.item.eq(self.awaits),
            self.done.eq(markers.o.valid & ~missing.any()),
            markers.o.ready.eq(self.done),
        ]
        for i, count in enumerate(taken):
            m.d.comb += missing[i].eq(markers.o.payload[i] & (count == 0))
            m.d.sync += count.eq(count + self.last_taken[i] - (self.done & markers.o.payload[i]))
        return m
