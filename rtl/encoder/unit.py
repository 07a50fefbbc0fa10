"""The encoder with what feeds it: vectors in, lists out, each op when all it waits for is done."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import encode
from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import UnitCounters, spent_layout
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.encoder.delta_encoder import DeltaEncoder
from deltatrain.rtl.encoder.op import EncoderOp
from deltatrain.rtl.encoder.value_feed import ValueFeed
from deltatrain.rtl.lists.store import ListStore
from deltatrain.rtl.parts.delay import delayed

__all__ = ["EncoderUnit"]

_AHEAD = 4
"""Ops whose vectors may be read before the encoder takes them."""

_READ = ("table", "ring", "read_word")
"""Ports to read the lists."""


class EncoderUnit(Component):
    """Reads vectors from the cycle of `soon` on, so that the encoder has the first word when the op may start.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.
    readers
        Readers of the lists.
    lookups
        Those who only ask for their lengths and places.
    word_entries
        Entries that one further reader takes at once, 1 if there is none, see `rtl.lists.entry_ring`.

    Attributes
    ----------
    commands : In(stream.Signature(command(EncoderOp)))
        What to encode.
    soon_counts, done_counts : In(counts_layout)
        From `rtl.commands.waits.DoneCounts`.
    running : In(1)
        Whether ops may start.
    x, h : In(ReadPort.Signature)
        To the memories of vectors.
    table : Out(table_port).array(readers + lookups), ring : Out(ring_port).array(readers), read_word : Out(word_port)
        To read the lists, see `rtl.lists.store`.
    ended : Out(1), all_ended : In(1)
        Of one tile of several, see `rtl.encoder.delta_encoder`.
    soon : Out(1)
        The list of the oldest op that was not announced yet is written.
    spent : Out(spent_layout)
        Busy and stalled cycles.
    """

    def __init__(
        self, *, engine: Engine, sizes: TileSizes, readers: int, lookups: int = 0, word_entries: int = 1
    ) -> None:
        bits, lanes = engine.formats.activation.bits, engine.lanes
        self._op, self._sizes = EncoderOp(engine, sizes), sizes
        self._feed = ValueFeed(value_bits=bits, lanes=lanes, x_words=sizes.input_words, h_words=sizes.vector_words)
        self._encoder = DeltaEncoder(elements=lanes, value_bits=bits, depth=sizes.held_words, is_part=sizes.is_part)
        self._store = ListStore(
            value_bits=bits,
            entries=sizes.list_entries,
            lists=sizes.lists,
            readers=readers,
            lookups=lookups,
            word_entries=word_entries,
        )
        self._read = {name: member for name, member in self._store.signature.members.items() if name in _READ}
        meeting = {name: self._encoder.signature.members[name] for name in ("ended", "all_ended") if sizes.is_part}
        super().__init__(
            {
                "commands": In(stream.Signature(command(self._op, sizes.units))),
                "soon_counts": In(counts_layout(sizes.units)),
                "done_counts": In(counts_layout(sizes.units)),
                "running": In(1),
                "x": self._feed.signature.members["x"],
                "h": self._feed.signature.members["h"],
                **self._read,
                **meeting,
                "soon": Out(1),
                "spent": Out(spent_layout(1, sizes.units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Let the feed begin early and the encoder start in time."""
        m = Module()
        m.submodules.begin = begin = Begin(self._op, ahead=_AHEAD, units=self._sizes.units)
        m.submodules.feed = feed = self._feed
        m.submodules.start = start = Wait(self._op, self._sizes.units)
        m.submodules.encoder = encoder = self._encoder
        connect(m, flipped(self.commands), begin.commands)
        connect(m, begin.later, start.i)
        connect(m, feed.values, encoder.values)
        connect(m, flipped(self.x), feed.x)
        connect(m, flipped(self.h), feed.h)
        m.d.comb += [
            begin.soon_counts.eq(self.soon_counts),
            begin.has_room.eq(1),
            begin.item.eq(begin.commands.payload),
            feed.ops.payload.eq(begin.op.feed),
            feed.ops.valid.eq(begin.reads),
            begin.read.eq(feed.ops.ready),
            start.counts.eq(self.done_counts),
            encoder.ops.payload.eq(start.o.payload.encoder),
            encoder.ops.valid.eq(start.o.valid & self.running),
            start.o.ready.eq(encoder.ops.ready & self.running),
        ]
        if self._sizes.is_part:
            m.d.comb += [self.ended.eq(encoder.ended), encoder.all_ended.eq(self.all_ended)]
        self._list(m, start, Cat(encoder.ops.valid & encoder.ops.ready))
        self._count(m, start)
        return m

    def _list(self, m: Module, start: Wait, taken: Value) -> None:
        """Store the lists under the numbers of their ops."""
        m.submodules.store = store = self._store
        m.submodules.numbers = numbers = SyncFIFO(width=len(store.lists.payload), depth=_AHEAD + 4)
        connect(m, self._encoder.entries, store.entries)
        connect(m, self._encoder.counts, store.counts)
        m.d.comb += [
            numbers.w_data.eq(start.o.payload.list),
            numbers.w_en.eq(taken),
            store.lists.payload.eq(numbers.r_data),
            store.lists.valid.eq(numbers.r_rdy),
            numbers.r_en.eq(store.lists.ready),
            self.soon.eq(store.written),
        ]
        for port, inside in zip((*self.table, *self.ring), (*store.table, *store.ring), strict=True):
            connect(m, flipped(port), inside)
        if hasattr(store, "read_word"):
            connect(m, flipped(self.read_word), store.read_word)

    def _count(self, m: Module, start: Wait) -> None:
        """Count as busy what keeps the next op from its turn, and that is the handing over of entries."""
        m.submodules.counters = counters = UnitCounters(units=self._sizes.units)
        m.d.comb += [
            counters.running.eq(delayed(m, self.running, encode.PIPELINE_CYCLES)),
            counters.active.eq(self._encoder.emits),
            counters.works.eq(1),
            counters.unmet.eq(delayed(m, start.unmet, encode.PIPELINE_CYCLES)),
            self.spent.eq(counters.spent),
        ]
