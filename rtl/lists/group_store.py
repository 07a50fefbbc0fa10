"""The encoder's lists where one op reads those of several steps: a store for each step of a group."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.rtl.lists.ports import list_port
from deltatrain.rtl.lists.store import ListStore
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry

__all__ = ["GroupListStore", "StoredList"]


class StoredList(data.StructLayout):
    """A list's number in its store (`list`), and which store that is (`step`)."""

    def __init__(self, lists: int, steps: int) -> None:
        super().__init__({"list": unsigned(ceil_log2(lists)), "step": range(steps)})


class GroupListStore(Component):
    """Appends each list to the store of its step's place in a group, so that all lists of a group are read at once.

    Parameters
    ----------
    value_bits
        Width of a value.
    entries, lists
        Of each store, as of `rtl.lists.store.ListStore`.
    steps
        Most steps of a group.
    readers
        Readers of each store.

    Attributes
    ----------
    lists : In(stream.Signature(StoredList(lists, steps)))
        The number and the store of each list, taken with the list's length.
    step : In(range(steps))
        The store of the list whose entries come.
    entries, counts, written
        As of `rtl.lists.store.ListStore`.
    read : Out(list_port).array(readers * steps)
        The ports of the first reader to all stores, then those of the next.
    """

    def __init__(self, *, value_bits: int, entries: int, lists: int, steps: int, readers: int) -> None:
        self._stores = [
            ListStore(value_bits=value_bits, entries=entries, lists=lists, readers=readers) for _ in range(steps)
        ]
        self._readers = readers
        port = list_port(value_bits=value_bits, entries=entries, lists=lists)
        super().__init__(
            {
                "lists": In(stream.Signature(StoredList(lists, steps))),
                "step": In(range(steps)),
                "entries": In(stream.Signature(Entry(value_bits))),
                "counts": In(stream.Signature(unsigned(INDEX_BITS))),
                "written": Out(1),
                "read": Out(port).array(readers * steps),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Give each entry, and each length, to the store that its list is in."""
        m = Module()
        noted, steps = self.lists.payload, len(self._stores)
        for number, store in enumerate(self._stores):
            m.submodules[f"store_{number}"] = store
            for reader in range(self._readers):
                connect(m, store.read[reader], flipped(self.read[reader * steps + number]))
            m.d.comb += [
                store.entries.payload.eq(self.entries.payload),
                store.entries.valid.eq(self.entries.valid & (self.step == number)),
                store.lists.payload.eq(noted.list),
                store.lists.valid.eq(self.lists.valid & (noted.step == number)),
                store.counts.payload.eq(self.counts.payload),
                store.counts.valid.eq(self.counts.valid & self.lists.valid & (noted.step == number)),
            ]
        m.d.comb += [
            self.entries.ready.eq(1),
            self.lists.ready.eq(self.counts.valid),
            self.counts.ready.eq(self.lists.valid),
            self.written.eq(Cat(store.written for store in self._stores).any()),
        ]
        return m
