"""The lanes with what feeds them and what takes their results, each op when all it waits for is done."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import Component, In, Out, Signature, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.accel.program import PHASES
from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import UnitCounters, spent_layout
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.engine.entry_router import EntryRouter
from deltatrain.rtl.engine.gradients import Gradients
from deltatrain.rtl.engine.matrix_store import MatrixStore
from deltatrain.rtl.engine.op import EngineOp, ReadyOp
from deltatrain.rtl.engine.part_gradients import PartGradients
from deltatrain.rtl.lanes.banks import AccumulatorBanks
from deltatrain.rtl.lanes.op import Mode
from deltatrain.rtl.lanes.unit import Lanes
from deltatrain.rtl.lists.entry_reader import EntryReader

__all__ = ["EngineUnit"]

_AHEAD = 4
"""Ops whose lists, and words of local matrices, may be read before the lanes take them."""

_STORES = {"weights": (Mode.MATVEC, Mode.MATVEC_T, Mode.UPDATE), "gradients": (Mode.OUTER, Mode.UPDATE)}
"""Which modes read which matrices."""


class EngineUnit(Component):
    """Runs the ops of the lanes, back to back where nothing has to be waited for.

        cycle  s                          s + 1                          s + 2
               waits are stored: list is  first entry: to the lanes'     waits are done: op, entry and word of W or dW
               looked up, addressed       queue; word is addressed       are there, and the lanes issue it

    Words of a matrix that lives off-chip come from the fetch instead, through the ports ``weights`` and
    ``weight_gradients``, and go back through ``new_weights`` and ``new_weight_gradients``.

    Parameters
    ----------
    engine
        Lanes and formats.
    sizes
        Of the tile's memories; W and dW are local where they have words.

    Attributes
    ----------
    commands : In(stream.Signature(command(EngineOp)))
        What to do.
    soon_counts, done_counts : In(counts_layout)
        From `rtl.commands.waits.DoneCounts`.
    running : In(1)
        Whether ops may start.
    learning_rate : In(signed)
        In ``formats.learning_rate``.
    table, ring, vectors : In(...)
        To the lists and to the memory of h, see `rtl.lists.entry_reader`.
    weights, weight_gradients : In(stream.Signature(word))
        Words of a matrix that lives off-chip; the host's access to one that lives here is ``local_weights``,
        ``local_gradients``, see `rtl.engine.matrix_store`.
    new_weights, new_weight_gradients : Out(stream.Signature(word))
        Words for a matrix that lives off-chip.
    memory, gradient, new_gradient : Out(...)
        For the element-wise unit, see `rtl.lanes.unit`.
    g_above, g_recurrent : Out(ReadPort.Signature)
        The two parts of the gradient of h, likewise; a word that was read is zero until it is written again.
    read_region, read_banks, read_zeros
        Where M is, see `rtl.lanes.banks`.
    own, sums, sum_counts, reduced, partial
        Of one tile of several, see `rtl.engine.part_gradients` and `rtl.lanes.unit`.
    soon : Out(1)
        What the oldest op that was not announced yet made is stored.
    spent : Out(spent_layout)
        Busy and stalled cycles by phase.
    """

    def __init__(self, *, engine: Engine, sizes: TileSizes) -> None:
        formats, lanes = engine.formats, engine.lanes
        self._sizes = sizes
        self._lanes = Lanes(engine=engine, accumulator_words=sizes.accumulator_words, is_part=sizes.is_part)
        activation = formats.activation
        self._reader = EntryReader(
            value_bits=activation.bits,
            lanes=lanes,
            ring_depth=sizes.entry_places,
            lists=sizes.list_numbers,
            vector_words=sizes.vector_words,
            one=min(1 << activation.fraction_bits, activation.highest),
        )
        self._banks = AccumulatorBanks(regions=sizes.regions)
        self._gradients: Gradients | PartGradients = (
            PartGradients(lanes=lanes, formats=formats, sizes=sizes)
            if sizes.is_part
            else Gradients(lanes=lanes, gradient=formats.gradient, sizes=sizes)
        )
        of_kind = {
            "weights": (sizes.weight_words, formats.weight.bits),
            "gradients": (sizes.gradient_words, formats.weight_gradient_bits),
        }
        self._stores = {
            name: MatrixStore(value_bits=bits, lanes=lanes, words=words)
            for name, (words, bits) in of_kind.items()
            if words
        }
        super().__init__(self._members())

    def _members(self) -> dict[str, object]:
        lanes, reader, banks = (part.signature.members for part in (self._lanes, self._reader, self._banks))
        members: dict[str, object] = {
            "commands": In(stream.Signature(command(EngineOp(self._sizes), self._sizes.units))),
            "soon_counts": In(counts_layout(self._sizes.units)),
            "done_counts": In(counts_layout(self._sizes.units)),
            "running": In(1),
            **{name: reader[name] for name in ("table", "ring", "vectors")},
            **{name: lanes[name] for name in ("learning_rate", "memory", "gradient", "new_gradient")},
            **{name: self._gradients.signature.members[name] for name in ("g_above", "g_recurrent")},
            **{name: banks[name] for name in ("read_region", "read_banks", "read_zeros")},
            "soon": Out(1),
            "spent": Out(spent_layout(len(PHASES), self._sizes.units)),
        }
        if self._sizes.is_part:
            members |= {name: self._gradients.signature.members[name] for name in _BETWEEN}
            members["partial"] = lanes["partial"]
        for name, store in self._stores.items():
            host = {k: store.signature.members[k] for k in ("host_writes", "host_addresses", "host_words")}
            members[f"local_{name}"] = Out(Signature(host))
        for kind, port in _PORTS.items():
            if kind not in self._stores:
                members |= {port: lanes[port], f"new_{port}": lanes[f"new_{port}"]}
        return members

    def elaborate(self, platform: object) -> Module:
        """Connect the parts in the order of an op's way through them."""
        m = Module()
        m.submodules.begin = begin = Begin(
            EngineOp(self._sizes), ahead=_AHEAD, later=ReadyOp(self._sizes), units=self._sizes.units
        )
        m.submodules.start = start = Wait(ReadyOp(self._sizes), self._sizes.units)
        m.submodules.lanes = self._lanes
        connect(m, flipped(self.commands), begin.commands)
        connect(m, begin.later, start.i)
        m.d.comb += [begin.soon_counts.eq(self.soon_counts), start.counts.eq(self.done_counts)]
        self._read(m, begin)
        self._start(m, start)
        self._take_results(m)
        m.d.comb += [self._lanes.learning_rate.eq(self.learning_rate), self.soon.eq(self._lanes.soon)]
        for port in ("memory", "gradient", "new_gradient"):
            connect(m, getattr(self._lanes, port), flipped(getattr(self, port)))
        return m

    # --- before an op may start

    def _read(self, m: Module, begin: Begin) -> None:
        """Begin an op when everybody who must know of it has room: who reads its list, its words, takes its results."""
        m.submodules.reader = reader = self._reader
        m.submodules.router = router = EntryRouter(value_bits=len(reader.entries.payload.value))
        m.submodules.gradients = gradients = self._gradients
        op, mode, fires = begin.op, begin.op.lanes.mode, Signal()
        for port in ("table", "ring", "vectors"):
            connect(m, flipped(getattr(self, port)), getattr(reader, port))
        connect(m, reader.entries, router.i)
        connect(m, router.lanes, self._lanes.entries)
        rooms = [router.has_room, gradients.has_room]
        for name in _STORES:
            rooms += self._feed(m, begin, router, name, fires)
        has_room = Signal()
        m.d.comb += [
            fires.eq(reader.count != 0),
            has_room.eq(_all(rooms)),
            reader.sources.payload.eq(op.source),
            # What the source at the port counts is looked at before the reader may take it.
            reader.sources.valid.eq(begin.reads),
            begin.read.eq(reader.sources.ready),
            begin.has_room.eq(has_room),
            begin.item.waits.eq(begin.commands.payload.waits),
            begin.item.op.op.eq(op.lanes),
            begin.item.op.count.eq(reader.count),
            router.count.eq(reader.count),
            router.to_lanes.eq(mode != Mode.UPDATE),
            router.enter.eq(begin.begins & fires),
            gradients.op.eq(op.results),
            gradients.op.adjoint.count.eq(Mux(mode == Mode.MATVEC_T, reader.count, 0)),
            gradients.enter.eq(begin.begins & ((mode == Mode.MATVEC_T) | (op.results.adjoint.clear_words != 0))),
        ]

    def _feed(self, m: Module, begin: Begin, router: EntryRouter, name: str, fires: Signal) -> list[Signal]:
        """Let the lanes have the words of W, or of dW, from memory or from the port; return whose room counts."""
        port = _PORTS[name]
        words, new_words = getattr(self._lanes, port), getattr(self._lanes, f"new_{port}")
        if name not in self._stores:
            connect(m, flipped(getattr(self, port)), words)
            connect(m, new_words, flipped(getattr(self, f"new_{port}")))
            m.d.comb += getattr(router, f"to_{name}").eq(0)
            return []
        store, op, reads = self._stores[name], begin.op, Signal(name=f"reads_{name}")
        m.submodules[f"{name}_store"] = store
        shape = store.ops.payload.shape()
        queue = SyncFIFO(width=shape.size, depth=_AHEAD)
        m.submodules[f"{name}_ops"] = queue
        item = Signal(shape, name=f"{name}_op")
        host = getattr(self, f"local_{name}")
        connect(m, flipped(host.host_writes), store.host_writes)
        connect(m, flipped(host.host_addresses), store.host_addresses)
        connect(m, store.host_words, flipped(host.host_words))
        connect(m, store.read_words, words)
        connect(m, new_words, store.new_words)
        m.d.comb += [
            reads.eq(_any(op.lanes.mode == mode for mode in _STORES[name])),
            getattr(router, f"to_{name}").eq(reads),
            item.base.eq(op[name]),
            item.columns.eq(self._reader.count),
            item.words.eq(op.lanes.words),
            item.writes_back.eq((op.lanes.mode == Mode.OUTER) | (op.lanes.mode == Mode.UPDATE)),
            queue.w_data.eq(item),
            queue.w_en.eq(begin.begins & reads & fires),
            store.ops.payload.eq(data.View(shape, queue.r_data)),
            store.ops.valid.eq(queue.r_rdy),
            queue.r_en.eq(store.ops.ready),
            store.entries.payload.eq(getattr(router, name).payload),
            store.entries.valid.eq(getattr(router, name).valid),
            getattr(router, name).ready.eq(store.entries.ready),
        ]
        return [queue.w_rdy]

    # --- when it may

    def _start(self, m: Module, start: Wait) -> None:
        """Offer the op in front to the lanes, with the banks of M that it reads and writes."""
        m.submodules.banks = banks = self._banks
        ready, op, to = start.o.payload, start.o.payload.op, self._lanes.ops
        adds = op.mode == Mode.MATVEC
        m.d.comb += [
            to.valid.eq(start.o.valid & self.running),
            start.o.ready.eq(to.ready & self.running),
            *(to.payload[name].eq(op[name]) for name in ("mode", "words", "address", "split", "upper_address")),
            to.payload.count.eq(ready.count),
            to.payload.source.eq(Mux(adds, banks.source, op.bank.replicate(2))),
            to.payload.target.eq(banks.target),
            to.payload.from_zero.eq(Mux(adds, banks.from_zero, 0)),
            *(getattr(banks, name).eq(op[name]) for name in ("region", "recurrent", "starts", "ends")),
            banks.fires.eq(ready.count != 0),
            banks.take.eq(adds & to.valid & to.ready),
            banks.read_region.eq(self.read_region),
            self.read_banks.eq(banks.read_banks),
            self.read_zeros.eq(banks.read_zeros),
        ]
        self._count(m, start)

    def _count(self, m: Module, start: Wait) -> None:
        m.submodules.counters = counters = UnitCounters(phases=len(PHASES), units=self._sizes.units)
        m.d.comb += [
            counters.running.eq(self.running),
            counters.active.eq(self._lanes.ops.valid),
            counters.works.eq(self._lanes.issues),
            counters.unmet.eq(start.unmet),
            counters.phase.eq(start.o.payload.op.phase),
            self.spent.eq(counters.spent),
        ]

    # --- when it is done

    def _take_results(self, m: Module) -> None:
        """Let the gradients of h and of inputs become what the gates read."""
        connect(m, self._lanes.results, self._gradients.results)
        for port in ("g_above", "g_recurrent"):
            connect(m, flipped(getattr(self, port)), getattr(self._gradients, port))
        if not self._sizes.is_part:
            return
        connect(m, self._lanes.partial, flipped(self.partial))
        connect(m, flipped(self.reduced), self._gradients.reduced)
        connect(m, self._gradients.sums, flipped(self.sums))
        connect(m, self._gradients.sum_counts, flipped(self.sum_counts))
        m.d.comb += self._gradients.own.eq(self.own)


_BETWEEN = ("own", "sums", "sum_counts", "reduced")
"""Ports for what one of several tiles gives and takes."""

_PORTS = {"weights": "weights", "gradients": "weight_gradients"}
"""The lanes' streams of words by kind of matrix."""


def _all(bits: list[Signal]) -> Value:
    found: Value = bits[0]
    for bit in bits[1:]:
        found = found & bit
    return found


def _any(bits: Iterable[Value]) -> Value | int:
    found: Value | int = 0
    for bit in bits:
        found = found | bit
    return found
