"""Reads vectors for the delta encoder, word after word, from the memory of x or of h."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, enum, stream
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two
from deltatrain.rtl.parts.fall_through_queue import FallThroughQueue
from deltatrain.rtl.parts.layouts import word

__all__ = ["READ_CYCLES", "FeedOp", "ValueFeed", "VectorMemory"]


READ_CYCLES = 2
"""From addressing a word to offering it."""


class VectorMemory(enum.Enum, shape=unsigned(1)):
    """Which memory a vector is in."""

    X = 0
    H = 1


class FeedOp(data.StructLayout):
    """One vector to read.

    Parameters
    ----------
    words
        Words of the larger of the two memories.

    Members
    -------
    memory : VectorMemory
        Where it is.
    base : unsigned
        Its first word.
    words : unsigned
        Its words; 0 for a vector without elements.
    """

    def __init__(self, words: int) -> None:
        super().__init__({"memory": VectorMemory, "base": ceil_log2(words), "words": ceil_log2(words + 1)})


class ValueFeed(Component):
    """Reads one vector after another, a word a cycle without a gap; a vector without words takes one cycle.

    A word is addressed in one cycle, registered in the next, because a memory answers late in its cycle, and offered
    from then on. An op stays at its port for max(1, words) cycles, or longer under backpressure. Its vector must be in
    the memory when the op is offered.

    Parameters
    ----------
    value_bits
        Width of an activation.
    lanes
        P, elements of a word, a power of two.
    x_words, h_words
        Words of the memories of x and of h, each at least 2.

    Attributes
    ----------
    ops : In(stream.Signature(FeedOp(max(x_words, h_words))))
        What to read; one is taken when its last word is addressed.
    x, h : In(ReadPort.Signature)
        To the memories, which answer in the next cycle with a whole word.
    values : Out(stream.Signature(word(value_bits, lanes)))
        The words.
    """

    def __init__(self, *, value_bits: int, lanes: int, x_words: int, h_words: int) -> None:
        check_at_least("value_bits", value_bits, 2)
        check_power_of_two("lanes", lanes)
        check_at_least("x_words", x_words, 2)
        check_at_least("h_words", h_words, 2)
        self._word = word(value_bits, lanes)
        super().__init__(
            {
                "ops": In(stream.Signature(FeedOp(max(x_words, h_words)))),
                "x": In(ReadPort.Signature(addr_width=ceil_log2(x_words), shape=self._word)),
                "h": In(ReadPort.Signature(addr_width=ceil_log2(h_words), shape=self._word)),
                "values": Out(stream.Signature(self._word)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Address words while there is room for them; queue the answers."""
        m = Module()
        m.submodules.queue = queue = FallThroughQueue(shape=self._word, depth=READ_CYCLES + 1)
        op = self.ops.payload
        # The number and the one after it are in registers, so that no comparison waits for an adder.
        number, after = Signal.like(op.words), Signal.like(op.words, init=1)
        empty, last, asks, of_h = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            empty.eq(op.words == 0),
            last.eq(after == op.words),
            asks.eq(self.ops.valid & ~empty & queue.free),
            of_h.eq(op.memory == VectorMemory.H),
            self.ops.ready.eq(self.ops.valid & (empty | (asks & last))),
            self.x.en.eq(asks & ~of_h),
            self.h.en.eq(asks & of_h),
            self.x.addr.eq(op.base + number),
            self.h.addr.eq(op.base + number),
            queue.reserve.eq(asks),
        ]
        with m.If(asks):
            m.d.sync += [number.eq(Mux(last, 0, after)), after.eq(Mux(last, 1, after + 1))]

        answers, of_h_before = Signal(), Signal()
        m.d.sync += [answers.eq(asks), of_h_before.eq(of_h), queue.push.eq(answers)]
        with m.If(answers):
            m.d.sync += queue.item.eq(Mux(of_h_before, self.h.data, self.x.data))
        m.d.comb += [
            self.values.valid.eq(queue.o.valid),
            self.values.payload.eq(queue.o.payload),
            queue.o.ready.eq(self.values.ready),
        ]
        return m
