"""The fetch unit: reads lists, and requests the columns that they name."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, connect, flipped

from deltatrain.accel.column_cache import LOOKUP_CYCLES
from deltatrain.accel.engine import Engine
from deltatrain.accel.memory import Dma
from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.lists.column_table import row_of
from deltatrain.rtl.lists.group_reader import GroupReader
from deltatrain.rtl.lists.group_source import source_of
from deltatrain.rtl.lists.look_up import connect_ahead
from deltatrain.rtl.lists.tile_readers import tile_reader
from deltatrain.rtl.off_chip.cached_fetch import CachedFetch
from deltatrain.rtl.off_chip.fetch import Fetch
from deltatrain.rtl.off_chip.passed_requests import is_told
from deltatrain.rtl.off_chip.segment_splitter import ColumnsOp
from deltatrain.rtl.off_chip.word_sizes import word_sizes
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["FetchOp", "FetchUnit"]

_OF_READER = ("lists", "table")
_OF_CACHE = ("made", "new_words", "looked_up")
_AHEAD = 4
"""Ops whose lists may be read before their first request may be made; with a cache more, by how long a look-up takes.

In fewer an op behind several without columns, which take a cycle each, would be looked up too late.
"""


class FetchOp(data.StructLayout):
    """The columns of one op that are fetched.

    Members
    -------
    source : ListSource or GroupSource
        Which.
    columns : ColumnsOp
        Of which matrices; its count, or counts, are filled in once the list is read.
    """

    def __init__(self, sizes: TileSizes, arrays: int = 1) -> None:
        columns = ColumnsOp(sizes.cache, arrays)
        super().__init__({"source": source_of(sizes), "columns": columns})


class FetchUnit(Component):
    """Reads each list as soon as it is stored, so that the first request goes when the op may begin.

    Parameters
    ----------
    engine, dma
        Formats, lanes, and the column buffer of a tile.
    sizes
        Of the tile's memories; W and dW are off-chip where they have no words. Several tiles share one such unit.

    Attributes
    ----------
    commands : In(stream.Signature(command(FetchOp)))
        What to fetch.
    soon_counts, ready_counts : In(counts_layout)
        From `rtl.commands.waits.DoneCounts`.
    running : In(1)
        Whether requests may be made.
    lists, table : In(list_port), In(ReadPort.Signature)
        To the lists, and to the table of compressed columns, if there is one (`rtl.lists.entry_reader`).
    requests, weights, gradients, passed, matrices
        See `rtl.off_chip.fetch`.
    made, new_words, looked_up
        See `rtl.off_chip.cached_fetch`; there with a cache.
    """

    def __init__(self, *, engine: Engine, dma: Dma, sizes: TileSizes) -> None:
        self._op, self._units = FetchOp(sizes), sizes.units
        self._ahead = _AHEAD + (LOOKUP_CYCLES if sizes.cache else 0)
        self._groups = sizes.group_steps > 1
        self._reader: Any = (
            GroupReader(engine=engine, sizes=sizes)
            if self._groups
            else tile_reader(engine, sizes, most_columns=sizes.most_columns(engine.lanes))
        )
        self._named = "row" if sizes.number_bits else "index"
        of_columns: dict[str, Any] = {
            "engine": engine,
            "buffer_bytes": dma.buffer_bytes * sizes.tiles,
            "tiles": sizes.tiles,
            "most_asked": dma.columns_in_flight,
            "weights": not sizes.weight_words,
            "gradients": not sizes.gradient_words,
            "number_bits": sizes.number_bits,
            "row": row_of(sizes),
            **({"groups": True} if self._groups else {"most_columns": sizes.most_columns(engine.lanes)}),
            "most_words": max(sizes.accumulator_words, sizes.line_bytes),  # a line may have room for more than a column
        }
        kinds = [name for name in ("weights", "gradients") if of_columns[name]]
        of_columns["told"] = is_told(engine, dma, word_sizes(engine, kinds, sizes.tiles, sizes.number_bits))
        self._fetch: Fetch | CachedFetch = (
            CachedFetch(shape=sizes.cache, counts=not sizes.uncounted, **of_columns)
            if sizes.cache
            else Fetch(**of_columns)
        )
        fetched = self._fetch.signature.members
        self._further = [name for name in (*_OF_CACHE, "passed") if name in fetched]
        super().__init__(
            {
                "commands": In(stream.Signature(command(self._op, self._units))),
                "soon_counts": In(counts_layout(self._units)),
                "ready_counts": In(counts_layout(self._units)),
                "running": In(1),
                **{name: member for name, member in self._reader.signature.members.items() if name in _OF_READER},
                "requests": fetched["requests"],
                **{name: fetched[name] for name in (*self._fetch.matrices, *self._further)},
            }
        )
        self.matrices: dict[str, Any] = {} if sizes.weight_words else {"weights": self.weights}
        self.matrices |= {} if sizes.gradient_words else {"gradients": self.gradients}

    def elaborate(self, platform: object) -> Module:
        """Let the reader begin early and the requests begin in time."""
        m = Module()
        m.submodules.begin = begin = Begin(self._op, ahead=self._ahead, later=unsigned(1), units=self._units)
        m.submodules.start = start = Wait(unsigned(1), self._units)
        m.submodules.reader = reader = self._reader
        m.submodules.fetch = fetch = self._fetch
        m.submodules.ops = ops = RegisteredQueue(shape=fetch.ops.payload.shape(), depth=self._ahead)
        connect(m, ops.o, fetch.ops)
        connect(m, flipped(self.commands), begin.commands)
        connect(m, begin.later, start.i)
        if self._groups:
            reader.follow(m, begin, self.lists)
        else:
            connect_ahead(m, begin, self.lists, reader)
            m.d.comb += [
                reader.sources.payload.eq(begin.op.source),
                reader.sources.valid.eq(begin.reads),
                begin.read.eq(reader.sources.ready),
            ]
        if self._named == "row":
            connect(m, flipped(self.table), reader.table)
        connect(m, fetch.requests, flipped(self.requests))
        for name, matrix in self.matrices.items():
            connect(m, fetch.matrices[name], flipped(matrix))
        m.d.comb += [
            begin.soon_counts.eq(self.soon_counts),
            begin.has_room.eq(ops.i.ready & reader.has_room if self._groups else ops.i.ready),
            ops.i.payload.eq(begin.op.columns),
            ops.i.payload.count.eq(reader.count),
            ops.i.valid.eq(begin.begins),
            fetch.columns.valid.eq(reader.entries.valid),
            reader.entries.ready.eq(fetch.columns.ready),
            start.counts.eq(self.ready_counts),
            fetch.may_begin.eq(start.o.valid & self.running),
            start.o.ready.eq(fetch.begins),
        ]
        entry = reader.entries.payload
        if self._groups:
            m.d.comb += [fetch.columns.payload[name].eq(entry[name]) for name in ("index", "last")]
            m.d.comb += fetch.columns.payload.several.eq((entry.fired & (entry.fired - 1)[: len(entry.fired)]) != 0)
        else:
            m.d.comb += fetch.columns.payload.eq(entry[self._named])
        if "made" in self._further:
            connect(m, flipped(self.made), fetch.made)
            connect(m, fetch.new_words, flipped(self.new_words))
        if "passed" in self._further:
            connect(m, flipped(self.passed), fetch.passed)
        if "looked_up" in self._further:
            m.d.comb += self.looked_up.eq(fetch.looked_up)
        if "index" in fetch.signature.members:
            m.d.comb += fetch.index.eq(entry.index)
        return m
