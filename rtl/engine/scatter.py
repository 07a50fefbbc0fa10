"""A memory of vectors: elements are written in any order, words are read once, what was not written is zero."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two
from deltatrain.rtl.parts.layouts import word

__all__ = ["Place", "ScatterMemory"]


class Place(data.StructLayout):
    """Where one element is written.

    Parameters
    ----------
    lanes
        P, elements of a word.
    depth
        Words of the memory.

    Members
    -------
    valid : unsigned(1)
        Whether an element is written at all.
    address : unsigned
        Its word.
    lane : unsigned
        Its lane.
    """

    def __init__(self, lanes: int, depth: int) -> None:
        super().__init__({"valid": 1, "address": unsigned(ceil_log2(depth)), "lane": unsigned(ceil_log2(lanes))})


class ScatterMemory(wiring.Component):
    """Takes an element and gives a word a cycle. An element is given once, and is zero until it is written again.

    Clearing costs no cycle and no second write port. Each element has one bit in each of two memories, and the two bits
    differ while the element holds a value that has not been given. The writer makes its bit differ from the reader's.
    The reader, once it has read, makes its bit equal to the writer's. So each memory is written from one side only.

    Memories survive a reset, so elements may hold values that a run left that was stopped. They are forgotten after the
    reset, one word a cycle: within `depth` cycles, if nothing is asked and nothing placed meanwhile.

    Parameters
    ----------
    lanes
        P, elements of a word, a power of two.
    value_bits
        Width of an element.
    depth
        Words of the memory.

    Members
    -------
    place : In(Place(lanes, depth))
        Where the next element goes; always taken. An element may be written again only after its word has been
        requested, in an earlier cycle than this one.
    value : In(signed(value_bits))
        That element, one cycle after its place. Its word may be requested from the next cycle on.
    addresses : In(stream.Signature(unsigned))
        Words to give. A word requested in the cycle of a `place`, or before, does not contain that element.
    words : Out(stream.Signature(word(value_bits, lanes)))
        The words, one cycle later at the earliest.
    """

    def __init__(self, *, lanes: int, value_bits: int, depth: int) -> None:
        check_power_of_two("lanes", lanes)
        check_at_least("value_bits", value_bits, 1)
        check_at_least("depth", depth, 2)
        self._lanes, self._depth = lanes, depth
        self._word = word(value_bits, lanes)
        super().__init__(
            {
                "place": In(Place(lanes, depth)),
                "value": In(self._word.elem_shape),
                "addresses": In(stream.Signature(unsigned(ceil_log2(depth)))),
                "words": Out(stream.Signature(self._word)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        flags = data.ArrayLayout(1, self._lanes)
        m.submodules.values = values = Memory(shape=self._word, depth=self._depth, init=[])
        m.submodules.written = written = Memory(shape=flags, depth=self._depth, init=[])
        m.submodules.given = given = Memory(shape=flags, depth=self._depth, init=[])
        value_write, written_write = values.write_port(granularity=1), written.write_port(granularity=1)
        given_write = given.write_port()
        value_read, written_read = values.read_port(), written.read_port()
        given_read = given.read_port(transparent_for=(given_write,))
        given_to_writer = given.read_port(transparent_for=(given_write,))

        placed = Signal.like(self.place)
        m.d.sync += placed.eq(self.place)
        m.d.comb += [given_to_writer.addr.eq(self.place.address), given_to_writer.en.eq(self.place.valid)]
        for port, element in ((value_write, self.value), (written_write, ~given_to_writer.data[placed.lane])):
            m.d.comb += port.addr.eq(placed.address)
            for k in range(self._lanes):
                m.d.comb += [port.data[k].eq(element), port.en[k].eq(placed.valid & (placed.lane == k))]

        asked, address, new = Signal(), Signal.like(self.addresses.payload), Signal()
        m.d.comb += [
            self.addresses.ready.eq(~self.words.valid | self.words.ready),
            asked.eq(self.addresses.valid & self.addresses.ready),
        ]
        forgets, reads = Signal(), Signal.like(self.addresses.payload)
        self._forget(m, forgets, reads)
        for port in (value_read, written_read, given_read):
            m.d.comb += [port.addr.eq(reads), port.en.eq(asked | forgets)]
        m.d.sync += [new.eq(asked | forgets), address.eq(reads)]
        with m.If(self.addresses.ready):
            m.d.sync += self.words.valid.eq(self.addresses.valid)
        m.d.comb += [given_write.addr.eq(address), given_write.data.eq(written_read.data), given_write.en.eq(new)]
        for k in range(self._lanes):
            holds = written_read.data[k] ^ given_read.data[k]
            m.d.comb += self.words.payload[k].eq(Mux(holds, value_read.data[k], 0))
        return m

    def _forget(self, m: Module, forgets: Signal, reads: Signal) -> None:
        """Drive `forgets`, whether a word is read only to be given, and `reads`, the word that is read."""
        word, all_forgotten = Signal.like(reads), Signal()
        begins = self.addresses.valid | self.place.valid
        m.d.comb += [
            forgets.eq(~all_forgotten & ~begins),
            reads.eq(Mux(forgets, word, self.addresses.payload)),
        ]
        with m.If(forgets):
            m.d.sync += word.eq(word + 1)
        m.d.sync += all_forgotten.eq(all_forgotten | begins | (word == self._depth - 1))
