"""Distributes entries to the lanes, and to the memories whose words they name."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry, GroupColumn, GroupEntry
from deltatrain.rtl.parts.registered_queue import RegisteredQueue

__all__ = ["EntryRouter"]

_OPS = 4
_LANE_ENTRIES = 4


class _Route(data.StructLayout):
    def __init__(self) -> None:
        super().__init__({"count": unsigned(INDEX_BITS + 1), "to_lanes": 1, "to_weights": 1, "to_gradients": 1})


class EntryRouter(Component):
    """Hands each entry to every part that needs it, as soon as that part can take it.

    An entry leaves when the last part has taken it.

    Memories are offered an entry in the cycle in which it comes, the lanes from the next cycle on, out of a queue.

    Parameters
    ----------
    value_bits
        Width of an entry's value.
    row
        What an entry tells of its column, where columns are compressed (`rtl.lists.column_table`).
    steps
        Steps whose values an entry may have. If they are several, it tells whether it is its op's last, and the count
        is not looked at.

    Attributes
    ----------
    enter : In(1)
        An op with entries begins; only while `has_room`. Its first entry comes in a later cycle.
    has_room : Out(1)
        Whether the router can take another op.
    count : In(unsigned(INDEX_BITS + 1))
        How many entries the op has, at least 1.
    to_lanes, to_weights, to_gradients : In(1)
        Which parts need its entries.
    i : In(stream.Signature(Entry(value_bits)))
        The entries of all ops, in their order; a `GroupEntry` each where they may be of several steps.
    lanes : Out(stream.Signature(Entry(value_bits)))
        Entries for the lanes.
    weights, gradients : Out(stream.Signature(unsigned(INDEX_BITS)))
        Columns for the memories of W, of dW; their rows where columns are compressed, a `GroupColumn` each of a
        `GroupEntry`.
    """

    def __init__(self, *, value_bits: int, row: data.Layout | None = None, steps: int = 1) -> None:
        check_at_least("value_bits", value_bits, 2)
        self._tells_last = steps > 1
        entry: data.Layout = GroupEntry(value_bits, steps) if steps > 1 else Entry(value_bits, row)
        column = GroupColumn() if steps > 1 else unsigned(INDEX_BITS) if row is None else row
        self._named = "index" if row is None else "row"
        super().__init__(
            {
                "enter": In(1),
                "has_room": Out(1),
                "count": In(INDEX_BITS + 1),
                "to_lanes": In(1),
                "to_weights": In(1),
                "to_gradients": In(1),
                "i": In(stream.Signature(entry)),
                "lanes": Out(stream.Signature(entry)),
                "weights": Out(stream.Signature(column)),
                "gradients": Out(stream.Signature(column)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Follow the entries of each op; remember which parts have taken the one in front."""
        m = Module()
        m.submodules.routes = routes = RegisteredQueue(shape=_Route(), depth=_OPS)
        m.submodules.queue = queue = RegisteredQueue(shape=self.i.payload.shape(), depth=_LANE_ENTRIES)
        entering, route = routes.i.payload, routes.o.payload
        connect(m, queue.o, flipped(self.lanes))
        m.d.comb += [
            entering.count.eq(self.count),
            entering.to_lanes.eq(self.to_lanes),
            entering.to_weights.eq(self.to_weights),
            entering.to_gradients.eq(self.to_gradients),
            routes.i.valid.eq(self.enter),
            self.has_room.eq(routes.i.ready),
            queue.i.payload.eq(self.i.payload),
        ]
        for to in (self.weights.payload, self.gradients.payload):
            if self._tells_last:
                m.d.comb += [to.index.eq(self.i.payload.index), to.last.eq(self.i.payload.last)]
            else:
                m.d.comb += to.eq(self.i.payload[self._named])
        here, gone = Signal(), Signal()
        m.d.comb += here.eq(self.i.valid & routes.o.valid)
        missing: Value | int = 0
        for name, offered, ready in (
            ("lanes", queue.i.valid, queue.i.ready),
            ("weights", self.weights.valid, self.weights.ready),
            ("gradients", self.gradients.valid, self.gradients.ready),
        ):
            sent, wanted = Signal(name=f"sent_{name}"), Signal(name=f"wanted_{name}")
            m.d.comb += [wanted.eq(here & route[f"to_{name}"] & ~sent), offered.eq(wanted)]
            m.d.sync += sent.eq((sent | (wanted & ready)) & ~gone)
            missing = missing | (wanted & ~ready)
        # The number of the entry in front, from 1 on, is in a register, so that no comparison waits for an adder.
        passing, last = Signal(INDEX_BITS + 1, init=1), Signal()
        m.d.comb += [
            gone.eq(here & ~missing),
            self.i.ready.eq(gone),
            last.eq(self.i.payload.last if self._tells_last else passing == route.count),
            routes.o.ready.eq(gone & last),
        ]
        with m.If(gone):
            m.d.sync += passing.eq(Mux(last, 1, passing + 1))
        return m
