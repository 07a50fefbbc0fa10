"""The lists of a spiking network: rings of spikes and of gradient-only neurons, and a table of where each list is."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.rtl.lists.emitter import SIGN_BITS
from deltatrain.rtl.lists.entry_ring import EntryRing
from deltatrain.rtl.lists.ports import ListPlace, list_counts, list_port, table_port
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.layouts import Entry

__all__ = ["SpikeListStore"]


class SpikeListStore(Component):
    """Appends spikes to one ring and gradient-only neurons to the other, by index alone.

    So a reader has the spikes of a list before all else, and may stop behind them: only they add to M and to dW, while
    all that is listed learns. The two rings are the halves of one memory, as an entry is of one of them. All else is as
    of `rtl.lists.store.ListStore`.

    Parameters
    ----------
    entries
        Depth of each ring, a power of two of at least 2: all entries may be of either.
    lists
        Numbers of lists, at least 2.
    readers
        Read ports of rings and table.
    lookups, word_entries, word_readers, is_placed
        As of `rtl.lists.store.ListStore`; a list's place is the same in both rings.

    Attributes
    ----------
    lists, written, read, lookups, place, list_ends
        As of `rtl.lists.store.ListStore`. The highest bit of an entry's address says in which ring it is.
    read_word : Out(word_port).array(2)
        Each reads `word_entries` entries in the next cycle, of spikes and of gradient-only neurons; present if that is
        more than 1.
    entries : In(stream.Signature(Entry(SIGN_BITS)))
        The entries; one is taken in any cycle.
    counts : In(stream.Signature(list_counts(2)))
        How many spikes, and how many gradient-only neurons, each list has.
    """

    def __init__(
        self,
        *,
        entries: int,
        lists: int,
        readers: int,
        lookups: int = 0,
        word_entries: int = 1,
        word_readers: int = 1,
        is_placed: bool = False,
    ) -> None:
        check_at_least("lists", lists, 2)
        self._depth, self._lists, self._reads_words = entries, lists, word_entries > 1
        self._is_placed = is_placed
        placed = {"place": In(ceil_log2(entries)), "list_ends": In(1)}
        self._ring = EntryRing(
            value_bits=0,
            entries=2 * entries,
            readers=readers,
            word_entries=word_entries,
            halves=self._reads_words,
            word_readers=word_readers,
        )
        super().__init__(
            {
                "lists": In(stream.Signature(unsigned(ceil_log2(lists)))),
                "entries": In(stream.Signature(Entry(SIGN_BITS))),
                "counts": In(stream.Signature(list_counts(2))),
                "written": Out(1),
                "read": Out(list_port(value_bits=0, entries=entries, lists=lists, spikes=True)).array(readers),
                "lookups": Out(table_port(entries=entries, lists=lists, spikes=True)).array(lookups),
                **({"read_word": self._ring.signature.members["read_word"]} if self._reads_words else {}),
                **(placed if is_placed else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        self._append(m)
        self._note(m)
        return m

    def _append(self, m: Module) -> None:
        """Write each entry behind the one before of its ring."""
        m.submodules.ring = ring = self._ring
        for port, inside in zip(self.read, ring.read, strict=True):
            connect(m, inside, flipped(port.ring))
        for port, inside in zip(getattr(self, "read_word", ()), getattr(ring, "read_word", ()), strict=True):
            connect(m, inside, flipped(port))
        learns, write = self.entries.payload.value[-1], ring.write
        m.d.comb += [
            self.entries.ready.eq(1),
            write.en.eq(self.entries.valid),
            write.data.index.eq(self.entries.payload.index),
        ]
        for number in range(2):
            pointer = Signal(ceil_log2(self._depth), name=f"pointer_{number}")
            with m.If(learns == number):
                m.d.comb += write.addr.eq(Cat(self._at(pointer), learns))
                m.d.sync += pointer.eq(pointer + self.entries.valid)
            if self._is_placed:
                with m.If(self.list_ends):
                    m.d.sync += pointer.eq(0)

    def _at(self, pointer: Signal) -> Value:
        """Return where in its ring an entry is written: `pointer` counts in the list where that has a place."""
        return (self.place + pointer)[: len(pointer)] if self._is_placed else pointer

    def _note(self, m: Module) -> None:
        """Write the table when the lengths of a list come."""
        m.submodules.table = table = Memory(shape=ListPlace(self._depth, spikes=True), depth=self._lists, init=[])
        for port in (*(reader.table for reader in self.read), *self.lookups):
            read = table.read_port(domain="comb")
            m.d.comb += [read.addr.eq(port.list), port.place.eq(read.data)]
        write, ends = table.write_port(), Signal()
        m.d.comb += [
            ends.eq(self.counts.valid & self.lists.valid),
            self.counts.ready.eq(self.lists.valid),
            self.lists.ready.eq(self.counts.valid),
            write.en.eq(ends),
            write.addr.eq(self.lists.payload),
        ]
        m.d.sync += self.written.eq(ends)
        for number, (first, count) in enumerate((("base", "count"), ("learning_base", "learning"))):
            base = Signal(ceil_log2(self._depth), name=f"base_{number}")
            m.d.comb += [write.data[first].eq(base), write.data[count].eq(self.counts.payload[number])]
            if self._is_placed:
                with m.If(self.list_ends):
                    m.d.sync += base.eq(self.place)
            else:
                with m.If(ends):
                    m.d.sync += base.eq(base + self.counts.payload[number])
