"""Lists that came back from off-chip memory, dealt out to several arrays as they come."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import Component, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.lists.loaded_lists import pair_port
from deltatrain.rtl.lists.ports import list_port
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.division import divided
from deltatrain.rtl.parts.layouts import INDEX_BITS
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["ArrayLoadedLists"]


class ArrayLoadedLists(Component):
    """Keeps the lists of a few steps in pairs, of each array the entries of its own columns, in their order.

    A word brings entries of any arrays. Each array packs its own behind those that it has of the list, in the cycle in
    which they come: entry n of its part of a list is in bank n mod E of its memory, E being `word_entries`, so that all
    of a word may be written at once. It counts them on the way, as nobody else knows how many it has.

    Parameters
    ----------
    value_bits, entries, lists, word_entries
        As of `rtl.lists.loaded_lists.LoadedLists`: of each array, as all entries may be of one.
    readers
        Read ports, those of all arrays together.
    arrays
        A, at least 2.

    Attributes
    ----------
    write : Out(pair_port)
        Writes whole lists: the words of a pair in their order, those of x first, and `note` is high with each. In
        memory the list of h begins behind that of x.
    read : Out(list_port).array(readers)
        As of `rtl.lists.loaded_lists.LoadedLists`; port r is of array r mod A.
    """

    def __init__(
        self, *, value_bits: int, entries: int, lists: int, readers: int, word_entries: int, arrays: int
    ) -> None:
        check_at_least("arrays", arrays, 2)
        self._arrays, self._rows, self._pairs = arrays, entries // word_entries, lists // 2
        self._word_entries, self._entry_bits = word_entries, ceil_log2(word_entries)
        kept: dict[str, Any] = {"value_bits": value_bits, "entries": entries, "lists": lists}
        write, read = pair_port(**kept, word_entries=word_entries), list_port(**kept)
        super().__init__({"write": Out(write), "read": Out(read).array(readers)})

    def elaborate(self, platform: object) -> Module:
        """Find out which entries of a word are any; let each array pick its own."""
        m = Module()
        write, places = self.write, self.write.places
        in_word = range(self._word_entries)
        is_h, first = Signal(), Signal(range(self._rows * self._word_entries))
        count, there = Signal(INDEX_BITS), Signal(self._word_entries)
        m.d.comb += [
            is_h.eq(write.entries.addr >= places.h.base[self._entry_bits :]),
            first.eq((write.entries.addr << self._entry_bits) - Mux(is_h, places.h.base, places.x.base)),
            count.eq(Mux(is_h, places.h.count, places.x.count)),
            *(there[number].eq(write.entries.en & (first + number < count)) for number in in_word),
        ]
        for array in range(self._arrays):
            m.submodules[f"array_{array}"] = inside = Module()
            own = [there[number] & self._is_of(number, array) for number in in_word]
            self._keep(inside, array, own, is_h, first == 0)
        return m

    def _is_of(self, number: int, array: int) -> Value:
        """Return whether an entry of the word is of an array."""
        return divided(self.write.entries.data[number].index, self._arrays).remainder == array

    def _keep(self, m: Module, array: int, own: list[Value], is_h: Value, begins: Value) -> None:
        """Write the entries that are an array's own, note how many it has, and let them be read."""
        write, bank_bits = self.write, self._entry_bits
        before = [Signal(INDEX_BITS, name=f"before_{name}") for name in "xh"]
        of_list = Signal(INDEX_BITS)
        m.d.comb += of_list.eq(Mux(begins, 0, Mux(is_h, before[1], before[0])))
        places = [Signal(INDEX_BITS, name=f"place_{number}") for number in range(self._word_entries + 1)]
        m.d.comb += places[0].eq(of_list)
        m.d.comb += [after.eq(place + one) for after, place, one in zip(places[1:], places[:-1], own, strict=True)]
        row = Mux(is_h, write.places.h.base, write.places.x.base)[bank_bits:]
        memories = []
        for bank in range(self._word_entries):
            m.submodules[f"bank_{bank}"] = memory = UncheckedMemory(
                shape=write.entries.data[0].shape(), depth=self._rows
            )
            port = memory.write_port()
            for number, one in enumerate(own):
                with m.If(one & (places[number][:bank_bits] == bank)):
                    m.d.comb += [
                        port.en.eq(1),
                        port.addr.eq(row + places[number][bank_bits:]),
                        port.data.eq(write.entries.data[number]),
                    ]
            memories.append(memory)
        self._note(m, array, places[-1], before, is_h)
        for ring in (port.ring for port in self.read[array :: self._arrays]):
            self._read(m, memories, ring)

    def _note(self, m: Module, array: int, after: Value, before: list[Signal], is_h: Value) -> None:
        """Note where the lists of a pair are, and how many entries of them the array has."""
        write = self.write
        m.submodules.pairs = pairs = Memory(shape=write.places.shape(), depth=self._pairs, init=[])
        note = pairs.write_port()
        m.d.comb += [
            note.en.eq(write.note),
            note.addr.eq(write.pair),
            note.data.x.base.eq(write.places.x.base),
            note.data.h.base.eq(write.places.h.base),
        ]
        for number, counted in enumerate(before):
            comes, known = Signal(), note.data[("x", "h")[number]].count
            whole = write.places[("x", "h")[number]].count
            m.d.comb += [
                comes.eq(write.entries.en & (is_h == number)),
                known.eq(Mux(whole == 0, 0, Mux(comes, after, counted))),
            ]
            with m.If(comes):
                m.d.sync += counted.eq(after)
        for port in self.read[array :: self._arrays]:
            found = pairs.read_port(domain="comb")
            place = Mux(port.table.list[0], found.data.h.as_value(), found.data.x.as_value())
            m.d.comb += [found.addr.eq(port.table.list[1:]), port.table.place.as_value().eq(place)]

    def _read(self, m: Module, memories: list[UncheckedMemory], ring: ReadPort) -> None:
        """Address all banks, and choose when they answer."""
        bank, rows = Signal(self._entry_bits), ring.addr[self._entry_bits :]
        with m.If(ring.en):
            m.d.sync += bank.eq(ring.addr)
        for number, memory in enumerate(memories):
            port = memory.read_port()
            m.d.comb += [port.en.eq(ring.en), port.addr.eq(rows[: len(port.addr)])]
            with m.If(bank == number):
                m.d.comb += ring.data.eq(port.data)
