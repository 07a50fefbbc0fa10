"""The engine unit: the lanes, the parts that feed them, and the parts that take their results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import outer, update
from deltatrain.accel.program import PHASES
from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.unit_counters import count_cycles, spent_layout
from deltatrain.rtl.commands.waits import Wait, command, counts_layout
from deltatrain.rtl.engine.entry_router import EntryRouter
from deltatrain.rtl.engine.gradients import Gradients
from deltatrain.rtl.engine.matrix_store import Banks, HostPort, MatrixStore
from deltatrain.rtl.engine.op import EngineOp, ReadyOp
from deltatrain.rtl.engine.part_gradients import PartGradients
from deltatrain.rtl.engine.ports import BetweenTiles, MatrixWords, SharedMemories
from deltatrain.rtl.lanes.banks import AccumulatorBanks
from deltatrain.rtl.lanes.op import Mode
from deltatrain.rtl.lanes.sparse import SparseLanes
from deltatrain.rtl.lanes.step_parity import StepParity
from deltatrain.rtl.lanes.unit import Lanes
from deltatrain.rtl.lists.column_table import row_of
from deltatrain.rtl.lists.entry_reader import EntryReader
from deltatrain.rtl.lists.look_up import connect_ahead
from deltatrain.rtl.lists.tile_readers import tile_reader
from deltatrain.rtl.parts.layouts import word

__all__ = ["EngineUnit", "entry_reader"]

_AHEAD = 4
"""Ops whose lists, and words of local matrices, may be read before the lanes take them."""


class _Kind(NamedTuple):
    """The ports that words of one kind of matrix, W or dW, pass, and the modes that read them."""

    name: str
    outside: Any
    words: Any
    new_words: Any
    entries: Any
    is_wanted: Signal
    modes: tuple[int, ...]


class EngineUnit(Component):
    """Runs the ops of the lanes, back to back unless an op has to wait.

        cycle  b: the op begins       b + 1            b + 2                       b + 3
               list is addressed;     its memory       first entry: to the         waits are done: op, entry and word
               it was looked up       answers          lanes' queue; word is       of W or dW are there, and the lanes
               in b - 1                                addressed                   issue it

    Words of a matrix that lives off-chip come from the fetch instead.

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
    soon_counts, ready_counts : In(counts_layout)
        From `rtl.commands.waits.DoneCounts`.
    running : In(1)
        Whether ops may start.
    learning_rate, momentum : In(signed)
        In ``formats.learning_rate``; the latter only where updates keep a velocity.
    lists, vectors, table : In(...)
        To the lists, to the memory of h, and to the table of compressed columns, see `rtl.lists.entry_reader`.
    weights, gradients : Out(HostPort) or Out(MatrixWords)
        Of W, of dW: the host's access if they live here, else the lanes' words.
    shared : Out(SharedMemories)
        For the element-wise unit.
    between : Out(BetweenTiles)
        For the exchange; present in one tile of several.
    soon : Out(1)
        High for one cycle for each op, in order: what it made is stored.
    spent : Out(spent_layout)
        Busy and stalled cycles by phase.
    """

    def __init__(self, *, engine: Engine, sizes: TileSizes) -> None:
        formats, lanes = engine.formats, engine.lanes
        self._sizes, row = sizes, row_of(sizes)
        of_lanes: dict[str, Any] = {
            "engine": engine,
            "accumulator_words": sizes.accumulator_words,
            "gate_lanes": sizes.gate_lanes,
            "mixed_lanes": sizes.mixed_lanes,
            "is_part": sizes.is_part,
            "keeps_velocity": bool(sizes.velocity),
            "restores": sizes.restores_sums,
        }
        self._lanes = self._make_lanes(of_lanes)
        self._reader = self._make_reader(engine)
        self._banks: AccumulatorBanks | StepParity = (
            AccumulatorBanks(regions=sizes.regions, restores=sizes.restores_sums)
            if row is None
            else StepParity(regions=sizes.regions, restores=sizes.restores_sums)
        )
        self._gradients: Gradients | PartGradients = (
            PartGradients(lanes=lanes, formats=formats, sizes=sizes)
            if sizes.is_part
            else Gradients(lanes=lanes, gradient=formats.gradient, sizes=sizes)
        )
        of_kind = {
            "weights": (sizes.weight_words, formats.weight.bits + sizes.number_bits),
            "gradients": (sizes.gradient_words, formats.weight_gradient_bits + sizes.number_bits),
        }
        self._stores = {
            name: MatrixStore(
                value_bits=bits,
                lanes=lanes,
                words=words,
                row=row,
                banks=_banks(sizes, name),
                tells_last=sizes.group_steps > 1,
            )
            for name, (words, bits) in of_kind.items()
            if words
        }
        matrices = {
            name: Out(HostPort(value_bits=bits, lanes=lanes, words=words) if words else MatrixWords(word(bits, lanes)))
            for name, (words, bits) in of_kind.items()
        }
        reader = self._reader.signature.members
        of_reader = {name: reader[name] for name in ("lists", "vectors", "table") if name in reader}
        self._set_ports(engine, of_reader | matrices)

    def _make_lanes(self, of_lanes: dict[str, Any]) -> Lanes:
        """Return the lanes."""
        row = row_of(self._sizes)
        if row is None:
            return Lanes(**of_lanes)
        return SparseLanes(number_bits=self._sizes.number_bits, row=row, **of_lanes)

    def _make_reader(self, engine: Engine) -> Any:
        """Return the reader of lists and vectors."""
        return entry_reader(engine, self._sizes)

    def _set_ports(self, engine: Engine, of_columns: dict[str, Any]) -> None:
        """Make the ports, of which `of_columns` bring lists and words."""
        sizes = self._sizes
        Component.__init__(
            self,
            {
                "commands": In(stream.Signature(command(EngineOp(sizes), sizes.units))),
                "soon_counts": In(counts_layout(sizes.units)),
                "ready_counts": In(counts_layout(sizes.units)),
                "running": In(1),
                **{name: self._lanes.signature.members[name] for name in sizes.update_factors},
                **of_columns,
                "shared": Out(SharedMemories(engine, sizes)),
                **({"between": Out(BetweenTiles(engine, sizes))} if sizes.is_part else {}),
                "soon": Out(1),
                "spent": Out(spent_layout(len(PHASES), sizes.units)),
            },
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the parts in the order of an op's way through them."""
        m = Module()
        m.submodules.begin = begin = Begin(
            EngineOp(self._sizes), ahead=_AHEAD, later=ReadyOp(self._sizes), units=self._sizes.units
        )
        m.submodules.start = start = Wait(ReadyOp(self._sizes), self._sizes.units, places=2)
        m.submodules.lanes = self._lanes
        connect(m, flipped(self.commands), begin.commands)
        connect(m, begin.later, start.i)
        m.d.comb += [begin.soon_counts.eq(self.soon_counts), start.counts.eq(self.ready_counts)]
        self._read(m, begin)
        self._start(m, start)
        m.d.comb += [getattr(self._lanes, name).eq(getattr(self, name)) for name in self._sizes.update_factors]
        m.d.comb += self.soon.eq(self._lanes.soon)
        self._share(m)
        if self._sizes.is_part:
            self._join(m, begin)
        return m

    # --- before an op may start

    def _read(self, m: Module, begin: Begin) -> None:
        """Begin an op when all that work on it have room: readers of its list and words, takers of its results."""
        m.submodules.reader = reader = self._reader
        row = row_of(self._sizes)
        m.submodules.router = router = EntryRouter(value_bits=len(reader.entries.payload.value), row=row)
        m.submodules.gradients = gradients = self._gradients
        op, mode, fires = begin.op, begin.op.lanes.mode, Signal()
        connect_ahead(m, begin, self.lists, reader)
        connect(m, flipped(self.vectors), reader.vectors)
        if row is not None:
            connect(m, flipped(self.table), reader.table)
        connect(m, reader.entries, router.i)
        connect(m, router.lanes, self._lanes.entries)
        rooms = [router.has_room, gradients.has_room]
        for kind in self._kinds(router):
            rooms += self._feed(m, begin, kind, fires)
        has_room = Signal()
        m.d.comb += [
            fires.eq(~reader.empty),
            has_room.eq(_all(rooms)),
            reader.sources.payload.eq(op.source),
            # `reader.count` is that of the source at the port; it is used above before the source is offered.
            reader.sources.valid.eq(begin.reads),
            begin.read.eq(reader.sources.ready),
            begin.has_room.eq(has_room),
            begin.item.op.eq(op.lanes),
            begin.item.count.eq(reader.count),
            router.count.eq(reader.count),
            router.to_lanes.eq((mode != Mode.UPDATE) | (row is not None)),
            router.enter.eq(begin.begins & fires),
            gradients.op.eq(op.results),
            gradients.op.adjoint.count.eq(Mux(mode == Mode.MATVEC_T, reader.count, 0)),
            gradients.enter.eq(begin.begins & ((mode == Mode.MATVEC_T) | (op.results.adjoint.clear_words != 0))),
        ]

    def _kinds(self, router: EntryRouter) -> tuple[_Kind, _Kind]:
        """Return the ports of W, and those of dW."""
        lanes, readers = self._lanes, (Mode.MATVEC, Mode.MATVEC_T, Mode.UPDATE)
        return (
            _Kind(
                "weights", self.weights, lanes.weights, lanes.new_weights, router.weights, router.to_weights, readers
            ),
            _Kind(
                "gradients",
                self.gradients,
                lanes.weight_gradients,
                lanes.new_weight_gradients,
                router.gradients,
                router.to_gradients,
                (Mode.OUTER, Mode.UPDATE),
            ),
        )

    def _feed(self, m: Module, begin: Begin, kind: _Kind, fires: Signal) -> list[Signal]:
        """Feed the lanes words of W, or of dW, from local memory or the port; return signals that say there is room."""
        name = kind.name
        if name not in self._stores:
            connect(m, flipped(kind.outside.words), kind.words)
            connect(m, kind.new_words, flipped(kind.outside.new_words))
            m.d.comb += kind.is_wanted.eq(0)
            return []
        store, op, reads = self._stores[name], begin.op, Signal(name=f"reads_{name}")
        m.submodules[f"{name}_store"] = store
        connect(m, store.host, flipped(kind.outside))
        connect(m, store.read_words, kind.words)
        connect(m, kind.new_words, store.new_words)
        connect(m, kind.entries, store.entries)
        m.d.comb += [reads.eq(_any(op.lanes.mode == mode for mode in kind.modes)), kind.is_wanted.eq(reads)]
        return [self._queue_ops(m, begin, store, name, op[name], self._reader.count, reads & fires)]

    def _queue_ops(
        self, m: Module, begin: Begin, store: MatrixStore, called: str, base: Value, columns: Value, reads: Value
    ) -> Signal:
        """Let a store read for an op that begins, if it `reads` of it; return whether there is room for another."""
        op, shape = begin.op, store.ops.payload.shape()
        m.submodules[f"{called}_ops"] = queue = SyncFIFO(width=shape.size, depth=_AHEAD)
        item = Signal(shape, name=f"{called}_op")
        m.d.comb += [
            item.base.eq(base),
            item.columns.eq(columns),
            item.words.eq(op.lanes.words),
            item.writes_back.eq((op.lanes.mode == Mode.OUTER) | (op.lanes.mode == Mode.UPDATE)),
            queue.w_data.eq(item),
            queue.w_en.eq(begin.begins & reads),
            store.ops.payload.eq(data.View(shape, queue.r_data)),
            store.ops.valid.eq(queue.r_rdy),
            queue.r_en.eq(store.ops.ready),
        ]
        return queue.w_rdy

    # --- when it may

    def _start(self, m: Module, start: Wait) -> None:
        """Offer the op in front to the lanes, with the banks of M that it reads and writes."""
        m.submodules.banks = banks = self._banks
        ready, op, to = start.o.payload, start.o.payload.op, self._lanes.ops
        adds, named = op.mode == Mode.MATVEC, dict(op.shape())
        m.d.comb += [
            to.valid.eq(start.o.valid & self.running),
            start.o.ready.eq(to.ready & self.running),
            *(to.payload[name].eq(op[name]) for name, _ in to.payload.shape() if name in named),
            to.payload.count.eq(ready.count),
            to.payload.source.eq(Mux(adds, banks.source, op.bank.replicate(2))),
            to.payload.target.eq(banks.target),
            to.payload.from_zero.eq(Mux(adds, banks.from_zero, 0)),
            banks.region.eq(op.region),
            banks.recurrent.eq(op.recurrent),
            banks.starts.eq(op.starts),
            banks.ends.eq(op.ends),
            banks.fires.eq(ready.count != 0),
            banks.take.eq(adds & to.valid & to.ready),
            banks.read_region.eq(self.shared.read_region),
            self.shared.read_banks.eq(banks.read_banks),
            self.shared.read_zeros.eq(banks.read_zeros),
        ]
        if self._sizes.restores_sums:
            m.d.comb += [
                to.payload.restored.eq(Mux(adds, banks.source_restored, 0)),
                banks.restore.eq(self.shared.restore),
                self.shared.read_restored.eq(banks.read_restored),
            ]
            if self._sizes.number_bits:  # a step is taken out in place, and the one before has its parity
                m.d.comb += banks.ends.eq(op.ends & ~op.undoes)
        count_cycles(
            m,
            self._sizes,
            self.spent,
            running=self.running,
            active=to.valid,
            works=self._lanes.issues,
            unmet=start.unmet,
            phase=op.phase,
        )

    # --- when it is done

    def _share(self, m: Module) -> None:
        """Let the element-wise unit reach M, g(M), and the gradient of h that the results of `matvec_t` become."""
        lanes, gradients, shared = self._lanes, self._gradients, self.shared
        self._connect_results(m)
        connect(m, lanes.memory, flipped(shared.memory))
        if self._sizes.restores_sums:
            connect(m, lanes.restored, flipped(shared.restored))
        connect(m, lanes.gradient, flipped(shared.gradient))
        connect(m, lanes.new_gradient, flipped(shared.new_gradient))
        connect(m, gradients.g_above, flipped(shared.g_above))
        connect(m, gradients.g_recurrent, flipped(shared.g_recurrent))

    def _connect_results(self, m: Module) -> None:
        """Give the adjoint the results of the lanes."""
        connect(m, self._lanes.results, self._gradients.results)

    def _join(self, m: Module, begin: Begin) -> None:
        """Connect the parts that only one tile of several has with the exchange."""
        gradients, between = self._gradients, self.between
        connect(m, self._lanes.partial, flipped(between.partial))
        connect(m, flipped(between.reduced), gradients.reduced)
        connect(m, gradients.sums, flipped(between.sums))
        connect(m, gradients.sum_counts, flipped(between.sum_counts))
        with m.If(begin.advances):  # it comes with the place of the list, see `rtl.lists.look_up`
            m.d.sync += gradients.own.eq(between.own)


def entry_reader(engine: Engine, sizes: TileSizes, array: int = 0) -> EntryReader:
    """Return the reader of an array's lists and vectors."""
    most = sizes.most_columns(engine.lanes)
    return tile_reader(engine, sizes, array, most_columns=most, marks=bool(sizes.spikes))


def _banks(sizes: TileSizes, kind: str) -> Banks | None:
    """Return the banks of one port that matrices of a kind are in."""
    of_kind = {"weights": update.RETURN_CYCLES[0], "gradients": outer.RETURN_CYCLES[0]}
    return Banks(sizes.banks, of_kind[kind]) if sizes.banks else None


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
