"""Looking a list up before its op is at the port of its reader: a table of many lists answers late in its cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal

from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.lists.entry_reader import EntryReader

__all__ = ["connect_ahead"]


def connect_ahead(m: Module, begin: Begin, lists: Any, reader: EntryReader) -> None:
    """Connect `reader`, whose sources are those of the ops in front, with the port of lists.

    Parameters
    ----------
    m
        The module of the unit.
    begin
        Has the ops in front, and those that come next; their field ``source`` is a `rtl.lists.source.ListSource`.
    lists
        The unit's own port, see `rtl.lists.ports.list_port`.
    reader
        What reads the lists.
    """
    place, columns = Signal(lists.table.place.shape(), name="place"), Signal.like(reader.columns, name="columns")
    with m.If(begin.advances):
        m.d.sync += [
            place.eq(lists.table.place),
            columns.eq(reader.columns_of(begin.following.source, lists.table.place)),
        ]
    m.d.comb += [
        reader.columns.eq(columns),
        lists.table.list.eq(begin.following.source.list),
        reader.lists.table.place.eq(place),
        lists.reads.eq(reader.lists.reads),
        lists.ring.en.eq(reader.lists.ring.en),
        lists.ring.addr.eq(reader.lists.ring.addr),
        reader.lists.ring.data.eq(lists.ring.data),
    ]
