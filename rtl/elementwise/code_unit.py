"""The code unit: what lies before the tape and makes codes (`accel.value_code`) of what the lanes hand it."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data
from amaranth.lib.memory import WritePort
from amaranth.lib.wiring import Component, In, Out, Signature

from deltatrain.accel.tape_words import TapeWords
from deltatrain.accel.value_code import IntegerCode
from deltatrain.rtl.parts.layouts import word

__all__ = ["CODE_CYCLES", "CodeUnit"]

CODE_CYCLES = 3
"""From the cycle in which values come to the one in which the tape is written."""


class _Tag(data.StructLayout):
    """What is known of the values of a cycle: where they go, which code they get, and whether a word ends."""

    def __init__(self, addr_width: int, fields: int, codes: int) -> None:
        super().__init__(
            {
                "valid": 1,
                "is_code": 1,
                "which": range(max(codes, 2)),
                "addr": unsigned(addr_width),
                "field": range(max(fields, 2)),
                "ends": 1,
            }
        )


class CodeUnit(Component):
    """Takes values of one kind a cycle, a value of each lane, and writes words of codes; others pass as they are.

    ====== ====================================================================
    cycle  stage
    ====== ====================================================================
    0      the values come
    1      how far each is from its function's centre, and on which side
    2      the pieces whose borders that passes are counted; of equal ones by a shift
    3      the code joins those of its word; a word that ends is written
    ====== ====================================================================

    Parameters
    ----------
    words
        What the words of the tape hold.
    codes
        The codes that there are.
    value_bits
        Width of the values that come.
    signature
        Of the port to the memory of the tape, seen from the memory.

    Members
    -------
    tag : In(StructLayout)
        ``valid``, whether values come in this cycle; ``is_code``, whether they become codes, else a word of the tape;
        ``which`` of `codes`; ``addr``, the word's address; ``field``, the code's number in its word, codes of a word
        coming one by one from 0 on; ``ends``, whether it is the word's last.
    values : In(word(value_bits, lanes))
        The values.
    tape : Out(WritePort.Signature)
        To the memory of the tape; what a word has room for behind its last code is zero.
    """

    def __init__(
        self, *, words: TapeWords, codes: Sequence[IntegerCode], value_bits: int, signature: Signature
    ) -> None:
        members: WritePort.Signature = signature
        self._words, self._codes, self._lanes = words, codes, members.shape.length
        self._tag = _Tag(members.addr_width, words.fields, len(codes))
        super().__init__(
            {"tag": In(self._tag), "values": In(word(value_bits, self._lanes)), "tape": Out(signature.flip())}
        )

    def elaborate(self, platform: object) -> Module:
        """Describe the stages of all lanes."""
        m = Module()
        came, measured, coded = (Signal(self._tag, name=name) for name in ("came", "measured", "coded"))
        m.d.sync += [came.eq(self.tag), measured.eq(came), coded.eq(measured)]
        m.d.comb += [
            self.tape.en.eq(coded.valid & (~coded.is_code | coded.ends)),
            self.tape.addr.eq(coded.addr),
        ]
        for lane in range(self._lanes):
            value = Signal.like(self.values[lane], name=f"value_{lane}")
            with m.If(self.tag.valid):
                m.d.sync += value.eq(self.values[lane])
            whole = self._passed(m, lane, value, came, measured)
            joined = self._joined(m, lane, self._coded(m, lane, value, came, measured), coded)
            m.d.comb += self.tape.data[lane].eq(joined if whole is None else Mux(coded.is_code, joined, whole))
        return m

    def _passed(self, m: Module, lane: int, value: Signal, came: data.View, measured: data.View) -> Value | None:
        """Return a value that is kept whole, in stage 3; None where there is none."""
        if not self._words.whole:
            return None
        first, second = (Signal.like(value, name=f"whole_{stage}_{lane}") for stage in (2, 3))
        with m.If(came.valid & ~came.is_code):
            m.d.sync += first.eq(value)
        with m.If(measured.valid & ~measured.is_code):
            m.d.sync += second.eq(first)
        return second

    def _coded(self, m: Module, lane: int, value: Signal, came: data.View, measured: data.View) -> Value:
        """Return the code of a value, in stage 3."""
        apart = value - _of_each(came.which, [code.centre for code in self._codes])
        distance, below = Signal(len(apart) - 1, name=f"distance_{lane}"), Signal(name=f"below_{lane}")
        with m.If(came.valid & came.is_code):
            m.d.sync += [distance.eq(Mux(apart[-1], -apart, apart)), below.eq(apart[-1])]
        piece_bits = len(self._codes[0].borders).bit_length()
        piece, code = Signal(piece_bits, name=f"piece_{lane}"), Signal(self._words.code_bits, name=f"code_{lane}")
        m.d.comb += piece.eq(self._piece(distance, measured.which))
        with m.If(measured.valid & measured.is_code):
            m.d.sync += code.eq(Cat(piece, below) if self._words.code_bits > piece_bits else piece)
        return code

    def _piece(self, distance: Value, which: Value) -> Value:
        """Return the number of the piece in which a distance is."""
        steps = [code.step_bits for code in self._codes if code.step_bits is not None]
        if not steps:
            borders = zip(*(code.borders.tolist() for code in self._codes), strict=True)
            return sum((distance > _of_each(which, list(border)) for border in borders), Const(0))
        last = len(self._codes[0].borders)
        ahead = [distance.shift_left(max(0, -step)) - 1 for step in steps]  # a border belongs to the nearer piece
        pieces = [one[max(0, step) : -1] for one, step in zip(ahead, steps, strict=True)]
        within = [Mux(distance == 0, 0, Mux(piece > last, last, piece)) for piece in pieces]
        return _chosen(which, within)

    def _joined(self, m: Module, lane: int, code: Value, coded: data.View) -> Value:
        """Return a lane's word with a code in its field, and keep it for the next."""
        kept = Signal(data.ArrayLayout(unsigned(len(code)), self._words.fields), name=f"kept_{lane}")
        joined = Signal.like(kept, name=f"joined_{lane}")
        for number in range(self._words.fields):
            m.d.comb += joined[number].eq(Mux(coded.field == number, code, Mux(coded.field == 0, 0, kept[number])))
        with m.If(coded.valid & coded.is_code):
            m.d.sync += kept.eq(joined)
        return joined.as_value()


def _of_each(which: Value, numbers: list[int]) -> Value:
    """Return the number of the code that is chosen."""
    bits = 1 + max(number.bit_length() for number in numbers)
    return _chosen(which, [Const(number, signed(bits)) for number in numbers])


def _chosen(which: Value, values: Sequence[Value]) -> Value:
    chosen = values[0]
    for number, value in enumerate(values[1:], 1):
        chosen = Mux(which == number, value, chosen)
    return chosen
