"""Stores the words of a step of the tape that come back from off-chip memory."""

from __future__ import annotations

from amaranth.hdl import Module, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lists.loaded_lists import pair_port
from deltatrain.rtl.off_chip.shared_walk import SHARE, SharedWalk, walk_for
from deltatrain.rtl.off_chip.tape_walk import VALUE_BITS, TapePart, TapeStep, TapeWalk, entries_of_word
from deltatrain.rtl.parts.layouts import INDEX_BITS, word
from deltatrain.rtl.parts.tape_ports import TapePorts

__all__ = ["TapeLoad", "TapeLoadOp"]


class TapeLoadOp(data.StructLayout):
    """One step's tape to load.

    Members
    -------
    step : TapeStep
        Where it goes, and the numbers that its lists had when they were made.
    pair : unsigned
        The pair of loaded lists that they become.
    x, h : unsigned
        First word of each in the memory of loaded lists.
    """

    def __init__(self, sizes: TileSizes, lanes: int) -> None:
        entries = entries_of_word(lanes, spikes=bool(sizes.spikes))
        list_word = unsigned(ceil_log2(sizes.loaded_entries // entries))
        pair = unsigned(ceil_log2(sizes.loaded_lists // 2))
        super().__init__({"step": TapeStep(sizes), "pair": pair, "x": list_word, "h": list_word})


class TapeLoad(Component):
    """Writes each word to its place in the cycle in which it comes.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories.
    memories
        Write ports of the memories of tape and states.
    looks_up
        Whether the lengths of the lists are looked up while the step is loaded; else they are told.

    Attributes
    ----------
    op : In(TapeLoadOp)
        What is loaded, the same until its last word has come.
    words : In(stream.Signature(word))
        What comes; always ready.
    total : Out(unsigned(INDEX_BITS))
        Words of the step.
    last : Out(1)
        Its last word comes in this cycle.
    memories : In(memories)
        To the memories of what the element-wise unit made.
    tables : In(table_port).array(2)
        To the lists that the encoder made, whose lengths stay known; present if `looks_up`.
    counts, spikes : In(ArrayLayout(unsigned(INDEX_BITS), 2))
        The lengths of the lists of x and of h, 0 where there is none of h, and how many spikes are among them; present
        if not `looks_up`, the latter where neurons spike.
    lists : In(pair_port)
        To the loaded lists.
    share : Out(SHARE)
        In one of several tiles its words among those of all, which come to every tile (`rtl.off_chip.shared_walk`).
    is_active : In(1)
        Whether `op` is being loaded; the places of its lists are noted then.
    """

    def __init__(self, *, engine: Engine, sizes: TileSizes, memories: TapePorts, looks_up: bool = True) -> None:
        self._lanes, self._spikes = engine.lanes, bool(sizes.spikes)
        self._word_entries = entries_of_word(engine.lanes, spikes=self._spikes)
        op = TapeLoadOp(sizes, engine.lanes)
        self._walk = walk_for(sizes, engine.lanes)
        self._has_tape, self._has_state, self._looks_up = memories.has_tape, memories.has_state, looks_up
        lists = pair_port(
            value_bits=engine.formats.activation.bits,
            entries=sizes.loaded_entries,
            lists=sizes.loaded_lists,
            word_entries=self._word_entries,
            spikes=self._spikes,
        )
        both = data.ArrayLayout(unsigned(INDEX_BITS), 2)
        lengths = {"counts": In(both), **({"spikes": In(both)} if self._spikes else {})}
        super().__init__(
            {
                "op": In(op),
                "words": In(stream.Signature(word(VALUE_BITS, engine.lanes))),
                "total": Out(unsigned(INDEX_BITS)),
                "last": Out(1),
                "memories": In(memories),
                **({"tables": self._walk.signature.members["tables"]} if looks_up else lengths),
                "lists": In(lists),
                **({"share": Out(SHARE)} if sizes.is_part else {}),
                "is_active": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Follow the words through the parts of the tape."""
        m = Module()
        m.submodules.walk = walk = self._walk
        if self._looks_up:
            for table, looked_up in zip(self.tables, walk.tables, strict=True):
                connect(m, flipped(table), looked_up)
        else:
            self._tell(m, [table.place for table in walk.tables])
        op, came, values = self.op, self._comes(m, walk), self.words.payload
        lists = self.lists
        is_x, is_h = (walk.part == part for part in (TapePart.X, TapePart.H))
        m.d.comb += [
            self.words.ready.eq(1),
            walk.step.eq(op.step),
            walk.take.eq(self.words.valid),
            self.total.eq(walk.words),
            self.last.eq(self.words.valid & walk.last),
            lists.entries.en.eq(came & (is_x | is_h)),
            lists.note.eq(self.is_active),
            lists.pair.eq(op.pair),
            lists.places.x.base.eq(op.x * self._word_entries),
            lists.places.h.base.eq(op.h * self._word_entries),
        ]
        for number, place in enumerate((lists.places.x, lists.places.h)):
            if not self._spikes:
                m.d.comb += place.count.eq(walk.counts[number])
                continue
            m.d.comb += [  # the gradient-only neurons lie behind the spikes, in the same words
                place.count.eq(walk.spikes[number]),
                place.learning.eq(walk.counts[number] - walk.spikes[number]),
                place.learning_base.eq(place.base + walk.spikes[number]),
            ]
        with m.If(is_h):
            m.d.comb += lists.entries.addr.eq(op.h + walk.offset)
        with m.Else():
            m.d.comb += lists.entries.addr.eq(op.x + walk.offset)
        for number in range(self._word_entries):
            entry = lists.entries.data[number]
            if self._spikes:
                m.d.comb += entry.index.eq(values[number])
            else:
                m.d.comb += [entry.index.eq(values[2 * number]), entry.value.eq(values[2 * number + 1])]
        self._keep(m, walk, came)
        return m

    def _comes(self, m: Module, walk: TapeWalk | SharedWalk) -> Value:
        """Return whether a word comes that is this tile's."""
        if not isinstance(walk, SharedWalk):
            return self.words.valid
        connect(m, walk.share, flipped(self.share))
        return self.words.valid & walk.is_own

    def _tell(self, m: Module, places: list[data.View]) -> None:
        """Tell the walk the lengths of the lists."""
        for number, place in enumerate(places):
            if self._spikes:
                spikes = self.spikes[number]
                m.d.comb += [place.count.eq(spikes), place.learning.eq(self.counts[number] - spikes)]
            else:
                m.d.comb += place.count.eq(self.counts[number])

    def _keep(self, m: Module, walk: TapeWalk | SharedWalk, came: Value) -> None:
        """Write values to the memories of the tape and of states, of which the cell has either or both."""
        step, values = self.op.step, self.words.payload
        kept = []
        if self._has_tape:
            kept.append((self.memories.tape, TapePart.TAPE, step.tape))
        if self._has_state:
            kept.append((self.memories.state, TapePart.STATE, step.state))
        for memory, part, first in kept:
            m.d.comb += [
                memory.en.eq(came & (walk.part == part)),
                memory.addr.eq(first + walk.offset),
                *(memory.data[lane].eq(values[lane]) for lane in range(self._lanes)),
            ]
