"""Lists as they came from all tiles: each tile keeps the same, and counts the entries that are its own."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory
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
        self._entry = Entry(formats.activation.bits)
        super().__init__(
            {
                "arrival": In(Arrival(formats, sizes)),
                "read": Out(
                    list_port(value_bits=formats.activation.bits, entries=self._entries, lists=self._lists),
                ),
                "own": Out(unsigned(INDEX_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        arrival, comes, ends = self.arrival, Signal(), Signal()
        m.submodules.entries = entries = Memory(shape=self._entry, depth=self._entries, init=[])
        connect(m, entries.read_port(), flipped(self.read.ring))
        write = entries.write_port()
        m.d.comb += [
            comes.eq(arrival.work & (arrival.kind == ExchangeKind.LIST)),
            ends.eq(arrival.ends & (arrival.kind == ExchangeKind.LIST)),
            write.en.eq(comes),
            write.addr.eq(arrival.place + arrival.number),
            write.data.index.eq(arrival.index),
            write.data.value.eq(arrival.value),
        ]
        own_before, own = Signal(INDEX_BITS), Signal(INDEX_BITS)
        m.d.comb += own.eq(own_before + (comes & (arrival.tile == self._part.number)))
        m.d.sync += own_before.eq(Mux(ends, 0, own))

        known = data.StructLayout({"place": ListPlace(self._entries), "own": unsigned(INDEX_BITS)})
        m.submodules.table = table = Memory(shape=known, depth=self._lists, init=[])
        note, read = table.write_port(), table.read_port(domain="comb")
        m.d.comb += [
            note.en.eq(ends),
            note.addr.eq(arrival.list),
            note.data.place.base.eq(arrival.place),
            note.data.place.count.eq(arrival.number + comes),
            note.data.own.eq(own),
            read.addr.eq(self.read.table.list),
            self.read.table.place.eq(read.data.place),
            self.own.eq(read.data.own),
        ]
        return m
