"""One reader, two stores of lists: those that the encoder made and those that came back from off-chip memory."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lists.entry_ring import ring_port
from deltatrain.rtl.lists.store import table_port

__all__ = ["ListChoice"]


class ListChoice(Component):
    """Asks one store or the other by the highest bit of a list's number, in the same cycle.

    Parameters
    ----------
    value_bits
        Width of a value.
    sizes
        Of the tile's memories, whose tape lives off-chip.

    Attributes
    ----------
    table, ring : Out(...)
        For a reader that knows all lists, see `rtl.lists.entry_reader`. What is read from the ring is of the list that
        is looked up in the same cycle.
    made_table, made_ring : In(...)
        To the lists of the encoder.
    loaded_table, loaded_ring : In(...)
        To those that were loaded.
    """

    def __init__(self, *, value_bits: int, sizes: TileSizes) -> None:
        entries, made, loaded = sizes.entry_places, sizes.list_entries, sizes.loaded_entries
        super().__init__(
            {
                "table": Out(table_port(entries=entries, lists=sizes.list_numbers)),
                "ring": Out(ring_port(value_bits=value_bits, entries=entries)),
                "made_table": In(table_port(entries=made, lists=sizes.lists)),
                "made_ring": In(ring_port(value_bits=value_bits, entries=made)),
                "loaded_table": In(table_port(entries=loaded, lists=sizes.loaded_lists)),
                "loaded_ring": In(ring_port(value_bits=value_bits, entries=loaded)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Remember of which store an entry was asked."""
        m = Module()
        is_loaded, was_loaded = self.table.list[-1], Signal()
        made, loaded = self.made_table.place, self.loaded_table.place
        m.d.comb += [
            self.made_table.list.eq(self.table.list),
            self.loaded_table.list.eq(self.table.list),
            self.table.place.base.eq(Mux(is_loaded, loaded.base, made.base)),
            self.table.place.count.eq(Mux(is_loaded, loaded.count, made.count)),
            self.made_ring.addr.eq(self.ring.addr),
            self.made_ring.en.eq(self.ring.en & ~is_loaded),
            self.loaded_ring.addr.eq(self.ring.addr),
            self.loaded_ring.en.eq(self.ring.en & is_loaded),
        ]
        with m.If(self.ring.en):
            m.d.sync += was_loaded.eq(is_loaded)
        with m.If(was_loaded):
            m.d.comb += self.ring.data.eq(self.loaded_ring.data)
        with m.Else():
            m.d.comb += self.ring.data.eq(self.made_ring.data)
        return m
