"""The store unit: stores the tape in off-chip memory, step by step."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import count_cycles, spent_layout
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.lists.ports import word_port
from deltatrain.rtl.off_chip.port_cycles import port_cycles
from deltatrain.rtl.off_chip.request import ADDRESS_BITS, Request
from deltatrain.rtl.off_chip.shared_walk import SHARE, walk_for
from deltatrain.rtl.off_chip.tape_walk import VALUE_BITS, TapePart, TapeStep, entries_of_word
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.layouts import INDEX_BITS, word
from deltatrain.rtl.parts.of_arrays import of_arrays
from deltatrain.rtl.parts.read_buffer import ReadBuffer
from deltatrain.rtl.parts.tape_ports import TapePorts

__all__ = ["StoreOp", "StoreUnit"]


class StoreOp(data.StructLayout):
    """One step's tape to store, or a state.

    Members
    -------
    address : unsigned(ADDRESS_BITS)
        Where it goes.
    step : TapeStep or StateStep or MovedStep
        Where it is.
    """

    def __init__(self, step: data.StructLayout) -> None:
        super().__init__({"address": unsigned(ADDRESS_BITS), "step": step})


class StoreUnit(Component):
    """Stores one step after the other.

        cycle   t                       t + 1           ...     t + n           u            u + 1
                the op starts: request, first word              last of n       `stored`     `soon`
                first word is addressed is offered              words

    The next op may start when the last word has been addressed, the port has had the cycles to move all, and fewer than
    `in_flight` requests are outstanding: with one in flight, in cycle u + 1.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.
    memories
        Read ports of the memories of tape and states.
    in_flight
        Requests that may be outstanding.
    port_bytes
        Bytes that the off-chip port moves in a cycle, a word at most; a word if not given.

    Attributes
    ----------
    commands : In(stream.Signature(command(StoreOp)))
        What to store.
    ready_counts : In(counts_layout)
        From `rtl.commands.waits.DoneCounts`.
    running : In(1)
        Whether ops may start.
    memories : In(memories)
        To the memories of what the element-wise unit made.
    tables : In(table_port).array(2), entries : In(word_port)
        To the lists that the encoder made, see `rtl.lists.store`; where neurons spike there are two of ``entries``, see
        `rtl.lists.spike_store`.
    requests : Out(stream.Signature(Request))
        What will be written, from the cycle in which an op starts until it is taken.
    words : Out(stream.Signature(word))
        The words, in the order of the requests.
    share : Out(SHARE)
        In one of several tiles its words among those of all (`rtl.off_chip.shared_walk`). All tiles ask for the same
        and hand out as many words, of which those that are not their own are zero.
    stored : In(1)
        The memory has taken the oldest outstanding request with all its words.
    soon : Out(1)
        High for one cycle for each op, in order: the memory that it stored may be used again.
    spent : Out(spent_layout)
        Busy cycles, in which the port moves the words, and stalled ones.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        sizes: TileSizes,
        memories: TapePorts,
        in_flight: int = 1,
        port_bytes: int | None = None,
    ) -> None:
        walk, entries = walk_for(sizes, engine.lanes), self._entries(engine, sizes, memories)
        port = In(entries).array(2) if self._spikes else In(entries)
        ports = {"memories": In(memories), "tables": walk.signature.members["tables"], "entries": port}
        ports |= {"share": Out(SHARE)} if sizes.is_part else {}
        self._set_ports(engine, sizes, StoreOp(TapeStep(sizes)), walk, in_flight, port_bytes, ports)

    def _entries(self, engine: Engine, sizes: TileSizes, memories: TapePorts) -> Any:
        """Note what a tape is made of; return the signature of a port to the lists."""
        self._has_tape, self._has_state, self._spikes = memories.has_tape, memories.has_state, bool(sizes.spikes)
        self._word_entries = entries_of_word(engine.lanes, spikes=self._spikes)
        bits = 0 if self._spikes else engine.formats.activation.bits
        return word_port(value_bits=bits, entries=sizes.list_entries, word_entries=self._word_entries)

    def _set_ports(
        self,
        engine: Engine,
        sizes: TileSizes,
        op: StoreOp,
        walk: Any,
        in_flight: int,
        port_bytes: int | None,
        ports: dict[str, Any],
    ) -> None:
        """Make the ports, of which `ports` reach what is stored; `walk` counts through the words of an op."""
        check_at_least("in_flight", in_flight, 1)
        self._word_bytes = engine.lanes * VALUE_BITS // 8
        self._port_bytes = port_bytes or self._word_bytes
        self._op, self._lanes, self._sizes, self._in_flight = op, engine.lanes, sizes, in_flight
        self._walk = walk
        Component.__init__(
            self,
            {
                "commands": In(stream.Signature(command(self._op, sizes.units))),
                "ready_counts": In(counts_layout(sizes.units)),
                "running": In(1),
                **ports,
                "requests": Out(stream.Signature(Request())),
                "words": Out(stream.Signature(self._handed)),
                "stored": In(1),
                "soon": Out(1),
                "spent": Out(spent_layout(1, sizes.units)),
            },
        )

    @property
    def _handed(self) -> Any:
        """What is handed over in a cycle."""
        return word(VALUE_BITS, self._lanes)

    def elaborate(self, platform: object) -> Module:
        """Request once, read word after word, wait until the memory has taken them."""
        m = Module()
        m.submodules.start = start = Wait(self._op, self._sizes.units, places=2)
        m.submodules.walk = walk = self._walk
        m.submodules.buffer = buffer = ReadBuffer(shape=self.words.payload.shape())
        connect(m, flipped(self.commands), start.i)
        for table, looked_up in zip(getattr(self, "tables", ()), getattr(walk, "tables", ()), strict=True):
            connect(m, flipped(table), looked_up)
        if self._sizes.is_part:
            connect(m, walk.share, flipped(self.share))
        op, active, asked, read = start.o.payload, Signal(), Signal(), Signal()
        asks, leaves = Signal(), Signal()
        m.d.comb += [
            start.counts.eq(self.ready_counts),
            active.eq(start.o.valid & self.running),
            start.o.ready.eq(leaves),
            walk.step.eq(op.step),
            walk.take.eq(active & ~read & buffer.free),
            self.requests.payload.address.eq(op.address),
            self.requests.payload.words.eq(walk.words),
            self.requests.valid.eq(active & ~asked),
            asks.eq(self.requests.valid & self.requests.ready),
            buffer.read.eq(walk.take),
            self.words.payload.eq(buffer.o.payload),
            self.words.valid.eq(buffer.o.valid),
            buffer.o.ready.eq(self.words.ready),
        ]
        m.d.sync += [
            asked.eq((asked | asks) & ~leaves),
            read.eq((read | (walk.take & walk.last)) & ~leaves),
            self.soon.eq(self.stored),
        ]
        works, done = walk.take, read | (walk.take & walk.last)
        if self._word_bytes != self._port_bytes:
            sizes = {"word_bytes": self._word_bytes, "port_bytes": self._port_bytes}
            works, moved = port_cycles(m, words=walk.words, active=active, leaves=leaves, **sizes)
            done = done & moved
        if self._in_flight == 1:
            m.d.comb += leaves.eq(active & self.stored)
        else:
            on_way = Signal(range(self._in_flight + 1))
            m.d.sync += on_way.eq(on_way + asks - self.stored)
            may = on_way + asks - self.stored < self._in_flight
            m.d.comb += leaves.eq(active & (asked | asks) & done & may)
        self._read(m, walk, op.step, buffer.item)
        count_cycles(
            m,
            self._sizes,
            self.spent,
            running=self.running,
            active=active,
            works=works,
            unmet=start.unmet,
        )
        return m

    def _read(self, m: Module, walk: Any, step: data.View, item: Any) -> None:
        """Address the word in front in its memory, and turn the answer into a word of the tape."""
        self._read_word(m, walk, step, item, self.memories, of_arrays(self.entries))

    def _read_word(
        self, m: Module, walk: Any, step: data.View, item: Any, memories: Any, entry_ports: list[Any]
    ) -> None:
        """Do so by these ports."""
        part, kept = Signal(TapePart), list[Any]()
        with m.If(walk.take):
            m.d.sync += part.eq(walk.part)
        if self._has_tape:
            kept.append((memories.tape, TapePart.TAPE, step.tape))
        if self._has_state:
            kept.append((memories.state, TapePart.STATE, step.state))
        for memory, of_memory, first in kept:
            m.d.comb += [memory.en.eq(walk.take & (walk.part == of_memory)), memory.addr.eq(first + walk.offset)]
        entries = (self._read_spikes if self._spikes else self._read_entries)(m, walk, *entry_ports)
        with m.Switch(part):
            for memory, of_memory, _ in kept:
                with m.Case(of_memory):
                    m.d.comb += [item[lane].eq(memory.data[lane]) for lane in range(self._lanes)]
            with m.Case(TapePart.X, TapePart.H):
                m.d.comb += Value.cast(item).eq(entries)
        if self._sizes.is_part:
            is_own = Signal()
            with m.If(walk.take):
                m.d.sync += is_own.eq(walk.is_own)
            with m.If(~is_own):
                m.d.comb += Value.cast(item).eq(0)

    def _read_entries(self, m: Module, walk: Any, entries: Any) -> Value:
        """Address the entries of the word in front, and return those of the one before as a word."""
        at_h, offset = walk.part == TapePart.H, walk.offset * self._word_entries
        x, h = self.tables
        m.d.comb += [
            entries.en.eq(walk.take & ((walk.part == TapePart.X) | at_h)),
            entries.addr.eq(Mux(at_h, h.place.base, x.place.base) + offset),
        ]
        return Cat(*(_values(entries.data[number]) for number in range(self._word_entries)))

    def _read_spikes(self, m: Module, walk: Any, spikes: Any, learning: Any) -> Value:
        """Address them in both rings; a word has what is left of the spikes, then gradient-only neurons."""
        at_h, offset = walk.part == TapePart.H, walk.offset * self._word_entries
        places, left = (
            [Value.cast(table.place) for table in self.tables],
            Signal(range(-(1 << INDEX_BITS), 1 << INDEX_BITS)),
        )
        place = data.View(self.tables[0].place.shape(), Mux(at_h, places[1], places[0]))
        m.d.comb += [
            *(port.en.eq(walk.take & ((walk.part == TapePart.X) | at_h)) for port in (spikes, learning)),
            spikes.addr.eq(place.base + offset),
            learning.addr.eq(place.learning_base - place.count + offset),
        ]
        with m.If(walk.take):
            m.d.sync += left.eq(place.count - offset)
        return Cat(
            Mux(left > number, spikes.data[number].index, learning.data[number].index)
            for number in range(self._word_entries)
        )


def _values(entry: data.View) -> Value:
    """Return an entry as two values of a word."""
    value = entry.value
    return Cat(entry.index, value, value[-1].replicate(VALUE_BITS - len(value)))
