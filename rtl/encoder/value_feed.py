"""Reads vectors for the delta encoder, word after word, from the memory of x or of h."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
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
    parts
        Parts of a word that are offered one after the other.

    Members
    -------
    memory : VectorMemory
        Where it is.
    base : unsigned
        Its first word.
    words : unsigned
        Its words, or parts of words; 0 for a vector without elements.
    """

    def __init__(self, words: int, parts: int = 1) -> None:
        super().__init__({"memory": VectorMemory, "base": ceil_log2(words), "words": ceil_log2(words * parts + 1)})


class ValueFeed(Component):
    """Reads one vector after another, S elements a cycle without a gap; a vector without words takes one cycle.

    A word is addressed in one cycle, registered in the next, because a memory answers late in its cycle, and offered
    from then on. An op stays at its port for max(1, words) cycles, or longer under backpressure. Its vector must be in
    the memory when the op is offered.

    Where S is less than a word has, its parts are offered one after the other; where it is more, so many words are read
    at once, each through a port of its own.

    Parameters
    ----------
    value_bits
        Width of an activation.
    lanes
        P, elements of a word, a power of two.
    elements
        S, a power of two; P if left out.
    x_words, h_words
        Words of the memories of x and of h, each at least 2.

    Attributes
    ----------
    ops : In(stream.Signature(FeedOp(max(x_words, h_words), P / S)))
        What to read; one is taken when its last word is addressed.
    x, h : In(ReadPort.Signature)
        To the memories, which answer in the next cycle with a whole word; S / P ports to each where S is more.
    values : Out(stream.Signature(word(value_bits, elements)))
        What was read.
    """

    def __init__(self, *, value_bits: int, lanes: int, x_words: int, h_words: int, elements: int | None = None) -> None:
        check_at_least("value_bits", value_bits, 2)
        check_power_of_two("lanes", lanes)
        check_at_least("x_words", x_words, 2)
        check_at_least("h_words", h_words, 2)
        elements = lanes if elements is None else elements
        check_power_of_two("elements", elements)
        self._at_once, self._parts = max(1, elements // lanes), max(1, lanes // elements)
        self._word = word(value_bits, elements)
        super().__init__(
            {
                "ops": In(stream.Signature(FeedOp(max(x_words, h_words), self._parts))),
                "x": self._port(value_bits, lanes, x_words),
                "h": self._port(value_bits, lanes, h_words),
                "values": Out(stream.Signature(self._word)),
            }
        )

    def _port(self, value_bits: int, lanes: int, words: int) -> Any:
        port = In(ReadPort.Signature(addr_width=ceil_log2(words), shape=word(value_bits, lanes)))
        return port if self._at_once == 1 else port.array(self._at_once)

    def elaborate(self, platform: object) -> Module:
        """Address words while there is room for them; queue the answers."""
        m = Module()
        m.submodules.queue = queue = FallThroughQueue(shape=self._word, depth=READ_CYCLES + 1)
        op, at_once, part_bits = self.ops.payload, self._at_once, ceil_log2(self._parts)
        # The number and the one after it are in registers, so that no comparison waits for an adder.
        number, most = Signal.like(op.words), (1 << len(op.words)) - 1
        after = Signal(range(most + at_once), init=at_once)
        empty, last, asks, of_h = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            empty.eq(op.words == 0),
            last.eq(after == op.words if at_once == 1 else after >= op.words),
            asks.eq(self.ops.valid & ~empty & queue.free),
            of_h.eq(op.memory == VectorMemory.H),
            self.ops.ready.eq(self.ops.valid & (empty | (asks & last))),
            queue.reserve.eq(asks),
        ]
        for ports, is_meant in ((self._x, ~of_h), (self._h, of_h)):
            first, *others = ports
            address = op.base + number[part_bits:]
            m.d.comb += [first.en.eq(asks & is_meant), first.addr.eq(address)]
            for which, port in enumerate(others, 1):
                m.d.comb += [
                    port.en.eq(asks & is_meant & (number + which < op.words)),
                    port.addr.eq(address + which),
                ]
        with m.If(asks):
            m.d.sync += [number.eq(Mux(last, 0, after)), after.eq(Mux(last, at_once, after + at_once))]

        answers, of_h_before = Signal(), Signal()
        x, h = (Cat(Value.cast(port.data) for port in ports) for ports in (self._x, self._h))
        read = Mux(of_h_before, h, x)
        m.d.sync += [answers.eq(asks), of_h_before.eq(of_h), queue.push.eq(answers)]
        if part_bits:
            part = Signal(part_bits)
            m.d.sync += part.eq(number)
            read = read.word_select(part, len(read) // self._parts)
        with m.If(answers):
            m.d.sync += Value.cast(queue.item).eq(read)
        m.d.comb += [
            self.values.valid.eq(queue.o.valid),
            self.values.payload.eq(queue.o.payload),
            queue.o.ready.eq(self.values.ready),
        ]
        return m

    @property
    def _x(self) -> list[Any]:
        return [self.x] if self._at_once == 1 else list(self.x)

    @property
    def _h(self) -> list[Any]:
        return [self.h] if self._at_once == 1 else list(self.h)
