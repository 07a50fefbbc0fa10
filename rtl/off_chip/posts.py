"""Write-backs of columns: each segment is posted a fixed time after the lanes have taken its last word."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.rtl.off_chip.request import Request
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.memory_queue import MemoryQueue

__all__ = ["Posts"]


class Posts(Component):
    """Keeps the requests of segments of one matrix that will be written back, in order, until each is due.

    Parameters
    ----------
    delay_cycles
        From the cycle in which a segment's last word is taken to the one in which it is posted.
    depth
        Most segments in flight; no more may be entered.

    Attributes
    ----------
    segments : In(stream.Signature(Request()))
        A segment that is going to be written back; always ready.
    taken : In(1)
        High for one cycle for each segment, in order: the lanes take its last word.
    requests : Out(stream.Signature(Request()))
        The same segments, each `delay_cycles` after its `taken`, or later under backpressure.
    """

    def __init__(self, *, delay_cycles: int, depth: int) -> None:
        check_at_least("delay_cycles", delay_cycles, 1)
        check_at_least("depth", depth, 1)
        self._delay_cycles, self._depth = delay_cycles, depth
        super().__init__(
            {
                "segments": In(stream.Signature(Request())),
                "taken": In(1),
                "requests": Out(stream.Signature(Request())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Offer the oldest segment while any is due."""
        m = Module()
        m.submodules.queue = queue = MemoryQueue(shape=Request(), depth=self._depth)
        connect(m, flipped(self.segments), queue.i)
        taken, goes, late = Signal(), Signal(), Signal(range(self._depth + 1))
        some, several = Signal(), Signal()  # whether late are any, and more than one: known in registers
        due = delayed(m, taken, self._delay_cycles)
        m.d.comb += [
            taken.eq(self.taken),
            self.requests.valid.eq(some | due),
            self.requests.payload.eq(queue.o.payload),
            goes.eq(self.requests.valid & self.requests.ready),
            queue.o.ready.eq(goes),
        ]
        with m.If(due & ~goes):
            m.d.sync += [late.eq(late + 1), some.eq(1), several.eq(some)]
        with m.Elif(goes & ~due):
            m.d.sync += [late.eq(late - 1), some.eq(several), several.eq(late > 2)]
        return m
