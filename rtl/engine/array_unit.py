"""The engine unit of several arrays: the lanes of all of them, and for each the parts that feed it."""

from __future__ import annotations

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Out, connect, flipped

from deltatrain.accel.engine import Engine
from deltatrain.rtl.commands.begin import Begin
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.commands.waits import Wait
from deltatrain.rtl.engine.array_gradients import ArrayGradients
from deltatrain.rtl.engine.entry_router import EntryRouter
from deltatrain.rtl.engine.matrix_store import HostPort, MatrixStore
from deltatrain.rtl.engine.ports import MatrixWords
from deltatrain.rtl.engine.unit import EngineUnit, entry_reader
from deltatrain.rtl.lanes.arrays import ArrayLanes
from deltatrain.rtl.lanes.banks import AccumulatorBanks
from deltatrain.rtl.lanes.op import Mode
from deltatrain.rtl.lists.in_turns import read_in_turns
from deltatrain.rtl.lists.look_up import connect_ahead
from deltatrain.rtl.parts.division import divided
from deltatrain.rtl.parts.layouts import word

__all__ = ["ArrayEngineUnit"]


class _Kind(NamedTuple):
    """Words of one kind of matrix: its name, the names of the lanes' ports, and the modes that read them."""

    name: str
    words: str
    new_words: str
    modes: tuple[int, ...]


_KINDS = (
    _Kind("weights", "weights", "new_weights", (Mode.MATVEC, Mode.MATVEC_T, Mode.UPDATE)),
    _Kind("gradients", "weight_gradients", "new_weight_gradients", (Mode.OUTER, Mode.UPDATE)),
)


class ArrayEngineUnit(EngineUnit):
    """Runs the ops of A arrays; column j, its list entry and its words are of array j mod A alone.

    Each array has an entry reader, a router and a memory of W and of dW, which read ahead as those of one array do. An
    op begins when all have room, and its words are issued turn after turn to all arrays at once. Column j is column
    j div A of its array's memory.

    Parameters
    ----------
    engine, sizes
        As of `rtl.engine.unit.EngineUnit`.

    Attributes
    ----------
    lists, vectors : In(...).array(A)
        As of `rtl.engine.unit.EngineUnit`, of each array.
    weights, gradients : Out(HostPort).array(A) or Out(MatrixWords).array(A)
        Of W and dW of each array: the host's access if they live here, else the lanes' words.
    commands, soon_counts, ready_counts, running, learning_rate, shared, soon, spent
        As of `rtl.engine.unit.EngineUnit`.
    """

    def __init__(self, *, engine: Engine, sizes: TileSizes) -> None:
        formats, lanes, arrays = engine.formats, engine.lanes, engine.arrays
        self._sizes = sizes
        self._lanes: Any = ArrayLanes(
            engine=engine,
            accumulator_words=sizes.accumulator_words,
            sum_words=sizes.sum_words,
            gate_lanes=sizes.gate_lanes,
            mixed_lanes=sizes.mixed_lanes,
            keeps_velocity=bool(sizes.velocity),
        )
        self._readers = [entry_reader(engine, sizes, array) for array in range(arrays)]
        self._banks = AccumulatorBanks(regions=sizes.regions)
        self._gradients: Any = ArrayGradients(lanes=lanes, gradient=formats.gradient, sizes=sizes)
        of_kind = {
            "weights": (sizes.weight_words, formats.weight.bits),
            "gradients": (sizes.gradient_words, formats.weight_gradient_bits),
        }
        self._array_stores = {
            name: [MatrixStore(value_bits=bits, lanes=lanes, words=words) for _ in range(arrays)]
            for name, (words, bits) in of_kind.items()
            if words
        }
        matrices = {
            name: HostPort(value_bits=bits, lanes=lanes, words=words) if words else MatrixWords(word(bits, lanes))
            for name, (words, bits) in of_kind.items()
        }
        reader = self._readers[0].signature.members
        self._set_ports(
            engine,
            {
                "lists": reader["lists"].array(arrays),
                "vectors": reader["vectors"].array(arrays),
                **{name: Out(port).array(arrays) for name, port in matrices.items()},
            },
        )

    def _read(self, m: Module, begin: Begin) -> None:
        """Begin an op when all that work on it have room, in every array."""
        counts = [reader.count for reader in self._readers]
        turns = read_in_turns(m, begin, self._readers)
        m.submodules.gradients = gradients = self._gradients
        rooms: list[Value] = [gradients.has_room]
        for number in range(len(self._readers)):
            rooms += self._read_array(m, begin, number)
        op, mode = begin.op, begin.op.lanes.mode
        m.d.comb += [
            begin.has_room.eq(Cat(rooms).all()),
            begin.item.op.eq(op.lanes),
            begin.item.count.eq(turns),
            *(begin.item.counts[number].eq(count) for number, count in enumerate(counts)),
            gradients.op.eq(op.results),
            *(gradients.counts[number].eq(Mux(mode == Mode.MATVEC_T, count, 0)) for number, count in enumerate(counts)),
            gradients.enter.eq(begin.begins & ((mode == Mode.MATVEC_T) | (op.results.adjoint.clear_words != 0))),
        ]

    def _read_array(self, m: Module, begin: Begin, number: int) -> list[Value]:
        """Connect an array's reader, router and memories; return signals that say there is room."""
        reader, mode, fires = self._readers[number], begin.op.lanes.mode, Signal(name=f"fires_{number}")
        m.submodules[f"reader_{number}"] = reader
        m.submodules[f"router_{number}"] = router = EntryRouter(value_bits=len(reader.entries.payload.value))
        connect_ahead(m, begin, self.lists[number], reader)
        connect(m, flipped(self.vectors[number]), reader.vectors)
        connect(m, reader.entries, router.i)
        connect(m, router.lanes, self._lanes.entries[number])
        m.d.comb += [
            fires.eq(~reader.empty),
            router.count.eq(reader.count),
            router.to_lanes.eq(mode != Mode.UPDATE),
            router.enter.eq(begin.begins & fires),
        ]
        return [router.has_room, *(self._feed_array(m, begin, kind, number, router, fires) for kind in _KINDS)]

    def _feed_array(
        self, m: Module, begin: Begin, kind: _Kind, number: int, router: EntryRouter, fires: Signal
    ) -> Value:
        """Feed an array's lanes words of W, or of dW; return whether another op can be taken."""
        name = kind.name
        if name not in self._array_stores:
            outside = getattr(self, name)[number]
            connect(m, flipped(outside.words), getattr(self._lanes, kind.words)[number])
            connect(m, getattr(self._lanes, kind.new_words)[number], flipped(outside.new_words))
            m.d.comb += getattr(router, f"to_{name}").eq(0)
            return Const(1)
        store, op, reads = self._array_stores[name][number], begin.op, Signal(name=f"reads_{name}_{number}")
        m.submodules[f"{name}_store_{number}"] = store
        entries, columns = getattr(router, name), self._readers[number].count
        connect(m, store.host, flipped(getattr(self, name)[number]))
        connect(m, store.read_words, getattr(self._lanes, kind.words)[number])
        connect(m, getattr(self._lanes, kind.new_words)[number], store.new_words)
        m.d.comb += [
            reads.eq(Cat(op.lanes.mode == mode for mode in kind.modes).any()),
            getattr(router, f"to_{name}").eq(reads),
            store.entries.payload.eq(divided(entries.payload, len(self._readers)).quotient),
            store.entries.valid.eq(entries.valid),
            entries.ready.eq(store.entries.ready),
        ]
        return self._queue_ops(m, begin, store, f"{name}_{number}", op[name], columns, reads & fires)

    def _start(self, m: Module, start: Wait) -> None:
        """Offer the op in front to the lanes, with the columns of each array."""
        super()._start(m, start)
        m.d.comb += self._lanes.counts.eq(start.o.payload.counts)

    def _connect_results(self, m: Module) -> None:
        """Give the adjoints the results of the lanes."""
        for number in range(len(self._readers)):
            connect(m, self._lanes.results[number], self._gradients.results[number])
