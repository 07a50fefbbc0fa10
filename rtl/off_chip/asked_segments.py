"""How many segments of columns are asked for and not there yet, if the port takes no more than so many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.rtl.off_chip.passed_requests import PassedRequests
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.memory_queue import MemoryQueue

__all__ = ["AskedSegments", "asked_segments", "follow", "passed_member"]


class AskedSegments(Component):
    """Follows the words that come for segments, and tells whether another segment may be asked for.

        cycle  a                      c                            c + 1
               a segment is asked     the last of all its words    another may be
               for: `segments`        comes: `come`                asked for in its place

    Parameters
    ----------
    most
        Segments that may be under way (`accel.memory.Dma.columns_in_flight`).
    most_words
        Words of a segment at most.
    kinds
        "weights", "gradients", or both: what lives off-chip.

    Attributes
    ----------
    segments : In(stream.Signature({"words", *kinds}))
        A segment that is asked for, its words and of which kinds it has them; only while `may_ask`; always ready.
    come : In(StructLayout)
        Of each kind, whether a word comes in this cycle; words come in the order of the requests.
    may_ask : Out(1)
        Fewer than `most` are under way.
    """

    def __init__(self, *, most: int, most_words: int, kinds: Iterable[str]) -> None:
        check_at_least("most", most, 1)
        check_at_least("most_words", most_words, 1)
        self._most, self._most_words, self._kinds = most, most_words, tuple(kinds)
        self._segment = data.StructLayout({"words": range(most_words + 1), **dict.fromkeys(self._kinds, 1)})
        super().__init__(
            {
                "segments": In(stream.Signature(self._segment)),
                "come": In(data.StructLayout(dict.fromkeys(self._kinds, 1))),
                "may_ask": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count the words of each kind that are of no segment whose last has come, and the segments under way."""
        m = Module()
        m.submodules.queue = queue = MemoryQueue(shape=self._segment, depth=self._most)
        connect(m, flipped(self.segments), queue.i)
        front, ends, asks = queue.o.payload, Signal(), Signal()
        complete = Signal(len(self._kinds))
        words = range(self._most * self._most_words + 1)
        for number, kind in enumerate(self._kinds):
            # All words of a kind may be there before the segment in front has those of the other.
            before, now = (Signal(words, name=f"{name}_{kind}") for name in ("before", "now"))
            m.d.comb += [
                now.eq(before + self.come[kind]),
                complete[number].eq(~front[kind] | (now >= front.words)),
            ]
            m.d.sync += before.eq(Mux(ends & front[kind], now - front.words, now))
        under_way = Signal(range(self._most + 1))
        m.d.comb += [
            ends.eq(queue.o.valid & complete.all()),
            queue.o.ready.eq(ends),
            asks.eq(self.segments.valid),
            self.may_ask.eq(under_way != self._most),
        ]
        m.d.sync += under_way.eq(under_way + asks - ends)
        return m


def asked_segments(
    most: int | None, depth: Mapping[str, int], told: bool = False
) -> AskedSegments | PassedRequests | None:
    """Return what follows the segments of a fetch; None if the room of each kind, `depth`, lets no more in.

    It sees them by their words, unless it is `told` of their requests (`rtl.off_chip.passed_requests`).
    """
    deepest = max(depth.values())
    if most is None or most >= deepest:
        return None
    return PassedRequests(most=most) if told else AskedSegments(most=most, most_words=deepest, kinds=depth)


def passed_member(asked: AskedSegments | PassedRequests | None) -> dict[str, Any]:
    """Return the port by which a fetch is told, if it is: an item for each request whose last word passes."""
    return {"passed": In(stream.Signature(1))} if isinstance(asked, PassedRequests) else {}


def follow(m: Module, asked: AskedSegments | PassedRequests, asks: Value, segment: data.View, fetch: Any) -> None:
    """Tell of a segment that is asked for now, and of what comes: words of ``fetch.matrices``, or ``fetch.passed``."""
    told = asked.segments.payload
    m.d.comb += asked.segments.valid.eq(asks)
    if isinstance(asked, PassedRequests):
        passed = fetch.passed
        m.d.comb += [
            told.eq(segment.weights & segment.gradients),
            passed.ready.eq(1),
            asked.passed.eq(passed.valid),
        ]
        return
    m.d.comb += told.words.eq(segment.words)
    for kind, matrix in fetch.matrices.items():
        m.d.comb += [told[kind].eq(segment[kind]), asked.come[kind].eq(matrix.words.valid & matrix.words.ready)]
