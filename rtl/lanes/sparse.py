"""Lanes of compressed columns: each entry comes with the number of its word, by which a lane finds its accumulator."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.lanes.issue import Issue
from deltatrain.rtl.lanes.op import BANKS, Mode
from deltatrain.rtl.lanes.sparse_memory import SparseMemory
from deltatrain.rtl.lanes.unit import Lanes
from deltatrain.rtl.lists.column_table import ColumnRow
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.lane_runs import addresses, enables
from deltatrain.rtl.parts.layouts import word
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["SparseLanes"]


class SparseLanes(Lanes):
    """The lanes, where an entry of a word is a value and, above it, the number of the word of its row.

    Nothing goes from lane to lane: a number picks one of the lane's own accumulators, or its own g(M). The number of
    all ones says that the lane has no weight there: it adds to no accumulator, and its g counts as zero, so that its dW
    stays zero, and so does its weight. Numbers go back with what `outer` and `update` make. The stages are those of
    `Lanes`, and so are the cycles of a word. `update` takes entries too, as they tell how long its columns are.

    Parameters
    ----------
    number_bits
        Width of a number.
    row
        What an entry of a list tells of its column.
    engine, accumulator_words, gate_lanes, mixed_lanes, is_part, keeps_velocity, restores
        As of `Lanes`.
    """

    def __init__(
        self,
        *,
        number_bits: int,
        row: ColumnRow,
        engine: Engine,
        accumulator_words: int,
        gate_lanes: int = 0,
        mixed_lanes: int = 0,
        is_part: bool = False,
        keeps_velocity: bool = False,
        restores: bool = False,
    ) -> None:
        self._number_bits, self._row = number_bits, row
        super().__init__(
            engine=engine,
            accumulator_words=accumulator_words,
            gate_lanes=gate_lanes,
            mixed_lanes=mixed_lanes,
            is_part=is_part,
            keeps_velocity=keeps_velocity,
            restores=restores,
        )

    @property
    def _weights(self) -> data.ArrayLayout:
        return word(self._engine.formats.weight.bits + self._number_bits, self._engine.lanes)

    @property
    def _weight_gradients(self) -> data.ArrayLayout:
        return word(self._engine.formats.weight_gradient_bits + self._number_bits, self._engine.lanes)

    def _take(self, m: Module, issue: Issue) -> None:
        """Give the issue the values, and keep the numbers beside them."""
        self._numbers: dict[str, list[Signal]] = {}
        for port, inside in ((self.weights, issue.weights), (self.weight_gradients, issue.gradients)):
            kind = "weights" if port is self.weights else "gradients"
            m.d.comb += [inside.valid.eq(port.valid), port.ready.eq(inside.ready)]
            self._numbers[kind] = []
            for lane, entry in enumerate(port.payload):
                number = Signal(self._number_bits, name=f"{kind}_number_{lane}")
                bits = len(inside.payload[lane])
                m.d.comb += [inside.payload[lane].eq(Value.cast(entry)[:bits]), number.eq(Value.cast(entry)[bits:])]
                self._numbers[kind].append(number)

    def _returned(self, m: Module, values: data.View, kind: str, cycles: int) -> Value:
        """Return values that were made `cycles` after their word was issued, with its numbers."""
        numbers = [delayed(m, number, cycles) for number in self._numbers[kind]]
        return Cat(Cat(value, number) for value, number in zip(values, numbers, strict=True))

    def _held_gradients(self, m: Module, issue: Issue) -> list[Value]:
        """Return each lane's g(M) in stage 1, zero where it has no weight."""
        bits, depth, held = self._engine.formats.gradient.bits, BANKS * self._accumulator_words, []
        self._find(m, issue)
        shown_at, new, bank = addresses(self.gradient), self.new_gradient, issue.ops.payload.source[0]
        for number, run in enumerate(self._runs):
            for lane in run:
                memory = UncheckedMemory(shape=signed(bits), depth=depth)
                m.submodules[f"gradients_{lane}"] = memory
                shown, read, write = memory.read_port(), memory.read_port(), memory.write_port()
                m.d.comb += [
                    read.addr.eq(Cat(bank, self._place[lane])),
                    shown.en.eq(self.gradient.en),
                    shown.addr.eq(shown_at[number]),
                    write.en.eq(enables(new)[number]),
                    write.addr.eq(addresses(new)[number]),
                    self.gradient.data[lane].eq(shown.data),
                    write.data.eq(new.data[lane]),
                ]
                held.append(Mux(delayed(m, self._exists[lane], 1), read.data, 0))
        return held

    def _find(self, m: Module, issue: Issue) -> None:
        """Find each lane's accumulator in stage 0: in the upper part from a word, or a lane in a word, on."""
        op: Any = issue.ops.payload
        lane_bits = ceil_log2(self._engine.lanes)
        upper_lane = op.upper_lane if self._mixed_lanes else Signal(max(lane_bits, 1), name="no_lane")
        has_upper, of_upper = Signal(), Signal.like(op.address)
        m.d.comb += [
            has_upper.eq((op.split != 0) | (upper_lane != 0)),
            of_upper.eq(op.upper_address - op.split),
        ]
        self._place: list[Signal] = []
        self._exists: list[Signal] = []
        for lane in range(self._engine.lanes):
            number = Signal(self._number_bits, name=f"number_{lane}")
            place, exists = Signal.like(op.address, name=f"place_{lane}"), Signal(name=f"exists_{lane}")
            is_upper = has_upper & ((number > op.split) | ((number == op.split) & (upper_lane <= lane)))
            m.d.comb += [
                number.eq(Mux(op.mode == Mode.OUTER, self._numbers["gradients"][lane], self._numbers["weights"][lane])),
                place.eq(Mux(is_upper, of_upper, op.address) + number),
                exists.eq(~number.all()),
            ]
            self._place.append(place)
            self._exists.append(exists)

    def _accumulate(self, m: Module, issue: Issue, products: list[Signal]) -> None:
        """Let `matvec` add to M, each lane for itself."""
        adds = Signal(name="adds")
        m.d.comb += adds.eq(issue.o.work & (issue.o.mode == Mode.MATVEC))
        for run, address in zip(self._runs, addresses(self.memory), strict=True):
            for lane in run:
                memory = SparseMemory(
                    formats=self._engine.formats,
                    accumulator_words=self._accumulator_words,
                    product_bits=sum(self._factor_bits),
                    is_part=self._is_part,
                    restores=self._restores,
                )
                m.submodules[f"memory_{lane}"] = memory
                m.d.comb += [
                    memory.active.eq(adds & delayed(m, self._exists[lane], 1)),
                    memory.place.eq(delayed(m, self._place[lane], 1)),
                    memory.odd.eq(issue.o.target[0]),
                    memory.first.eq(delayed(m, issue.ops.payload.from_zero[0], 1)),
                    memory.product.eq(products[lane]),
                    memory.en.eq(self.memory.en),
                    memory.addr.eq(address[: len(memory.addr)]),
                    self.memory.data[lane].eq(memory.data),
                ]
                if self._restores:
                    m.d.comb += [
                        memory.undoes.eq(issue.o.undoes),
                        memory.restored.en.eq(self.restored.en),
                        memory.restored.addr.eq(self.restored.addr),
                        memory.restored.data.eq(self.restored.data[lane]),
                    ]
                if self._is_part:
                    m.d.comb += [
                        memory.partial.en.eq(self.partial.en),
                        memory.partial.addr.eq(self.partial.addr),
                        self.partial.data[lane].eq(memory.partial.data),
                    ]
