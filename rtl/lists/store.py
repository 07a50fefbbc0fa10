"""The encoder's lists: a ring of entries, and a table that says where in it each list is."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.rtl.lists.entry_ring import EntryRing
from deltatrain.rtl.lists.ports import ListPlace, list_port, table_port
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry
from deltatrain.rtl.parts.of_arrays import of_arrays

__all__ = ["ListStore"]


class ListStore(Component):
    """Appends the encoder's lists to a ring of entries, and notes first entry and length of each under its number.

    A list's length says where the list ends, and comes after its last entry. Entries of later lists may have come by
    then too, so each list begins where the list before it ended. An empty list has no entry.

    Nothing detects an overflow of the ring: a new entry overwrites the one that is `entries` older. An encode op must
    therefore wait until all lists that may still be read, and the vectors that are being encoded, counted whole, have
    at most `entries` elements together. Likewise, a number may be used again once its list is no longer read.

    Parameters
    ----------
    value_bits
        Width of a value.
    entries
        Depth of the ring, a power of two of at least 2.
    lists
        Numbers of lists, at least 2.
    readers
        Read ports of ring and table.
    lookups
        Further read ports of the table.
    word_entries
        Entries that are read at once by one further port of the ring, see `rtl.lists.entry_ring`; 1 if there is none.
    word_readers
        How many such ports there are; an array if more than one.
    is_placed
        Whether each list begins at a place of its own, instead of behind the one before: for lists that are kept while
        others come and go.

    Attributes
    ----------
    lists : In(stream.Signature(unsigned))
        The number of each list, in the order in which they are written, taken with the list's length. If a number comes
        late, its length waits, and in the end the encoder does too; nothing is lost.
    entries : In(stream.Signature(Entry(value_bits)))
        The entries; one is taken in any cycle.
    counts : In(stream.Signature(unsigned(INDEX_BITS)))
        The length of each list, not before its last entry; taken at once if the list's number is there.
    written : Out(1)
        High in the cycle after a length was taken: from this cycle on table and ring can be asked for the list.
    read : Out(list_port).array(readers)
        Each looks up a list in the same cycle, and reads an entry in the next.
    lookups : Out(table_port).array(lookups)
        Each looks up a list in the same cycle.
    read_word : Out(word_port)
        Reads `word_entries` entries in the next cycle; present if `word_entries` is more than 1.
    place, list_ends : In(unsigned), In(1)
        Where the list begins whose entries come; the last of them comes in this cycle, or there is none. The list's
        length is offered in the next cycle and taken then. Present if `is_placed`.
    """

    def __init__(
        self,
        *,
        value_bits: int,
        entries: int,
        lists: int,
        readers: int,
        lookups: int = 0,
        word_entries: int = 1,
        word_readers: int = 1,
        is_placed: bool = False,
    ) -> None:
        check_at_least("lists", lists, 2)
        check_at_least("lookups", lookups, 0)
        self._depth, self._lists, self._reads_words = entries, lists, word_entries > 1
        self._is_placed = is_placed
        placed = {"place": In(ceil_log2(entries)), "list_ends": In(1)}
        words: dict[str, Any] = {"word_entries": word_entries, "word_readers": word_readers}
        self._ring = EntryRing(value_bits=value_bits, entries=entries, readers=readers, **words)
        of_ring = self._ring.signature.members
        super().__init__(
            {
                "lists": In(stream.Signature(unsigned(ceil_log2(lists)))),
                "entries": In(stream.Signature(Entry(value_bits))),
                "counts": In(stream.Signature(unsigned(INDEX_BITS))),
                "written": Out(1),
                "read": Out(list_port(value_bits=value_bits, entries=entries, lists=lists)).array(readers),
                "lookups": Out(table_port(entries=entries, lists=lists)).array(lookups),
                **({"read_word": of_ring["read_word"]} if self._reads_words else {}),
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
        """Write each entry behind the one before."""
        m.submodules.ring = ring = self._ring
        for port, inside in zip(self.read, ring.read, strict=True):
            connect(m, inside, flipped(port.ring))
        if self._reads_words:
            for port, inside in zip(of_arrays(self.read_word), of_arrays(ring.read_word), strict=True):
                connect(m, inside, flipped(port))
        write = ring.write
        pointer = Signal.like(write.addr)
        m.d.comb += [
            self.entries.ready.eq(1),
            write.en.eq(self.entries.valid),
            write.addr.eq(self.place + pointer if self._is_placed else pointer),
            write.data.eq(self.entries.payload),
        ]
        if self._is_placed:
            m.d.sync += pointer.eq(Mux(self.list_ends, 0, pointer + self.entries.valid))
        else:
            m.d.sync += pointer.eq(pointer + self.entries.valid)

    def _note(self, m: Module) -> None:
        """Write the table when the length of a list comes."""
        m.submodules.table = table = Memory(shape=ListPlace(self._depth), depth=self._lists, init=[])
        for port in (*(reader.table for reader in self.read), *self.lookups):
            read = table.read_port(domain="comb")
            m.d.comb += [read.addr.eq(port.list), port.place.eq(read.data)]
        write = table.write_port()
        base = Signal.like(write.data.base)
        ends = Signal()
        m.d.comb += [
            ends.eq(self.counts.valid & self.lists.valid),
            self.counts.ready.eq(self.lists.valid),
            self.lists.ready.eq(self.counts.valid),
            write.en.eq(ends),
            write.addr.eq(self.lists.payload),
            write.data.base.eq(base),
            write.data.count.eq(self.counts.payload),
        ]
        m.d.sync += self.written.eq(ends)
        if self._is_placed:
            with m.If(self.list_ends):
                m.d.sync += base.eq(self.place)
            return
        with m.If(ends):
            m.d.sync += base.eq(base + self.counts.payload)
