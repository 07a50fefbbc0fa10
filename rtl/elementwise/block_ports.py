"""How lanes reach the blocks of M and g(M): each run of lanes has its address, and a word is rotated to its neurons.

Neuron i of a chunk is in lane (s + i) mod P of a block that begins in lane s. Lanes before s are of the word behind:

    P = 4, s = 3      lane 0    lane 1    lane 2    lane 3
    word w                                          neuron 0
    word w + 1        neuron 1  neuron 2  neuron 3  ..

Neurons behind the layer's last one read zero, and a run in which there are only such is not written: the next block may
be there. Where every block begins with a word nothing is rotated, and no gate is there for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.memory import ReadPort, WritePort

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.rtl.elementwise.chunk_lines import ChunkLines
from deltatrain.rtl.elementwise.plan import BACKWARD, FORWARD, Plan
from deltatrain.rtl.elementwise.timetable import Read, Write
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.lane_runs import addresses, enables
from deltatrain.rtl.parts.number import rescale

__all__ = ["BANK_OF", "BlockPorts", "part_of"]

BANK_OF = {"memory": "banks", "gradient": "later_gradient_bank", "new_gradient": "gradient_bank"}
"""Member of the op that says in which bank what a port reaches lies; of M, for each of its parts."""


def part_of(arithmetic: CellArithmetic, port: str, block: int) -> int:
    """Return the part of M, as `rtl.lanes.banks.PARTS` has them, that `block` belongs to; g(M) has only one."""
    in_x, in_h = block in arithmetic.BLOCKS_X, block in arithmetic.BLOCKS_H
    if port != "memory" or (in_x and in_h):
        return 0
    return 1 if in_x else 2


class BlockPorts:
    """Drives the ports to M and g(M).

    Parameters
    ----------
    m
        The module of the unit.
    plan, arithmetic
        Of the cell.
    runs
        Runs of lanes, see `rtl.parts.lane_runs`.
    beats, lines
        Which chunk is in which cycle, and what is known of it.
    has_third_bank
        Whether M may be in a third bank, which the highest bit of its address is for (`rtl.lanes.banks`).
    """

    def __init__(
        self,
        m: Module,
        plan: Plan,
        arithmetic: CellArithmetic,
        runs: list[range],
        beats: Sequence[Sequence[Signal]],
        lines: ChunkLines,
        *,
        has_third_bank: bool = False,
    ) -> None:
        self._has_third_bank = has_third_bank
        self._m, self._plan, self._arithmetic, self._runs = m, plan, arithmetic, runs
        self._beats, self._lines, self._lanes = beats, lines, runs[-1].stop
        self._turns = len(runs) > 1

    def read(self, name: str, port: ReadPort, take: Value, blank: Value | int) -> list[Value]:
        """Address `port`; return what each neuron reads in the cycle after, in the format that the code `take` says."""
        asked, lane, neurons = self._address(("read", name), name, port)
        self._m.d.comb += port.en.eq(asked)
        words = [self._rounded(take, port.data[k], k) if name == "memory" else port.data[k] for k in range(self._lanes)]
        if not self._turns:
            return [Mux(blank, 0, value) for value in words]
        turn, there = delayed(self._m, lane, 1), delayed(self._m, neurons, 1)
        turned = self._turned(name, words, turn)
        return [Mux(blank | ((there != 0) & (there <= k)), 0, value) for k, value in enumerate(turned)]

    def write(self, name: str, port: WritePort, values: list[Value]) -> None:
        """Address `port` and write what each neuron has made."""
        asked, lane, neurons = self._address(("write", name), name, port)
        for run, enable in zip(self._runs, enables(port), strict=True):
            first = (run.start - lane)[: len(lane)]  # the neuron in its first lane
            reached = ((neurons == 0) | (first < neurons)) if self._turns else Const(1)
            self._m.d.comb += enable.eq(asked & reached)
        if self._turns:
            values = self._turned(name, values, (-lane)[: len(lane)])
        self._m.d.comb += [port.data[k].eq(value) for k, value in enumerate(values)]

    def _address(self, part: tuple[str, str], name: str, port: ReadPort | WritePort) -> tuple[Value, Value, Value]:
        """Address the runs; return whether they are used, the lane of the first row, the neurons of a last chunk."""
        m, at = self._m, addresses(port)
        asked: Value | int = 0
        third = name == "memory" and self._has_third_bank
        place, bank = Signal(len(at[0]) - 1 - third, name=f"{name}_place"), Signal(name=f"{name}_bank")
        restored = Signal(name=f"{name}_restored")
        lane, neurons = (Signal(range(self._lanes), name=f"{name}_{of}") for of in ("lane", "neurons"))
        for program in (FORWARD, BACKWARD):
            for step in self._plan.steps(program, part):
                assert isinstance(step, Read | Write)
                beat = self._beats[program][step.cycle]
                asked |= beat
                word, begins = self._block(step.word, step.cycle, program)
                banks = self._lines.at(BANK_OF[name], step.cycle, program)
                chosen = [
                    place.eq(self._lines.at(name, step.cycle, program) + word),
                    bank.eq(banks[part_of(self._arithmetic, name, step.word)]),
                    lane.eq(begins),
                ]
                if third:
                    of_parts = self._lines.at("restored", step.cycle, program)
                    chosen.append(restored.eq(of_parts[part_of(self._arithmetic, name, step.word)]))
                if self._turns:
                    chosen.append(neurons.eq(self._lines.at("neurons", step.cycle, program)))
                with m.If(beat):
                    m.d.comb += chosen
        highest = [restored] if third else []
        behind = (place + 1)[: len(place)]
        for run, address in zip(self._runs, at, strict=True):
            m.d.comb += address.eq(Cat(bank, Mux(lane > run.start, behind, place) if self._turns else place, *highest))
        return Value.cast(asked), lane, neurons

    def _block(self, block: int, cycle: int, program: int) -> tuple[Value, Value]:
        """Return the word, from the first block's, and the lane in which `block` begins, for a chunk in `cycle`."""
        if block == 0:
            return Const(0), Const(0)
        if not self._turns:
            return self._lines.at("count", cycle, program) * block, Const(0)
        word, lane = (self._lines.at(f"{of}_{block}", cycle, program) for of in ("word", "lane"))
        return word, lane

    def _rounded(self, take: Value, value: Value, lane: int) -> Value:
        """Return a value of M in the format that the code `take` says."""
        numbers = self._plan.formats_of("read", "memory")
        rounded = Signal(signed(max(number.bits for number in numbers)), name=f"rounded_{lane}")
        with self._m.Switch(take):
            for code, number in enumerate(numbers, 1):
                with self._m.Case(code):
                    self._m.d.comb += rounded.eq(rescale(value, self._plan.formats.memory.fraction_bits, number))
        return rounded

    def _turned(self, name: str, values: list[Value], by: Value) -> list[Value]:
        """Return `values` so that value k is what value k + `by` was, around the word; a level for each bit in use."""
        used = 0
        for run in self._runs:
            used |= run.start | -run.start
        for bit in range(len(by)):
            if used >> bit & 1:
                before, values = values, []
                for k in range(self._lanes):
                    value = Signal.like(before[k], name=f"{name}_{k}_turned_{bit}")
                    self._m.d.comb += value.eq(Mux(by[bit], before[(k + (1 << bit)) % self._lanes], before[k]))
                    values.append(value)
        return values
