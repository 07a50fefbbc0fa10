"""The encoder's lists for several arrays: a store for each, with the entries of its own columns."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.rtl.lists.emitter import SIGN_BITS
from deltatrain.rtl.lists.ports import list_counts, list_port
from deltatrain.rtl.lists.spike_store import SpikeListStore
from deltatrain.rtl.lists.store import ListStore
from deltatrain.rtl.parts.division import divided
from deltatrain.rtl.parts.layouts import Entry
from deltatrain.rtl.parts.of_arrays import of_arrays

__all__ = ["ArrayListStore"]

_OF_WHOLE = ("lookups", "read_word")


class ArrayListStore(Component):
    """Appends entry j of each list to the store of array j mod A, all of which note a list in the same cycle.

    Parameters
    ----------
    value_bits, entries, lists
        As of `rtl.lists.store.ListStore`: all entries may be of one array.
    arrays
        A, at least 2.
    readers
        Readers of each array's lists.
    lookups, word_entries, word_readers
        As of `rtl.lists.store.ListStore`, of whole lists: these are then kept, too, for a tape off-chip.
    spikes
        Whether the stores are of spikes and of gradient-only neurons (`rtl.lists.spike_store`); no whole lists then.

    Attributes
    ----------
    lists, entries, written
        As of `rtl.lists.store.ListStore`.
    counts : In(stream.Signature(list_counts))
        How many entries each list has for each array; of spikes twice as many numbers, as `rtl.lists.emitter` counts.
    read : Out(list_port).array(readers * arrays)
        Each reads the lists of one array; all of one reader follow each other.
    lookups, read_word
        As of `rtl.lists.store.ListStore`, of whole lists; present if there are lookups.
    """

    def __init__(
        self,
        *,
        value_bits: int,
        entries: int,
        lists: int,
        arrays: int,
        readers: int = 1,
        lookups: int = 0,
        word_entries: int = 1,
        word_readers: int = 1,
        spikes: bool = False,
    ) -> None:
        places: dict[str, Any] = {"entries": entries, "lists": lists}
        kept: dict[str, Any] = {"value_bits": value_bits, **places}
        self._stores: list[Any] = [
            SpikeListStore(**places, readers=readers) if spikes else ListStore(**kept, readers=readers)
            for _ in range(arrays)
        ]
        words: dict[str, Any] = {"word_entries": word_entries, "word_readers": word_readers}
        self._whole = ListStore(**kept, readers=0, lookups=lookups, **words) if lookups else None
        whole = {} if self._whole is None else self._whole.signature.members
        read = list_port(**places, value_bits=0 if spikes else value_bits, spikes=spikes)
        super().__init__(
            {
                "lists": In(stream.Signature(unsigned(ceil_log2(lists)))),
                "entries": In(stream.Signature(Entry(SIGN_BITS if spikes else value_bits))),
                "counts": In(stream.Signature(list_counts(arrays * (1 + spikes)))),
                "written": Out(1),
                "read": Out(read).array(readers * arrays),
                **{name: whole[name] for name in _OF_WHOLE if name in whole},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Share out the entries and the lengths."""
        m = Module()
        arrays = len(self._stores)
        counts = Value.cast(self.counts.payload)
        array: Value = divided(self.entries.payload.index, arrays).remainder
        for number, store in enumerate(self._stores):
            m.submodules[f"store_{number}"] = store
            for reader, inside in enumerate(store.read):
                connect(m, inside, flipped(self.read[reader * arrays + number]))
            self._append(m, store, array == number, counts.word_select(number, len(counts) // arrays))
        if self._whole is not None:
            m.submodules.whole = whole = self._whole
            self._append(m, whole, Const(1), sum(self.counts.payload[number] for number in range(arrays)))
            for port, inside in zip(of_arrays(self.read_word), of_arrays(whole.read_word), strict=True):
                connect(m, inside, flipped(port))
            for port, inside in zip(self.lookups, whole.lookups, strict=True):
                connect(m, inside, flipped(port))
        first = self._stores[0]  # all do the same at once
        m.d.comb += [
            self.entries.ready.eq(1),
            self.lists.ready.eq(first.lists.ready),
            self.counts.ready.eq(first.counts.ready),
            self.written.eq(first.written),
        ]
        return m

    def _append(self, m: Module, store: ListStore, own: Value, count: Value) -> None:
        """Append the entries that a store has, and note how many they are of a list."""
        m.d.comb += [
            store.entries.payload.eq(self.entries.payload),
            store.entries.valid.eq(self.entries.valid & own),
            store.lists.payload.eq(self.lists.payload),
            store.lists.valid.eq(self.lists.valid),
            store.counts.payload.eq(count),
            store.counts.valid.eq(self.counts.valid),
        ]
