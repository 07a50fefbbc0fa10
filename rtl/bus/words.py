"""The words that travel over the bus of the memory: their kinds, and how their values lie in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from amaranth.hdl import Cat, Value, unsigned
from amaranth.lib import data, enum

from deltatrain.accel.bus.program_format import WORD_BYTES
from deltatrain.accel.engine import Engine
from deltatrain.rtl.bus.channels import ADDRESS_BITS

__all__ = ["COUNT_BITS", "Form", "Kind", "Move", "forms"]

COUNT_BITS = 24
"""Width of a count of words that move together."""


class Kind(enum.Enum, shape=unsigned(3)):
    """What words are; the first four have a base address, in the order of `accel.bus.registers.BASES`."""

    WEIGHTS = 0
    GRADIENTS = 1
    TAPE = 2
    INPUTS = 3
    PROGRAM = 4


class Form(NamedTuple):
    """How a word lies in memory: each value in whole bytes, the lowest first, in two's complement.

    Attributes
    ----------
    values
        Values in a word.
    value_bits
        Width of a value.
    """

    values: int
    value_bits: int

    @property
    def value_bytes(self) -> int:
        """Bytes of a value in memory."""
        return -(-self.value_bits // 8)

    @property
    def bytes(self) -> int:
        """Bytes of a word in memory."""
        return self.values * self.value_bytes

    def from_bytes(self, word: Value) -> Value:
        """Return the payload of a word, given as it lies in memory."""
        size = 8 * self.value_bytes
        return Cat(word[size * number :][: self.value_bits] for number in range(self.values))

    def to_bytes(self, payload: Value) -> Value:
        """Return a word as it lies in memory, given its payload."""
        unused = 8 * self.value_bytes - self.value_bits
        values = (payload[self.value_bits * number :][: self.value_bits] for number in range(self.values))
        return Cat(Cat(value, value[-1].replicate(unused)) for value in values)


def forms(engine: Engine) -> Mapping[Any, Form]:
    """Return the form of each kind of word of a machine."""
    formats, lanes = engine.formats, engine.lanes
    return {
        Kind.WEIGHTS: Form(lanes, formats.weight.bits),
        Kind.GRADIENTS: Form(lanes, formats.weight_gradient.bits),
        Kind.TAPE: Form(lanes, 8 * formats.activation.bytes),
        Kind.INPUTS: Form(lanes, formats.activation.bits),
        Kind.PROGRAM: Form(1, 8 * WORD_BYTES),
    }


class Move(data.StructLayout):
    """Words that are neighbours in memory.

    Members
    -------
    kind : Kind
        What they are.
    address : unsigned(ADDRESS_BITS)
        First byte, a multiple of a word or of a beat, whichever is less.
    words : unsigned(COUNT_BITS)
        How many, at least 1.
    """

    def __init__(self) -> None:
        super().__init__({"kind": Kind, "address": ADDRESS_BITS, "words": COUNT_BITS})
