"""The decode unit: what lies behind the tape and makes values of its codes (`accel.value_code`)."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.tape_words import TapeWords
from deltatrain.accel.value_code import IntegerCode
from deltatrain.rtl.parts.layouts import word

__all__ = ["DECODE_CYCLES", "DecodeUnit"]

DECODE_CYCLES = 2
"""Cycles that a word of the tape is asked for earlier, so that the values are there as if it held them."""


class DecodeUnit(Component):
    """Turns what the tape answers into values; what is no code passes as it is.

    ====== ==========================================
    cycle  stage
    ====== ==========================================
    0      the word is asked for
    1      the tape answers
    2      the code is cut out, its value is looked up
    3      the values are there
    ====== ==========================================

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
    tag : In(StructLayout)
        ``valid``, whether the tape is asked in this cycle; ``is_code``, whether for a code, else for all of the word;
        ``which`` of `codes` it is of; ``field``, its number in the word.
    word : In(word(word_bits, lanes))
        What the tape answers, in the cycle after.
    values : Out(word(value_bits, lanes))
        The values.
    """

    def __init__(
        self, *, words: TapeWords, codes: Sequence[IntegerCode], word_bits: int, value_bits: int, lanes: int
    ) -> None:
        self._words, self._codes, self._lanes, self._value_bits = words, codes, lanes, value_bits
        self._tag = data.StructLayout(
            {
                "valid": 1,
                "is_code": 1,
                "which": range(max(len(codes), 2)),
                "field": range(max(words.fields, 2)),
            }
        )
        super().__init__(
            {
                "tag": In(self._tag),
                "word": In(word(word_bits, lanes)),
                "values": Out(word(value_bits, lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Look each lane's code up."""
        m = Module()
        answered, taken = (Signal(self._tag, name=name) for name in ("answered", "taken"))
        m.d.sync += [answered.eq(self.tag), taken.eq(answered)]
        for lane in range(self._lanes):
            of_lane = Signal.like(self.word[lane], name=f"word_{lane}")
            with m.If(answered.valid):
                m.d.sync += of_lane.eq(self.word[lane])
            code = Signal(self._words.code_bits, name=f"code_{lane}")
            m.d.comb += code.eq(of_lane.as_unsigned().word_select(taken.field, self._words.code_bits))
            value = self._decoded(code, taken.which)
            with m.If(taken.valid):
                m.d.sync += self.values[lane].eq(Mux(taken.is_code, value, of_lane) if self._words.whole else value)
        return m

    def _decoded(self, code: Value, which: Value) -> Value:
        """Return the value that stands for a code."""
        wide = [one.step_bits is not None and one.step_bits > 0 for one in self._codes]
        ways = [self._middle if is_wide else self._entry for is_wide in wide]
        values = [value_of(code, one) for value_of, one in zip(ways, self._codes, strict=True)]
        chosen = values[0]
        for number, value in enumerate(values[1:], 1):
            chosen = Mux(which == number, value, chosen)
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
