"""Lets one reader read two stores of lists: those that the encoder made, and those that were loaded."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lists.ports import list_port

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
    read : Out(list_port)
        For a reader of all lists. An entry is read of the list that `reads` names.
    made : In(list_port)
        To the lists that the encoder made.
    loaded : In(list_port)
        To those that were loaded.
    """

    def __init__(self, *, value_bits: int, sizes: TileSizes) -> None:
        entries, made, loaded = sizes.own_entries, sizes.list_entries, sizes.loaded_entries
        self._spikes = bool(sizes.spikes)
        kept: dict[str, Any] = {"value_bits": value_bits, "spikes": self._spikes}
        super().__init__(
            {
                "read": Out(list_port(**kept, entries=entries, lists=sizes.own_lists)),
                "made": In(list_port(**kept, entries=made, lists=sizes.lists)),
                "loaded": In(list_port(**kept, entries=loaded, lists=sizes.loaded_lists)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Remember which store was asked for an entry."""
        m = Module()
        table, ring, made, loaded = self.read.table, self.read.ring, self.made, self.loaded
        looks_up_loaded, reads_loaded, was_loaded = table.list[-1], self.read.reads[-1], Signal()
        m.d.comb += [
            made.table.list.eq(table.list),
            loaded.table.list.eq(table.list),
            *(
                table.place[name].eq(Mux(looks_up_loaded, loaded.table.place[name], made.table.place[name]))
                for name, _ in table.place.shape()
            ),
            made.ring.addr.eq(self._address(ring.addr, len(made.ring.addr))),
            made.ring.en.eq(ring.en & ~reads_loaded),
            loaded.ring.addr.eq(self._address(ring.addr, len(loaded.ring.addr))),
            loaded.ring.en.eq(ring.en & reads_loaded),
        ]
        with m.If(ring.en):
            m.d.sync += was_loaded.eq(reads_loaded)
        with m.If(was_loaded):
            m.d.comb += ring.data.eq(loaded.ring.data)
        with m.Else():
            m.d.comb += ring.data.eq(made.ring.data)
        return m

    def _address(self, address: Value, width: int) -> Value:
        """Return an address in a smaller store: the highest bit stays the highest, if it tells two rings apart."""
        return Cat(address[: width - 1], address[-1]) if self._spikes else address[:width]
