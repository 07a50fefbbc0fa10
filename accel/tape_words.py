"""The words of a step's tape of a layer: values, and codes (`accel.value_code`) where it keeps any.

A lane's part of a word is as wide as the widest value. Values that are kept whole come first, chunk of P neurons after
chunk. Behind them lie codes, all as wide: those of a chunk in the order in which a step makes them, and as many in a
lane's part of a word as it holds whole. So a lane reads and writes the codes of its own neurons alone.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from deltatrain.accel.cell_arithmetic import CellArithmetic, new_on_tape
from deltatrain.accel.engine import Formats
from deltatrain.accel.number import Integers
from deltatrain.accel.value_code import IntegerCode, integer_code

Words = TypeVar("Words", int, Integers)
"""Numbers of chunks or words: one, or one for each of many."""


class TapeWords(NamedTuple):
    """How many words a step's tape takes.

    Attributes
    ----------
    whole
        Values of a neuron that are kept as they are.
    before
        Values of a neuron that the step before left where its state is kept; they move with the tape.
    codes
        Values of a neuron of which a code is kept.
    code_bits
        Of each code; 0 without any.
    fields
        Codes in a lane's part of a word; 1 without any.
    """

    whole: int
    before: int
    codes: int
    code_bits: int
    fields: int

    def written(self, chunks: Words) -> Words:
        """Return the words that a step writes of so many chunks of neurons."""
        words: Words = self.whole * chunks + self.of_codes(chunks)
        return words

    def of_codes(self, chunks: Words) -> Words:
        """Return those of them that hold codes."""
        words: Words = -(-self.codes * chunks // self.fields)
        return words

    def moved(self, chunks: Words) -> Words:
        """Return the words that move with a step's tape, those of the state before it among them."""
        words: Words = self.before * chunks + self.written(chunks)
        return words


def tape_words(arithmetic: CellArithmetic, code_bits: int | None, formats: Formats) -> TapeWords:
    """Return what the words of a cell's tape hold.

    Parameters
    ----------
    arithmetic
        A member of `accel.cells`.
    code_bits
        Of the codes that the tape keeps of sigmoids and tanhs, without the bit for the side; None where it keeps
        values.
    formats
        The engine's formats.
    """
    written, coded = len(new_on_tape(arithmetic)), coded_values(arithmetic, code_bits)
    before, bits = len(arithmetic.TAPE) - written, stored_bits(arithmetic, code_bits)
    if not coded:
        return TapeWords(written, before, 0, 0, 1)
    return TapeWords(written - len(coded), before, len(coded), bits, 8 * value_bytes(formats) // bits)


def coded_values(arithmetic: CellArithmetic, code_bits: int | None) -> tuple[str, ...]:
    """Return the vectors of ``TAPE`` of which codes are kept."""
    return () if code_bits is None else tuple(name for name in arithmetic.TAPE if name in arithmetic.SQUASHED)


def stored_bits(arithmetic: CellArithmetic, code_bits: int | None) -> int:
    """Return the bits of a code as the tape keeps it, the same for all: with the side where any needs it."""
    coded = coded_values(arithmetic, code_bits)
    return 0 if code_bits is None else code_bits + any(name not in arithmetic.SQUARED for name in coded)


def code_of(arithmetic: CellArithmetic, name: str, code_bits: int, formats: Formats) -> IntegerCode:
    """Return the code of a vector of `coded_values`."""
    return integer_code(arithmetic.SQUASHED[name], code_bits, name not in arithmetic.SQUARED, formats.gate)


def given_back(arithmetic: CellArithmetic, tape: Integers, code_bits: int | None, formats: Formats) -> Integers:
    """Return ``TAPE``, shape (K, ..., H), as a tape with such codes gives it back; the same if it keeps values."""
    coded = coded_values(arithmetic, code_bits)
    if code_bits is None or not coded:
        return tape
    back = tape.copy()
    for name in coded:
        code, number = code_of(arithmetic, name, code_bits, formats), arithmetic.TAPE.index(name)
        back[number] = code.decode(code.encode(tape[number]))
    return back


def value_bytes(formats: Formats) -> int:
    """Return the bytes of one value in a word of the tape, the same for all, so that each stays in its lane."""
    return max(formats.activation.bytes, formats.gate.bytes, formats.state.bytes)
