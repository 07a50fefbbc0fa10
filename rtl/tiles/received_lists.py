"""Lists as they came from all tiles: each tile keeps the same, and counts the entries that are its own."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory, WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.engine import Formats
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lists.ports import ListPlace, list_port
from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry
from deltatrain.rtl.tiles.exchange_op import Arrival, ExchangeKind
from deltatrain.rtl.tiles.part import Part

__all__ = ["ReceivedLists"]


class ReceivedLists(Component):
    """Writes each arrival where its op says, and notes a list's place and length when the last entry has come.

    Where neurons spike, spikes and gradient-only neurons go to the two halves of the memory, as in
    `rtl.lists.spike_store`: each tile's come with its spikes first, and a reader has all spikes first.

    Parameters
    ----------
    formats
        Of the engine.
    sizes
        Of the tile's memories.
    part
        Which tile this is.

    Attributes
    ----------
    arrival : In(Arrival)
        From the exchange; always taken.
    read : Out(list_port)
        Looks up a list in the same cycle, from the cycle after its last arrival on; reads an entry in the next.
    own : Out(unsigned(INDEX_BITS))
        How many entries of the list that is looked up are elements of this tile.
    """

    def __init__(self, *, formats: Formats, sizes: TileSizes, part: Part) -> None:
        self._entries, self._lists, self._part = sizes.received_entries, sizes.received_lists, part
        check_at_least("received_lists", self._lists, 2)
        check_at_least("received_entries", self._entries, 2)
        check_power_of_two("received_entries", self._entries)
        self._spikes = bool(sizes.spikes)
        self._entry = Entry(0 if self._spikes else formats.activation.bits)
        kept: dict[str, Any] = {"value_bits": formats.activation.bits, "entries": self._entries, "lists": self._lists}
        super().__init__(
            {
                "arrival": In(Arrival(formats, sizes)),
                "read": Out(list_port(**kept, spikes=self._spikes)),
                "own": Out(unsigned(INDEX_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        arrival, comes, ends = self.arrival, Signal(), Signal()
        m.submodules.entries = entries = Memory(shape=self._entry, depth=self._entries << self._spikes, init=[])
        connect(m, entries.read_port(), flipped(self.read.ring))
        write = entries.write_port()
        m.d.comb += [
            comes.eq(arrival.work & (arrival.kind == ExchangeKind.LIST)),
            ends.eq(arrival.ends & (arrival.kind == ExchangeKind.LIST)),
            write.en.eq(comes),
            write.data.index.eq(arrival.index),
        ]
        if not self._spikes:
            m.d.comb += [write.addr.eq(arrival.place + arrival.number), write.data.value.eq(arrival.value)]
        own = _counted(m, "own", comes & (arrival.tile == self._part.number), ends)
        known = data.StructLayout({"place": ListPlace(self._entries, self._spikes), "own": unsigned(INDEX_BITS)})
        m.submodules.table = table = Memory(shape=known, depth=self._lists, init=[])
        note, read = table.write_port(), table.read_port(domain="comb")
        m.d.comb += [
            note.en.eq(ends),
            note.addr.eq(arrival.list),
            note.data.place.base.eq(arrival.place),
            note.data.own.eq(own),
            read.addr.eq(self.read.table.list),
            self.read.table.place.eq(read.data.place),
            self.own.eq(read.data.own),
        ]
        if self._spikes:
            self._part_spikes(m, comes, ends, write, note.data.place)
        else:
            m.d.comb += note.data.place.count.eq(arrival.number + comes)
        return m

    def _part_spikes(self, m: Module, comes: Value, ends: Value, write: WritePort, place: data.View) -> None:
        """Write spikes to one half of the memory, gradient-only neurons to the other, both from the list's place on."""
        learns, at = self.arrival.value == 0, self.arrival.place
        spikes, learning = _counted(m, "spikes", comes & ~learns, ends), _counted(m, "learning", comes & learns, ends)
        number = Mux(learns, learning, spikes) - 1
        m.d.comb += [
            write.addr.eq(Cat((at + number)[: len(at)], learns)),
            place.count.eq(spikes),
            place.learning.eq(learning),
            place.learning_base.eq(at),
        ]


def _counted(m: Module, name: str, comes: Value, ends: Value) -> Signal:
    """Return how many items of a list have come, one of this cycle with them; the next list begins after `ends`."""
    before, count = Signal(INDEX_BITS, name=f"{name}_before"), Signal(INDEX_BITS, name=name)
    m.d.comb += count.eq(before + comes)
    m.d.sync += before.eq(Mux(ends, 0, count))
    return count
