"""What the network puts out leaves over a stream: a packet for each loss, offered once it is whole."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.elementwise.gradient_words import Result
from deltatrain.rtl.parts.arguments import check_at_least

__all__ = ["PACKETS", "ResultItem", "Results", "item_bytes"]

PACKETS = 2
"""There is room for: one is filled while the one before is taken."""

_LEAST_BYTES = 4


def item_bytes(bits: int) -> int:
    """Return the bytes of an item of the stream, a power of two of at least 4, for values of so many bits."""
    return max(_LEAST_BYTES, 1 << ceil_log2(-(-bits // 8)))


class ResultItem(data.StructLayout):
    """An item of the stream: a ``value``, extended by its sign, and whether it is the ``last`` of its packet."""

    def __init__(self, bits: int) -> None:
        super().__init__({"value": signed(8 * item_bytes(bits)), "last": 1})


class Results(Component):
    """Keeps packets until they are taken.

    A packet that is not whole is not seen from outside, so that none is cut short when a run is stopped.

    Parameters
    ----------
    bits
        Of a value.
    most
        Most values of a packet.

    Attributes
    ----------
    has_room : Out(1)
        Whether a packet may begin.
    begins : In(1)
        A packet begins; only while there is room.
    result : In(Result(bits))
        A value of the packet that has begun first and is not whole.
    forgets : In(1)
        Packets that are not whole are forgotten; a value that comes in this cycle, too.
    items : Out(stream.Signature(ResultItem(bits)))
        The packets, in order.
    waiting : Out(range(PACKETS + 1))
        Packets that are whole and not taken.
    made_count : Out(16)
        Packets that became whole since `forgets` was high, modulo 2**16.

    Notes
    -----
        cycle   t             t + 1         t + 2
        value   the last of   in memory     the packet is
                a packet                    offered
    """

    def __init__(self, *, bits: int, most: int) -> None:
        check_at_least("most", most, 1)
        self._bits, self._depth = bits, 1 << ceil_log2(max(PACKETS * most, 2))
        super().__init__(
            {
                "has_room": Out(1),
                "begins": In(1),
                "result": In(Result(bits)),
                "forgets": In(1),
                "items": Out(stream.Signature(ResultItem(bits))),
                "waiting": Out(range(PACKETS + 1)),
                "made_count": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates: a ring of values, of which those up to `whole` are offered."""
        m = Module()
        m.submodules.ring = ring = Memory(shape=unsigned(self._bits + 1), depth=self._depth, init=[])
        write, read = ring.write_port(), ring.read_port()
        written, whole, offered, taken = (
            Signal(range(2 * self._depth), name=name) for name in ("written", "whole", "offered", "taken")
        )
        begun, goes, ends, made = Signal(range(PACKETS + 1)), Signal(), Signal(), Signal()
        item, result, address_bits = self.items.payload, self.result, ceil_log2(self._depth)
        value = Signal(signed(self._bits))
        m.d.comb += [
            write.en.eq(result.valid),
            write.addr.eq(written[:address_bits]),
            write.data.eq(Cat(result.value, result.last)),
            read.addr.eq((taken + goes)[:address_bits]),
            Cat(value, item.last).eq(read.data),
            item.value.eq(value),
            self.items.valid.eq(taken != offered),
            goes.eq(self.items.valid & self.items.ready),
            ends.eq(goes & item.last),
            made.eq(result.valid & result.last),
            self.has_room.eq(begun + self.waiting != PACKETS),
        ]
        m.d.sync += [
            written.eq(written + result.valid),
            offered.eq(whole),
            taken.eq(taken + goes),
            begun.eq(begun + self.begins - made),
            self.made_count.eq(self.made_count + made),
            self.waiting.eq(self.waiting + Mux(self.forgets, 0, made) - ends),
        ]
        with m.If(made):
            m.d.sync += whole.eq(written + 1)
        with m.If(self.forgets):
            m.d.sync += [written.eq(whole), whole.eq(whole), begun.eq(0), self.made_count.eq(0)]
        return m
