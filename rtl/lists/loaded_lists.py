"""Lists that came back from off-chip memory: written a word of entries at a time, read like those of the encoder."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import Component, In, Out, Signature, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.rtl.lists.ports import ListPlace, list_port
from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two
from deltatrain.rtl.parts.layouts import Entry
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["ListPair", "LoadedLists", "pair_port"]


class ListPair(data.StructLayout):
    """The places of the two lists of a step; one that does not exist has no entries.

    Members
    -------
    x, h : ListPlace
        What fired in x, in h.
    """

    def __init__(self, entries: int, *, spikes: bool = False) -> None:
        super().__init__(dict.fromkeys(("x", "h"), ListPlace(entries, spikes)))


def pair_port(*, value_bits: int, entries: int, lists: int, word_entries: int, spikes: bool = False) -> Signature:
    """Return the port by which pairs of lists are written, seen from who keeps them.

    Members
    -------
    entries : Out(WritePort.Signature)
        Writes `word_entries` entries; the address counts such words.
    note : In(1), pair : In(unsigned), places : In(ListPair)
        In a cycle in which `note` is high the two lists of a pair are noted to be at `places`.
    """
    word = data.ArrayLayout(Entry(0 if spikes else value_bits), word_entries)
    return Signature(
        {
            "entries": Out(WritePort.Signature(addr_width=ceil_log2(entries // word_entries), shape=word)),
            "note": In(1),
            "pair": In(unsigned(ceil_log2(lists // 2))),
            "places": In(ListPair(entries, spikes=spikes)),
        }
    )


class LoadedLists(Component):
    """Keeps the lists of a few steps in pairs: list 2 n is the x of pair n, list 2 n + 1 its h.

    Parameters
    ----------
    value_bits
        Width of a value.
    entries
        Room for entries, a power of two.
    lists
        Numbers of lists, an even number.
    readers
        Read ports.
    word_entries
        Entries that are written at once, a power of two of at least 2; each list begins at a multiple of it.
    spikes
        Whether entries are of spikes and, behind them, of gradient-only neurons, by index alone. They are in the same
        words, so that the highest bit of an entry's address, which tells them apart, is not looked at.

    Attributes
    ----------
    write : Out(pair_port)
        Writes the lists.
    read : Out(list_port).array(readers)
        Each looks up a list in the same cycle, and reads an entry in the next.
    """

    def __init__(
        self, *, value_bits: int, entries: int, lists: int, readers: int, word_entries: int, spikes: bool = False
    ) -> None:
        check_power_of_two("word_entries", word_entries)
        check_at_least("word_entries", word_entries, 2)
        check_power_of_two("entries", entries)
        check_at_least("entries", entries, 2 * word_entries)
        check_at_least("lists", lists, 2)
        if lists % 2:
            raise ValueError(f"lists must be even, not {lists}")
        self._words, self._pairs, self._entry_bits = entries // word_entries, lists // 2, ceil_log2(word_entries)
        kept: dict[str, Any] = {"value_bits": value_bits, "entries": entries, "lists": lists, "spikes": spikes}
        write, read = pair_port(**kept, word_entries=word_entries), list_port(**kept)
        super().__init__({"write": Out(write), "read": Out(read).array(readers)})

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        write = self.write
        m.submodules.words = words = UncheckedMemory(shape=write.entries.data.shape(), depth=self._words)
        m.submodules.pairs = pairs = Memory(shape=write.places.shape(), depth=self._pairs, init=[])
        connect(m, words.write_port(), flipped(write.entries))
        note = pairs.write_port()
        m.d.comb += [note.en.eq(write.note), note.addr.eq(write.pair), note.data.eq(write.places)]
        for reader in self.read:
            table, ring = reader.table, reader.ring
            known = pairs.read_port(domain="comb")
            m.d.comb += known.addr.eq(table.list[1:])
            with m.If(table.list[0]):
                m.d.comb += table.place.eq(known.data.h)
            with m.Else():
                m.d.comb += table.place.eq(known.data.x)
            self._read(m, words.read_port(), ring)
        return m

    def _read(self, m: Module, word: ReadPort, ring: ReadPort) -> None:
        """Read the word that an entry is in, and choose when it answers."""
        entry = Signal(self._entry_bits)
        with m.If(ring.en):
            m.d.sync += entry.eq(ring.addr)
        row = ring.addr[self._entry_bits :][: len(word.addr)]
        m.d.comb += [word.en.eq(ring.en), word.addr.eq(row), ring.data.eq(word.data[entry])]
