"""The encoder unit: reads vectors, and writes the lists of what fired."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import encode
from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import count_cycles, spent_layout
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.elementwise.listed_cap import room_port
from deltatrain.rtl.encoder.delta_encoder import DeltaEncoder
from deltatrain.rtl.encoder.op import EncoderOp
from deltatrain.rtl.encoder.spike_encoder import SpikeEncoder
from deltatrain.rtl.encoder.value_feed import ValueFeed
from deltatrain.rtl.lists.array_store import ArrayListStore
from deltatrain.rtl.lists.emitter import BARRIER
from deltatrain.rtl.lists.group_store import GroupListStore
from deltatrain.rtl.lists.spike_store import SpikeListStore
from deltatrain.rtl.lists.store import ListStore
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.of_arrays import of_arrays

__all__ = ["EncoderUnit"]

_HELD = ("held", "new_held")

_AHEAD = 4
"""Ops whose vectors may be read before the encoder takes them."""


class EncoderUnit(Component):
    """Reads vectors as soon as they are stored, so that the encoder has the first word when the op may start.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.
    readers
        Readers of the lists; of several arrays each reads those of its own. Where there are groups each has a port to
        each store.
    lookups
        Further readers, which only look up lengths and places.
    word_entries
        Entries that one further reader takes at once, see `rtl.lists.entry_ring`; 1 if there is no such reader. Of a
        spiking network there are two such readers, see `rtl.lists.spike_store`.

    Attributes
    ----------
    commands : In(stream.Signature(command(EncoderOp)))
        What to encode.
    soon_counts, ready_counts : In(counts_layout)
        From `rtl.commands.waits.DoneCounts`.
    running : In(1)
        Whether ops may start.
    x, h : In(ReadPort.Signature)
        To the memories of vectors.
    read : Out(list_port).array(readers), lookups : Out(table_port).array(lookups), read_word : Out(word_port)
        To read the lists, see `rtl.lists.store`; of several arrays `rtl.lists.array_store`.
    barrier : Out(BARRIER)
        For one tile of several, see `rtl.encoder.delta_encoder`; present if the tile is one.
    held, new_held : Out(ReadPort.Signature), Out(WritePort.Signature)
        The held values, see there; present where they are restored.
    rooms : In(room_port)
        What room the spikes of a step left for gradient-only neurons; present where lists have a cap.
    soon : Out(1)
        High for one cycle for each op, in order: its list is written.
    spent : Out(spent_layout)
        Busy and stalled cycles.
    """

    def __init__(
        self, *, engine: Engine, sizes: TileSizes, readers: int, lookups: int = 0, word_entries: int = 1
    ) -> None:
        bits, elements = engine.formats.activation.bits, engine.encoder_elements
        vectors = {"x_words": sizes.input_words, "h_words": sizes.vector_words}
        self._op, self._sizes = EncoderOp(engine, sizes), sizes
        self._feed = ValueFeed(value_bits=bits, lanes=engine.lanes, elements=elements, **vectors)
        self._encoder: DeltaEncoder | SpikeEncoder = (
            SpikeEncoder(
                elements=elements,
                value_bits=bits,
                depth=sizes.held_words,
                is_part=sizes.is_part,
                arrays=engine.arrays,
                has_cap=bool(sizes.rooms),
            )
            if sizes.spikes
            else DeltaEncoder(
                elements=elements,
                value_bits=bits,
                depth=sizes.held_words,
                is_part=sizes.is_part,
                arrays=engine.arrays,
                restores=sizes.restores_sums,
                tells_ends=sizes.group_steps > 1,
            )
        )
        kept = {"value_bits": bits, "entries": sizes.list_entries, "lists": sizes.lists}
        ports = {"readers": readers, "lookups": lookups, "word_entries": word_entries}
        ports |= {"word_readers": sizes.store_words} if word_entries > 1 else {}
        self._store: ListStore | ArrayListStore | SpikeListStore | GroupListStore
        if sizes.group_steps > 1:
            self._store = GroupListStore(**kept, steps=sizes.group_steps, readers=readers)
        elif engine.arrays > 1:
            self._store = ArrayListStore(**kept, **ports, arrays=engine.arrays, spikes=bool(sizes.spikes))
        elif sizes.spikes:
            self._store = SpikeListStore(
                entries=sizes.list_entries, lists=sizes.lists, **ports, is_placed=sizes.keeps_states
            )
        else:
            self._store = ListStore(**kept, **ports, is_placed=sizes.keeps_states)
        self._reads_words = word_entries > 1
        feed, store = self._feed.signature.members, self._store.signature.members
        super().__init__(
            {
                "commands": In(stream.Signature(command(self._op, sizes.units))),
                "soon_counts": In(counts_layout(sizes.units)),
                "ready_counts": In(counts_layout(sizes.units)),
                "running": In(1),
                "x": feed["x"],
                "h": feed["h"],
                "read": store["read"],
                **({"lookups": store["lookups"]} if "lookups" in store else {}),
                **({"read_word": store["read_word"]} if self._reads_words else {}),
                **({"barrier": Out(BARRIER)} if sizes.is_part else {}),
                **{name: self._encoder.signature.members[name] for name in _HELD if sizes.restores_sums},
                **({"rooms": In(room_port(sizes.rooms))} if sizes.rooms else {}),
                "soon": Out(1),
                "spent": Out(spent_layout(1, sizes.units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Let the feed begin early and the encoder start in time."""
        m = Module()
        m.submodules.begin = begin = Begin(self._op, ahead=_AHEAD, units=self._sizes.units)
        m.submodules.feed = feed = self._feed
        m.submodules.start = start = Wait(self._op, self._sizes.units, places=2)
        m.submodules.encoder = encoder = self._encoder
        connect(m, flipped(self.commands), begin.commands)
        connect(m, begin.later, start.i)
        connect(m, feed.values, encoder.values)
        for name in ("x", "h"):
            ports, inside = getattr(self, name), getattr(feed, name)
            is_one = not isinstance(ports, list)
            for port, reader in zip([ports] if is_one else ports, [inside] if is_one else inside, strict=True):
                connect(m, flipped(port), reader)
        m.d.comb += [
            begin.soon_counts.eq(self.soon_counts),
            begin.has_room.eq(1),
            begin.item.eq(begin.op),
            feed.ops.payload.eq(begin.op.feed),
            feed.ops.valid.eq(begin.reads),
            begin.read.eq(feed.ops.ready),
            start.counts.eq(self.ready_counts),
            encoder.ops.payload.eq(start.o.payload.encoder),
            encoder.ops.valid.eq(start.o.valid & self.running),
            start.o.ready.eq(encoder.ops.ready & self.running),
        ]
        if self._sizes.rooms:
            m.d.comb += [self.rooms.row.eq(start.o.payload.row), encoder.room.eq(self.rooms.room)]
        if self._sizes.is_part:
            connect(m, encoder.barrier, flipped(self.barrier))
        if self._sizes.restores_sums:
            for name in _HELD:
                connect(m, getattr(encoder, name), flipped(getattr(self, name)))
        if self._sizes.keeps_states:
            self._place(m, start, "place")
        elif self._sizes.group_steps > 1:
            self._place(m, start, "step")
        self._list(m, start, Cat(encoder.ops.valid & encoder.ops.ready))
        self._count(m, start)
        return m

    def _list(self, m: Module, start: Wait, taken: Value) -> None:
        """Store the lists under the numbers of their ops."""
        m.submodules.store = store = self._store
        m.submodules.numbers = numbers = SyncFIFO(width=len(Value.cast(store.lists.payload)), depth=_AHEAD + 4)
        connect(m, self._encoder.entries, store.entries)
        connect(m, self._encoder.counts, store.counts)
        m.d.comb += [
            numbers.w_data.eq(self._number(start.o.payload)),
            numbers.w_en.eq(taken),
            Value.cast(store.lists.payload).eq(numbers.r_data),
            store.lists.valid.eq(numbers.r_rdy),
            numbers.r_en.eq(store.lists.ready),
            self.soon.eq(store.written),
        ]
        for kind in ("read", "lookups"):
            for port, inside in zip(getattr(self, kind, ()), getattr(store, kind, ()), strict=True):
                connect(m, flipped(port), inside)
        if self._reads_words:
            for port, inside in zip(of_arrays(self.read_word), of_arrays(store.read_word), strict=True):
                connect(m, flipped(port), inside)

    def _number(self, op: data.View) -> Value:
        """Return the number of an op's list, and its store, if there are several."""
        return Cat(op.list, op.step) if self._sizes.group_steps > 1 else Value.cast(op.list)

    def _place(self, m: Module, start: Wait, name: str) -> None:
        """Say where the list is whose entries are being written: that of the oldest op whose list has not ended.

        That is its first entry's place, or its store, by the name of the op's member.
        """
        place, store, op = getattr(start.o.payload, name), self._store, self._encoder.ops
        m.submodules.places = places = SyncFIFO(width=len(place), depth=_AHEAD + 5)
        # An op stays at the port until its last element is read; its first entries leave before that if it is wide.
        noted = Signal()
        with m.If(op.valid):
            m.d.sync += noted.eq(~op.ready)
        m.d.comb += [
            places.w_data.eq(place),
            places.w_en.eq(op.valid & ~noted),
            places.r_en.eq(self._encoder.list_ends),
            getattr(store, name).eq(places.r_data),
        ]
        if name == "place":
            m.d.comb += store.list_ends.eq(self._encoder.list_ends)

    def _count(self, m: Module, start: Wait) -> None:
        """Count cycles as busy while entries are handed over, since that is what the next op waits for."""
        count_cycles(
            m,
            self._sizes,
            self.spent,
            running=delayed(m, self.running, encode.PIPELINE_CYCLES),
            active=self._encoder.emits,
            works=1,
            unmet=delayed(m, start.unmet, encode.PIPELINE_CYCLES),
        )
