"""A tape of codes: which code of a chunk lies in which word, and the units before and behind the tape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import connect, flipped

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.tape_words import code_of, coded_values, tape_words
from deltatrain.accel.value_code import FUNCTIONS
from deltatrain.rtl.elementwise.chunk_lines import ChunkLines
from deltatrain.rtl.elementwise.code_unit import CodeUnit
from deltatrain.rtl.elementwise.decode_unit import DECODE_CYCLES, DecodeUnit
from deltatrain.rtl.elementwise.plan import BACKWARD, FORWARD, Plan
from deltatrain.rtl.elementwise.timetable import Read, Write

__all__ = ["CodedTape"]


class CodedTape:
    """Drives the ports to a tape on which codes lie, as `accel.tape_words` says.

    Parameters
    ----------
    plan, arithmetic
        Of the cell.
    code_bits
        Of the codes, without the bit for the side.

    Attributes
    ----------
    words
        What the words of the tape hold.
    """

    def __init__(self, plan: Plan, arithmetic: CellArithmetic, code_bits: int) -> None:
        self._plan, formats = plan, plan.formats
        self.words = tape_words(arithmetic, code_bits, formats)
        names = coded_values(arithmetic, code_bits)
        functions = [function for function in FUNCTIONS if function in (arithmetic.SQUASHED[name] for name in names)]
        self._which = {name: functions.index(arithmetic.SQUASHED[name]) for name in names}
        self._codes = [
            next(code_of(arithmetic, name, code_bits, formats) for name in names if self._which[name] == number)
            for number in range(len(functions))
        ]
        writes = [step for step in plan.steps(FORWARD, ("write", "new_tape")) if isinstance(step, Write)]
        self._place: dict[str, int] = {}  # of each value, among the codes or among those that are kept whole
        for alike in ([step for step in writes if (step.value in names) == is_code] for is_code in (True, False)):
            self._place |= {step.value: number for number, step in enumerate(alike)}

    def bits(self, kept_bits: int) -> int:
        """Return the width of a lane's part of a word, where values that are kept whole are so wide."""
        codes = self.words.fields * self.words.code_bits
        return max(codes, kept_bits) if self.words.whole else codes

    def places(self, m: Module, op: Any, chunk: Value, last_slot: Value, ends: Value) -> dict[str, Value]:
        """Count through the codes of an op; return what `lines` must know of the chunk that begins in this cycle."""
        fields, words = self.words.fields, self.words.codes // self.words.fields
        word, field = Signal(len(op.tape), name="code_word"), Signal(range(max(fields, 2)), name="code_field")
        behind, over = self._later(field, self.words.codes)
        with m.If(last_slot):
            m.d.sync += [field.eq(Mux(ends, 0, behind)), word.eq(Mux(ends, 0, word + words + over))]
        return {
            "code_word": (op.tape + op.count * self.words.whole + word)[: len(op.tape)],
            "code_field": field,
            "code_last": chunk == op.count - 1,
        }

    def read(
        self, m: Module, port: ReadPort, value_bits: int, beats: Sequence[Sequence[Signal]], lines: ChunkLines
    ) -> list[Value]:
        """Address `port`; return what each lane reads in the cycle after that in which it asks."""
        unit = DecodeUnit(
            words=self.words,
            codes=self._codes,
            word_bits=port.data.shape().elem_shape.width,
            value_bits=value_bits,
            lanes=port.data.shape().length,
        )
        m.submodules.decode_unit = unit
        m.d.comb += unit.word.eq(port.data)
        for step in self._plan.steps(BACKWARD, ("read", "tape")):
            assert isinstance(step, Read)
            asked = step.cycle - DECODE_CYCLES
            assert asked >= 0, "a code is read before a chunk begins"
            addr, field = self._at(lines, step.value, asked, BACKWARD)
            with m.If(beats[BACKWARD][asked]):
                m.d.comb += [port.en.eq(1), port.addr.eq(addr), unit.tag.valid.eq(1), unit.tag.field.eq(field)]
                self._name(m, unit.tag, step.value)
        return [unit.values[lane] for lane in range(port.data.shape().length)]

    def write(
        self, m: Module, port: WritePort, values: list[Value], beats: Sequence[Sequence[Signal]], lines: ChunkLines
    ) -> None:
        """Hand what each lane has made to the code unit, and its words to `port`."""
        unit = CodeUnit(
            words=self.words, codes=self._codes, value_bits=max(map(len, values)), signature=port.signature.flip()
        )
        m.submodules.code_unit = unit
        connect(m, unit.tape, flipped(port))
        m.d.comb += [unit.values[lane].eq(value) for lane, value in enumerate(values)]
        for step in self._plan.steps(FORWARD, ("write", "new_tape")):
            assert isinstance(step, Write)
            addr, field = self._at(lines, step.value, step.cycle, FORWARD)
            is_last = self._place[step.value] == self.words.codes - 1
            ends = (field == self.words.fields - 1) | (lines.at("code_last", step.cycle, FORWARD) if is_last else 0)
            tag = unit.tag
            with m.If(beats[FORWARD][step.cycle]):
                self._name(m, tag, step.value)
                m.d.comb += [tag.valid.eq(1), tag.addr.eq(addr), tag.field.eq(field), tag.ends.eq(ends)]

    def _name(self, m: Module, tag: Any, value: str) -> None:
        """Tell a unit which code a value has, if any."""
        m.d.comb += [tag.is_code.eq(value in self._which), tag.which.eq(self._which.get(value, 0))]

    def _at(self, lines: ChunkLines, value: str, cycle: int, program: int) -> tuple[Value, Value]:
        """Return the address of a value of the chunk that is in a cycle, and its field in that word."""
        place, field = self._place[value], lines.at("code_field", cycle, program)
        if value not in self._which:
            return lines.at("tape", cycle, program) + place, field
        field, over = self._later(field, place)
        return lines.at("code_word", cycle, program) + place // self.words.fields + over, field

    def _later(self, field: Value, codes: int) -> tuple[Value, Value]:
        """Return the field so many codes behind `field`, and whether it is in a word more than they fill."""
        fields, total = self.words.fields, field + codes % self.words.fields
        over = total >= fields
        return Mux(over, total - fields, total)[: len(field)], over
