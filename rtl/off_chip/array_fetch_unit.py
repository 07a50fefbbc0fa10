"""The fetch unit of several arrays: each has a reader of lists, and columns are asked for turn after turn."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.accel.memory import Dma
from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.lists.in_turns import read_in_turns
from deltatrain.rtl.lists.look_up import connect_ahead
from deltatrain.rtl.lists.tile_readers import tile_reader
from deltatrain.rtl.off_chip.array_fetch import ArrayFetch
from deltatrain.rtl.off_chip.fetch_unit import FetchOp, FetchUnit
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["ArrayFetchUnit"]

_AHEAD = 4
"""As of one array (`rtl.off_chip.fetch_unit`)."""


class ArrayFetchUnit(FetchUnit):
    """Reads each list as soon as it is stored, the columns of A arrays at once.

    Parameters
    ----------
    engine, dma, sizes
        As of `rtl.off_chip.fetch_unit.FetchUnit`.

    Attributes
    ----------
    lists : In(list_port).array(A)
        To the lists, of each array its own.
    commands, soon_counts, ready_counts, running
        As of `rtl.off_chip.fetch_unit.FetchUnit`.
    requests, weights, gradients, passed, matrices
        See `rtl.off_chip.array_fetch`.
    """

    def __init__(self, *, engine: Engine, dma: Dma, sizes: TileSizes) -> None:
        self._op, self._units = FetchOp(sizes, engine.arrays), sizes.units
        self._readers = [
            tile_reader(engine, sizes, array, most_columns=sizes.most_columns(engine.lanes))
            for array in range(engine.arrays)
        ]
        self._fetch: Any = ArrayFetch(
            engine=engine,
            buffer_bytes=dma.buffer_bytes,
            most_asked=dma.columns_in_flight,
            weights=not sizes.weight_words,
            gradients=not sizes.gradient_words,
        )
        fetched = self._fetch.signature.members
        Component.__init__(
            self,
            {
                "commands": In(stream.Signature(command(self._op, self._units))),
                "soon_counts": In(counts_layout(self._units)),
                "ready_counts": In(counts_layout(self._units)),
                "running": In(1),
                "lists": self._readers[0].signature.members["lists"].array(engine.arrays),
                "requests": fetched["requests"],
                **{name: fetched[name] for name in (*self._fetch.matrices, "passed") if name in fetched},
            },
        )
        self.matrices: dict[str, Any] = {name: getattr(self, name) for name in self._fetch.matrices}

    def elaborate(self, platform: object) -> Module:
        """Let the readers begin early and the requests begin in time."""
        m = Module()
        m.submodules.begin = begin = Begin(self._op, ahead=_AHEAD, later=unsigned(1), units=self._units)
        m.submodules.start = start = Wait(unsigned(1), self._units)
        m.submodules.fetch = fetch = self._fetch
        m.submodules.ops = ops = RegisteredQueue(shape=fetch.ops.payload.shape(), depth=_AHEAD)
        connect(m, ops.o, fetch.ops)
        connect(m, flipped(self.commands), begin.commands)
        connect(m, begin.later, start.i)
        connect(m, fetch.requests, flipped(self.requests))
        for name, ports in self.matrices.items():
            for port, inside in zip(ports, fetch.matrices[name], strict=True):
                connect(m, inside, flipped(port))
        for number, (lists, reader) in enumerate(zip(self.lists, self._readers, strict=True)):
            m.submodules[f"reader_{number}"] = reader
            connect_ahead(m, begin, lists, reader)
        if "passed" in self.signature.members:
            connect(m, flipped(self.passed), fetch.passed)
        self._read(m, begin, ops.i)
        m.d.comb += [
            begin.soon_counts.eq(self.soon_counts),
            begin.has_room.eq(ops.i.ready),
            ops.i.valid.eq(begin.begins),
            start.counts.eq(self.ready_counts),
            fetch.may_begin.eq(start.o.valid & self.running),
            start.o.ready.eq(fetch.begins),
        ]
        return m

    def _read(self, m: Module, begin: Begin, ops: Any) -> None:
        """Tell the fetch how many columns an op has for each array, and which."""
        turns, told = read_in_turns(m, begin, self._readers), ops.payload
        m.d.comb += [told.eq(begin.op.columns), told.count.eq(turns)]
        for number, (reader, columns) in enumerate(zip(self._readers, self._fetch.columns, strict=True)):
            m.d.comb += [
                told.counts[number].eq(reader.count),
                columns.payload.eq(reader.entries.payload.index),
                columns.valid.eq(reader.entries.valid),
                reader.entries.ready.eq(columns.ready),
            ]
