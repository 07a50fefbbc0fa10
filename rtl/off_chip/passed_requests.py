"""How many segments of columns are asked for and not there yet, where the port says of each request when it is."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.accel.memory import Dma
from deltatrain.rtl.off_chip.word_sizes import WordSize
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.memory_queue import MemoryQueue

__all__ = ["PassedRequests", "is_told"]


def is_told(engine: Engine, dma: Dma, words: dict[str, WordSize]) -> bool:
    """Tell whether the fetch is told when requests have passed the port, as it cannot see that by the words.

    A port that is wider than a word lets several pass in a cycle, and the tile has them one after the other. Words of
    several arrays come side by side.
    """
    return engine.arrays > 1 or dma.bytes_per_cycle > min(size.bytes for size in words.values())


class PassedRequests(Component):
    """Follows the requests of segments, and tells whether another segment may be asked for.

        cycle  a                      c                            c + 1
               a segment is asked     the last word of its last    another may be
               for: `segments`        request passes: `passed`     asked for in its place

    Parameters
    ----------
    most
        Segments that may be under way (`accel.memory.Dma.columns_in_flight`).

    Attributes
    ----------
    segments : In(stream.Signature({"both"}))
        A segment that is asked for, and whether by a request of W and one of dW; only while `may_ask`; always ready.
    passed : In(1)
        The last word of the oldest request passes the port in this cycle.
    may_ask : Out(1)
        Fewer than `most` are under way.
    """

    def __init__(self, *, most: int) -> None:
        check_at_least("most", most, 1)
        self._most = most
        super().__init__({"segments": In(stream.Signature(1)), "passed": In(1), "may_ask": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Count the segments under way, and the requests of the oldest."""
        m = Module()
        m.submodules.queue = queue = MemoryQueue(shape=1, depth=self._most)
        connect(m, flipped(self.segments), queue.i)
        second, ends, asks = Signal(), Signal(), self.segments.valid
        under_way = Signal(range(self._most + 1))
        m.d.comb += [
            ends.eq(self.passed & (second | ~queue.o.payload)),
            queue.o.ready.eq(ends),
            self.may_ask.eq(under_way != self._most),
        ]
        m.d.sync += [
            second.eq(Mux(self.passed, ~ends, second)),
            under_way.eq(under_way + asks - ends),
        ]
        return m
