"""Reads the columns of an op whose lists are several: readers of all lists at once, and what merges their entries."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.lists.entry_reader import EntryReader
from deltatrain.rtl.lists.group_source import source_of
from deltatrain.rtl.lists.look_up import connect_ahead
from deltatrain.rtl.lists.source import SourceKind
from deltatrain.rtl.lists.tile_readers import tile_reader
from deltatrain.rtl.parts.layouts import INDEX_BITS, GroupEntry
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["GroupReader"]

_OPS = 4


class GroupReader(Component):
    """Turns the ops in front into their columns, each once, in increasing order; a column a cycle.

    Each list has a reader of its own, as there is a store for each step of a group. The least column that readers offer
    is the next, with the values of all that offer it; these go on in the same cycle. So a column comes in the cycle in
    which a single reader would offer it.

    Parameters
    ----------
    engine, sizes
        Formats, and the tile's memories.

    Attributes
    ----------
    value_bits
        Width of a value.
    source, following, advances : In(GroupSource), In(GroupSource), In(1)
        What the op in front reads, and as in `rtl.commands.begin.Begin`.
    lists : In(list_port).array(steps), vectors : In(ReadPort.Signature)
        To the stores of lists, and to the memory of vectors.
    enter : In(1)
        The op in front begins, and has columns; only while `has_room`. Its first comes in a later cycle.
    has_room : Out(1)
        Whether another such op can be taken.
    count : Out(unsigned(INDEX_BITS + 1))
        Columns of the op in front if they are of one list or vector; of several lists not 0 where any column fired.
    empty : Out(1)
        Whether there are none.
    reads, read : In(1), Out(1)
        Whether the op in front is to be read; it is read to its end in this cycle.
    entries : Out(stream.Signature(GroupEntry))
        The columns.
    """

    def __init__(self, *, engine: Engine, sizes: TileSizes) -> None:
        activation = engine.formats.activation
        self._steps, self.value_bits = sizes.group_steps, activation.bits
        self._readers = [tile_reader(engine, sizes, tells_last=True) for _ in range(self._steps)]
        members = self._readers[0].signature.members
        source = source_of(sizes)
        super().__init__(
            {
                **dict.fromkeys(("source", "following"), In(source)),
                "advances": In(1),
                "lists": members["lists"].array(self._steps),
                "vectors": members["vectors"],
                "enter": In(1),
                "has_room": Out(1),
                "count": Out(unsigned(INDEX_BITS + 1)),
                "empty": Out(1),
                "reads": In(1),
                "read": Out(1),
                "entries": Out(stream.Signature(GroupEntry(activation.bits, self._steps))),
            }
        )

    def follow(self, m: Module, begin: Begin, lists: Sequence[Any]) -> None:
        """Read the ops in front of `begin` from the unit's own ports of `lists`."""
        for own, inside in zip(lists, self.lists, strict=True):
            connect(m, flipped(own), inside)
        m.d.comb += [
            self.source.eq(begin.op.source),
            self.following.eq(begin.following.source),
            self.advances.eq(begin.advances),
            self.reads.eq(begin.reads),
            self.enter.eq(begin.begins & ~self.empty),
            begin.read.eq(self.read),
        ]

    def elaborate(self, platform: object) -> Module:
        """Let each reader read its list; merge what they offer."""
        m = Module()
        taken = [self._offer(m, number) for number in range(self._steps)]
        connect(m, flipped(self.vectors), self._readers[0].vectors)
        counts = [reader.count for reader in self._readers]
        m.d.comb += [
            self.read.eq(Cat(taken).all()),
            self.empty.eq(Cat(reader.empty for reader in self._readers).all()),
            self.count.eq(_any_of(counts)),
        ]
        self._merge(m)
        return m

    def _offer(self, m: Module, number: int) -> Value:
        """Offer a reader its part of the op in front until that is taken; return whether it is."""
        reader = self._readers[number]
        m.submodules[f"reader_{number}"] = reader
        was_taken, is_taken = Signal(name=f"was_taken_{number}"), Signal(name=f"is_taken_{number}")
        following = self._own(m, self.following, reader, f"following_{number}")
        begin: Any = SimpleNamespace(advances=self.advances, following=SimpleNamespace(source=following))
        connect_ahead(m, begin, self.lists[number], reader)
        m.d.comb += [
            reader.sources.payload.eq(self._own(m, self.source, reader, f"source_{number}")),
            reader.sources.valid.eq(self.reads & ~was_taken),
            is_taken.eq(was_taken | reader.sources.ready),
        ]
        m.d.sync += was_taken.eq(self.reads & ~self.read & is_taken)
        return is_taken

    def _own(self, m: Module, source: data.View, reader: EntryReader, name: str) -> data.View:
        """Return what a reader has to read of a source: nothing, if no list is for it."""
        number = self._readers.index(reader)
        own, told = Signal(reader.sources.payload.shape(), name=name), source.lists[number]
        m.d.comb += [
            own.kind.eq(Mux(told.reads, source.kind, SourceKind.VECTOR)),  # of a vector of no elements
            own.list.eq(told.list),
            own.base.eq(source.base),
            own.count.eq(Mux(told.reads, source.count, 0)),
            own.bias.eq(told.bias),
            own.width.eq(source.width),
        ]
        return own

    def _merge(self, m: Module) -> None:
        """Offer the least column of those in front, once all readers that still have one of the op offer theirs."""
        m.submodules.ops = ops = RegisteredQueue(shape=unsigned(self._steps), depth=_OPS)
        done, here, least = Signal(self._steps), Signal(self._steps), Signal(self._steps)
        offered = [reader.entries for reader in self._readers]
        to, goes = self.entries, Signal()
        m.d.comb += [
            ops.i.payload.eq(Cat(~reader.empty for reader in self._readers)),
            ops.i.valid.eq(self.enter),
            self.has_room.eq(ops.i.ready),
            here.eq(ops.o.payload & ~done),
            least.eq(Cat(self._is_least(here, number) for number in range(self._steps))),
            to.valid.eq(ops.o.valid & (~here | Cat(one.valid for one in offered)).all()),
            to.payload.index.eq(_any_of([Mux(least[n], one.payload.index, 0) for n, one in enumerate(offered)])),
            to.payload.fired.eq(least),
            to.payload.last.eq(~(here & ~(least & Cat(one.payload.last for one in offered))).any()),
            goes.eq(to.valid & to.ready),
            ops.o.ready.eq(goes & to.payload.last),
        ]
        for number, one in enumerate(offered):
            m.d.comb += [to.payload.values[number].eq(one.payload.value), one.ready.eq(goes & least[number])]
        with m.If(goes):
            ends = least & Cat(one.payload.last for one in offered)
            m.d.sync += done.eq(Mux(to.payload.last, 0, done | ends))

    def _is_least(self, here: Value, number: int) -> Value:
        """Return whether no other reader that is here offers a lesser column than reader `number`."""
        own = self._readers[number].entries.payload.index
        others = [
            ~here[other] | (own <= reader.entries.payload.index)
            for other, reader in enumerate(self._readers)
            if other != number
        ]
        return here[number] & Cat(others).all()


def _any_of(values: Sequence[Value]) -> Value:
    """Return the bits that are set in any of these values."""
    found = values[0]
    for value in values[1:]:
        found = found | value
    return found
