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
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.memory import ReadPort, WritePort

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.elementwise.chunk_lines import ChunkLines
from deltatrain.rtl.elementwise.plan import BACKWARD, FORWARD, Plan
from deltatrain.rtl.elementwise.selects import selects
from deltatrain.rtl.elementwise.timetable import Read, Write
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.lane_runs import addresses, enables
from deltatrain.rtl.parts.number import rescale

__all__ = ["BANK_OF", "BlockPorts", "part_of", "registered_answer"]

BANK_OF = {"memory": "banks", "gradient": "later_gradient_bank", "new_gradient": "gradient_bank"}
"""Member of the op that says in which bank what a port reaches lies; of M, for each of its parts."""


def part_of(arithmetic: CellArithmetic, port: str, block: int) -> int:
    """Return the part of M, as `rtl.lanes.banks.PARTS` has them, that `block` belongs to; g(M) has only one."""
    in_x, in_h = block in arithmetic.BLOCKS_X, block in arithmetic.BLOCKS_H
    if port != "memory" or (in_x and in_h) or not arithmetic.BLOCKS_H:
        return 0
    return 1 if in_x else 2


def registered_answer(m: Module, name: str, port: ReadPort) -> Signal:
    """Return what `port` answers, a cycle later and until it answers again, as a memory takes most of a cycle."""
    answer, asked = Signal.like(port.data, name=f"answer_{name}"), Signal(name=f"asked_{name}")
    m.d.sync += asked.eq(port.en)
    with m.If(asked):
        m.d.sync += answer.eq(port.data)
    return answer


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
    gradient_bank_bits
        Bits that tell in which bank g(M) is.
    has_third_bank
        Whether M may be in a third bank, which the highest bit of its address is for (`rtl.lanes.banks`).

    Attributes
    ----------
    answers
        What each port that is read answered, registered.
    """

    def __init__(
        self,
        m: Module,
        plan: Plan,
        arithmetic: CellArithmetic,
        runs: list[range],
        beats: Sequence[Sequence[Signal]],
        lines: ChunkLines,
        gradient_bank_bits: int = 1,
        *,
        has_third_bank: bool = False,
    ) -> None:
        self._has_third_bank, self._bank_bits = has_third_bank, gradient_bank_bits
        self._m, self._plan, self._arithmetic, self._runs = m, plan, arithmetic, runs
        self._beats, self._lines, self._lanes = beats, lines, runs[-1].stop
        self.answers: dict[str, Signal] = {}
        self._turns = len(runs) > 1

    def read(self, name: str, port: ReadPort, select: Any) -> list[Value]:
        """Address `port`; return what each neuron reads two cycles after, M in the format that is wanted.

        Parameters
        ----------
        name, port
            The port.
        select
            As of `rtl.elementwise.selects`, of this cycle.
        """
        asked, lane, neurons = self._address(("read", name), name, port)
        self._m.d.comb += port.en.eq(asked)
        self.answers[name] = answer = registered_answer(self._m, name, port)
        words = [answer[k] for k in range(self._lanes)]
        if name == "memory":
            words = [self._rounded(select.round_memory, value, k) for k, value in enumerate(words)]
        if not self._turns:
            return words
        turn, there = delayed(self._m, lane, 2), delayed(self._m, neurons, 2)
        turned = self._turned(name, words, turn)
        return [Mux((there != 0) & (there <= k), 0, value) for k, value in enumerate(turned)]

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
        bank = Signal(1 if name == "memory" else self._bank_bits, name=f"{name}_bank")
        place = Signal(len(at[0]) - len(bank) - third, name=f"{name}_place")
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
                    bank.eq(banks[part_of(self._arithmetic, name, step.word)] if name == "memory" else banks),
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
        word = self._lines.at(f"word_{block}", cycle, program)
        return word, self._lines.at(f"lane_{block}", cycle, program) if self._turns else Const(0)

    def _rounded(self, select: Value, value: Value, lane: int) -> Value:
        """Return a value of M in the format that is selected; shifted so that all have their point in one place."""
        memory = self._plan.formats.memory
        numbers = [self._plan.number(str(name)) for name in selects(self._plan)["round_memory"]]
        shift = max(memory.fraction_bits - number.fraction_bits for number in numbers)
        moved = [value.shift_left(shift - memory.fraction_bits + number.fraction_bits) for number in numbers]
        aligned = Signal(signed(max(map(len, moved))), name=f"aligned_{lane}")
        rounded = Signal(signed(max(number.bits for number in numbers)), name=f"rounded_{lane}")
        with self._m.Switch(select):
            for bit, one in enumerate(moved[1:], 1):
                with self._m.Case("-" * (len(moved) - 1 - bit) + "1" + "-" * bit):
                    self._m.d.comb += aligned.eq(one)
            with self._m.Default():
                self._m.d.comb += aligned.eq(moved[0])
        results: dict[tuple[int, str], tuple[NumberFormat, list[Value]]] = {}
        for bit, number in enumerate(numbers):
            results.setdefault((number.bits, number.overflow), (number, []))[1].append(select[bit])
        for number, bits in results.values():
            with self._m.If(Cat(bits).any() if len(results) > 1 else 1):
                self._m.d.comb += rounded.eq(rescale(aligned, number.fraction_bits + shift, number))
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
