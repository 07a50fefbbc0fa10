"""The fetch of several arrays: columns are asked for in one order, and each array has a buffer of its own."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.rtl.off_chip.fetch import AskedFor, Fetch, FetchedMatrix, InFlight
from deltatrain.rtl.off_chip.permits import Permits
from deltatrain.rtl.off_chip.request import FetchRequest
from deltatrain.rtl.off_chip.segment_splitter import ColumnsOp
from deltatrain.rtl.off_chip.turn_splitter import TurnSplitter
from deltatrain.rtl.parts.layouts import INDEX_BITS
from deltatrain.rtl.parts.memory_queue import MemoryQueue
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["ArrayFetch"]


class ArrayFetch(Fetch):
    """Requests the columns of A arrays as fast as the buffer has room for them, one segment a cycle.

    A segment lives as in `rtl.off_chip.fetch`. Its words wait for the lanes of its array, and segments of one turn
    leave together, as arrays keep in step. They share the room of the buffer. The words of each array wait in memories
    as large as all of it, as all columns of a list may be of one array.

    Parameters
    ----------
    engine, buffer_bytes, most_asked, weights, gradients
        As of `rtl.off_chip.fetch.Fetch`; the buffer holds two words of each matrix for each array.

    Attributes
    ----------
    ops : In(stream.Signature(ColumnsOp(arrays=A)))
        What to fetch, one op after the other.
    columns : In(stream.Signature(unsigned(INDEX_BITS))).array(A)
        The columns of each, of each array its own.
    requests : Out(stream.Signature(FetchRequest(A)))
        What to read, and for which array.
    weights, gradients : Out(FetchedMatrix).array(A)
        Words of W, of dW, of each array.
    may_begin, begins, passed, matrices
        As of `rtl.off_chip.fetch.Fetch`.
    """

    def __init__(
        self, *, engine: Engine, buffer_bytes: int, most_asked: int | None = None, weights: bool, gradients: bool
    ) -> None:
        self._arrays = engine.arrays
        of_matrices = {"weights": weights, "gradients": gradients}
        super().__init__(engine=engine, buffer_bytes=buffer_bytes, most_asked=most_asked, told=True, **of_matrices)

    def _members(self) -> dict[str, Any]:
        """Return the ports."""
        of_arrays: dict[str, Any] = {
            name: Out(FetchedMatrix(size.shape, self._depth[name])).array(self._arrays)
            for name, size in self._words.items()
        }
        return (
            super()._members()
            | {
                "ops": In(stream.Signature(ColumnsOp(arrays=self._arrays))),
                "columns": In(stream.Signature(unsigned(INDEX_BITS))).array(self._arrays),
                "requests": Out(stream.Signature(FetchRequest(self._arrays))),
            }
            | of_arrays
        )

    def elaborate(self, platform: object) -> Module:
        """Connect requests, what each array has in flight, and the room that segments take."""
        m = Module()
        m.submodules.splitter = splitter = TurnSplitter(arrays=self._arrays)
        connect(m, flipped(self.ops), splitter.ops)
        for columns, inside in zip(self.columns, splitter.columns, strict=True):
            connect(m, flipped(columns), inside)
        m.submodules.permits = permits = Permits()
        m.d.comb += [permits.may_begin.eq(self.may_begin), self.begins.eq(permits.noted)]
        m.submodules.asked = asked = RegisteredQueue(shape=self._asked_for, depth=2)
        self._reckon(m, splitter.segments, asked.i)
        self._free = Signal(range(self._room + 1), init=self._room, name="free")
        asks = self._ask(m, asked.o, permits)
        m.d.comb += [
            asked.i.payload.array.eq(splitter.segments.payload.array),
            self.requests.payload.array.eq(asked.o.payload.array),
        ]
        leaving = [self._follow_array(m, asked.o, array) for array in range(self._arrays)]
        rooms = (Mux(last_taken, room, 0) for last_taken, room in leaving)
        returned, any_leaves = Signal(range(self._room + 1)), Signal()
        m.d.comb += [returned.eq(sum(rooms)), any_leaves.eq(Cat(last_taken for last_taken, _ in leaving).any())]
        self._hold(m, asks, asked.o.payload.room, any_leaves, returned)
        return m

    @property
    def _asked_for(self) -> AskedFor:
        return AskedFor(max(self._depth.values()), self._room, arrays=self._arrays)

    def _follow_array(self, m: Module, asked: Any, array: int) -> tuple[Signal, Value]:
        """Follow an array's segments; return whether it takes the last word of one, and what room that gives back."""
        m.submodules[f"array_{array}"] = inside = Module()
        most, own = max(self._depth.values()), Signal(name=f"is_of_{array}")
        matrices = {name: ports[array] for name, ports in self.matrices.items()}
        inside.submodules.in_flight = in_flight = MemoryQueue(shape=InFlight(most, self._room), depth=most)
        inside.d.comb += own.eq(asked.payload.array == array)
        self._enter(inside, asked, in_flight, own)
        last_taken = self._follow(inside, in_flight, self._buffer(inside, in_flight, matrices))
        self._post(inside, asked.payload, in_flight, last_taken, matrices, own)
        return last_taken, in_flight.o.payload.room

    def _written(self, kind: str) -> Value:
        """Return the words of posted writes of a kind that the memory has newly taken, of all arrays."""
        written: Value = sum((port.written for port in self.matrices[kind][1:]), start=self.matrices[kind][0].written)
        return written
