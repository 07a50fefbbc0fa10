"""The encoder's lists for several arrays: a store for each, with the entries of its own columns."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.rtl.lists.emitter import SIGN_BITS
from deltatrain.rtl.lists.ports import list_counts, list_port
from deltatrain.rtl.lists.spike_store import SpikeListStore
from deltatrain.rtl.lists.store import ListStore
from deltatrain.rtl.parts.layouts import Entry

__all__ = ["ArrayListStore"]


class ArrayListStore(Component):
    """Appends entry j of each list to the store of array j mod A, all of which note a list in the same cycle.

    Parameters
    ----------
    value_bits, entries, lists
        As of `rtl.lists.store.ListStore`: all entries may be of one array.
    arrays
        A, a power of two of at least 2.
    spikes
        Whether the stores are of spikes and of gradient-only neurons (`rtl.lists.spike_store`).

    Attributes
    ----------
    lists, entries, written
        As of `rtl.lists.store.ListStore`.
    counts : In(stream.Signature(list_counts(arrays * self._parts)))
        How many entries each list has for each array; of spikes twice as many numbers, as `rtl.lists.emitter` counts.
    read : Out(list_port).array(arrays)
        Each reads the lists of one array.
    """

    def __init__(self, *, value_bits: int, entries: int, lists: int, arrays: int, spikes: bool = False) -> None:
        kept: dict[str, Any] = {"entries": entries, "lists": lists}
        self._stores: list[Any] = [
            SpikeListStore(**kept, readers=1) if spikes else ListStore(value_bits=value_bits, **kept, readers=1)
            for _ in range(arrays)
        ]
        self._parts = 1 + spikes
        super().__init__(
            {
                "lists": In(stream.Signature(unsigned(ceil_log2(lists)))),
                "entries": In(stream.Signature(Entry(SIGN_BITS if spikes else value_bits))),
                "counts": In(stream.Signature(list_counts(arrays * self._parts))),
                "written": Out(1),
                "read": Out(list_port(value_bits=0 if spikes else value_bits, **kept, spikes=spikes)).array(arrays),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Share out the entries and the lengths."""
        m = Module()
        arrays = len(self._stores)
        counts = Value.cast(self.counts.payload)
        array: Value = self.entries.payload.index[: ceil_log2(arrays)]
        for number, store in enumerate(self._stores):
            m.submodules[f"store_{number}"] = store
            connect(m, store.read[0], flipped(self.read[number]))
            m.d.comb += [
                store.entries.payload.eq(self.entries.payload),
                store.entries.valid.eq(self.entries.valid & (array == number)),
                store.lists.payload.eq(self.lists.payload),
                store.lists.valid.eq(self.lists.valid),
                Value.cast(store.counts.payload).eq(counts.word_select(number, len(counts) // arrays)),
                store.counts.valid.eq(self.counts.valid),
            ]
        first = self._stores[0]  # all do the same at once
        m.d.comb += [
            self.entries.ready.eq(1),
            self.lists.ready.eq(first.lists.ready),
            self.counts.ready.eq(first.counts.ready),
            self.written.eq(first.written),
        ]
        return m
