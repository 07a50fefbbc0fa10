"""The decode unit: what lies behind the tape and makes values of its codes (`accel.value_code`)."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.tape_words import TapeWords
from deltatrain.accel.value_code import IntegerCode
from deltatrain.rtl.parts.layouts import word

__all__ = ["DecodeUnit"]


class DecodeUnit(Component):
    """Turns what the tape answers into values in the same cycle; what is no code passes as it is.

    Parameters
    ----------
    words
        What the words of the tape hold.
    codes
        The codes that there are, all as wide.
    word_bits
        Of a lane's part of a word.
    value_bits
        Width of the values.
    lanes
        P.

    Members
    -------
    word : In(word(word_bits, lanes))
        What the tape answers.
    is_code : In(1)
        Whether a code is asked for, else all of the word.
    which : In(unsigned)
        Which of `codes` it is of.
    field : In(unsigned)
        Its number in the word.
    values : Out(word(value_bits, lanes))
        The values.
    """

    def __init__(
        self, *, words: TapeWords, codes: Sequence[IntegerCode], word_bits: int, value_bits: int, lanes: int
    ) -> None:
        self._words, self._codes, self._lanes, self._value_bits = words, codes, lanes, value_bits
        super().__init__(
            {
                "word": In(word(word_bits, lanes)),
                "is_code": In(1),
                "which": In(range(max(len(codes), 2))),
                "field": In(range(max(words.fields, 2))),
                "values": Out(word(value_bits, lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Look each lane's code up."""
        m = Module()
        for lane in range(self._lanes):
            of_lane = self.word[lane].as_unsigned()
            code = Signal(self._words.code_bits, name=f"code_{lane}")
            m.d.comb += code.eq(of_lane.word_select(self.field, self._words.code_bits))
            value = self._decoded(code)
            m.d.comb += self.values[lane].eq(Mux(self.is_code, value, self.word[lane]) if self._words.whole else value)
        return m

    def _decoded(self, code: Value) -> Value:
        """Return the value that stands for a code."""
        wide = [one.step_bits is not None and one.step_bits > 0 for one in self._codes]
        ways = [self._middle if is_wide else self._entry for is_wide in wide]
        values = [value_of(code, one) for value_of, one in zip(ways, self._codes, strict=True)]
        chosen = values[0]
        for number, value in enumerate(values[1:], 1):
            chosen = Mux(self.which == number, value, chosen)
        return chosen

    def _entry(self, code: Value, one: IntegerCode) -> Value:
        entries: Value = Array(Const(value, signed(self._value_bits)) for value in one.decoded.tolist())[code]
        return entries

    def _middle(self, code: Value, one: IntegerCode) -> Value:
        """Return the middle of an equal piece: its number with a one behind it, on its side of the centre."""
        assert one.step_bits is not None
        piece_bits = len(one.borders).bit_length()
        distance = Cat(Const(1 << (one.step_bits - 1), one.step_bits), code[:piece_bits])
        if one.bits == piece_bits:
            return one.centre + distance
        return Mux(code[-1], one.centre - distance, one.centre + distance)
