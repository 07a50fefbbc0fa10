"""An op's list that several arrays read, each its own columns: the op is read when all have read theirs."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.lists.entry_reader import EntryReader
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["read_in_turns"]


def read_in_turns(m: Module, begin: Begin, readers: Sequence[EntryReader]) -> Value:
    """Offer the source of the op in front to the reader of each array until all have taken it.

    Parameters
    ----------
    m
        The module of the unit.
    begin
        Has the ops in front; their field ``source`` is a `rtl.lists.source.ListSource`.
    readers
        Those of the arrays, in their order.

    Returns
    -------
    The turns of the op: the most columns that an array has.
    """
    turns: Value = readers[0].count
    for reader in readers[1:]:
        most = Signal(INDEX_BITS + 1, name="turns")
        m.d.comb += most.eq(Mux(turns < reader.count, reader.count, turns))
        turns = most
    m.d.comb += begin.read.eq(Cat(_offer(m, begin, reader, number) for number, reader in enumerate(readers)).all())
    return turns


def _offer(m: Module, begin: Begin, reader: EntryReader, number: int) -> Value:
    """Offer the op's source to a reader until it is taken; return whether it is."""
    was_taken, is_taken = Signal(name=f"was_taken_{number}"), Signal(name=f"is_taken_{number}")
    m.d.comb += [
        reader.sources.payload.eq(begin.op.source),
        reader.sources.valid.eq(begin.reads & ~was_taken),
        is_taken.eq(was_taken | reader.sources.ready),
    ]
    m.d.sync += was_taken.eq(begin.reads & ~begin.read & is_taken)
    return is_taken
