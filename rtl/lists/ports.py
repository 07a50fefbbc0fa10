"""The ports by which lists are found and read, all seen from who keeps the lists."""

from __future__ import annotations

from amaranth.hdl import Shape, unsigned
from amaranth.lib import data
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import ceil_log2

from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry

__all__ = ["ListPlace", "list_counts", "list_port", "ring_port", "table_port", "word_port"]


class ListPlace(data.StructLayout):
    """Where a list is in the ring.

    Parameters
    ----------
    entries
        Depth of the ring, a power of two.
    spikes
        Whether it is a list of spikes and of gradient-only neurons, which have a ring of their own.

    Members
    -------
    base : unsigned
        Address of its first entry; the others follow, modulo the depth.
    count : unsigned(INDEX_BITS)
        Its length; of a list of spikes how many they are.
    learning_base, learning : unsigned
        First address, and number, of the gradient-only neurons; present if `spikes`.
    """

    def __init__(self, entries: int, spikes: bool = False) -> None:
        address, counted = unsigned(ceil_log2(entries)), unsigned(INDEX_BITS)
        more = {"learning_base": address, "learning": counted} if spikes else {}
        super().__init__({"base": address, "count": counted, **more})


def table_port(*, entries: int, lists: int, spikes: bool = False) -> Signature:
    """Return a port that looks up a list: its number, `list`, comes in; its `place` goes out in the same cycle."""
    return Signature({"list": In(ceil_log2(lists)), "place": Out(ListPlace(entries, spikes))})


def ring_port(*, value_bits: int, entries: int) -> ReadPort.Signature:
    """Return a port that reads an entry: `en` and `addr` come in; `data` goes out in the next cycle."""
    return ReadPort.Signature(addr_width=ceil_log2(entries), shape=Entry(value_bits))


def word_port(*, value_bits: int, entries: int, word_entries: int) -> ReadPort.Signature:
    """Return a port that reads `word_entries` entries at once, the first of them at `addr`."""
    return ReadPort.Signature(addr_width=ceil_log2(entries), shape=data.ArrayLayout(Entry(value_bits), word_entries))


def list_port(*, value_bits: int, entries: int, lists: int, spikes: bool = False) -> Signature:
    """Return the port of one reader of lists: `table`, a `table_port`, and `ring`, a `ring_port`.

    The list whose entries are read is `reads`: another may be looked up at the same time. Lists of spikes have entries
    without a value, in two rings: the highest bit of an address says in which (`rtl.lists.spike_store`).
    """
    table = table_port(entries=entries, lists=lists, spikes=spikes)
    ring = ring_port(value_bits=0, entries=2 * entries) if spikes else ring_port(value_bits=value_bits, entries=entries)
    return Signature({"table": Out(table), "ring": Out(ring), "reads": In(ceil_log2(lists))})


def list_counts(arrays: int) -> Shape | data.ArrayLayout:
    """Return the shape of the length of a list, or of its parts for several arrays."""
    return unsigned(INDEX_BITS) if arrays == 1 else data.ArrayLayout(INDEX_BITS, arrays)
