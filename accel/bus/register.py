"""What a register of a bus is: an address of 32 bits, and fields in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["REGISTER_BITS", "REGISTER_BYTES", "Access", "Field", "Register"]

REGISTER_BITS = 32
REGISTER_BYTES = REGISTER_BITS // 8

Access = Literal["read-only", "read-write", "command", "write-one-clears"]
"""What the host may do with a register.

A "read-only" register ignores writes. A "command" is obeyed once for each one that is written, and reads as 0. Of a
register that "write-one-clears", a one that is written clears the bit, which the machine sets.
"""


@dataclass(frozen=True)
class Field:
    """Some bits of a register.

    Attributes
    ----------
    name
        In lower case, unique in the register.
    low, bits
        The lowest bit, and how many.
    meaning
        One line, without a period at the end.
    signed
        Whether the bits are in two's complement.
    """

    name: str
    low: int
    bits: int
    meaning: str
    signed: bool = False

    @property
    def mask(self) -> int:
        """The field's bits in the register."""
        return ((1 << self.bits) - 1) << self.low

    def value(self, register: int) -> int:
        """Return what the field is where the register is `register`."""
        value = (register & self.mask) >> self.low
        return value - (1 << self.bits) if self.signed and value >> (self.bits - 1) else value

    def placed(self, value: int) -> int:
        """Return the register's bits of `value`.

        Raises
        ------
        ValueError
            If the field does not hold it.
        """
        least, most = (-(1 << self.bits - 1), 1 << self.bits - 1) if self.signed else (0, 1 << self.bits)
        if not least <= value < most:
            raise ValueError(f"{self.name} holds {least} to {most - 1}, not {value}")
        return (value << self.low) & self.mask


@dataclass(frozen=True)
class Register:
    """A register.

    Attributes
    ----------
    name
        In lower case, unique.
    address
        Byte offset from the first register, a multiple of `REGISTER_BYTES`.
    access
        What the host may do with it.
    fields
        Lowest first, apart from each other. Bits outside of them read as 0 and are ignored when written.
    meaning
        One line, without a period at the end.
    reset
        What it is after a reset; None for one whose value is a fact of the machine.
    """

    name: str
    address: int
    access: Access
    fields: tuple[Field, ...]
    meaning: str
    reset: int | None = 0

    def __getitem__(self, name: str) -> Field:
        """Return the field called `name`.

        Raises
        ------
        KeyError
            If there is none.
        """
        return {field.name: field for field in self.fields}[name]

    @property
    def mask(self) -> int:
        """The bits of all fields."""
        return sum(field.mask for field in self.fields)

    def packed(self, **values: int) -> int:
        """Return the register in which these fields are set and the others 0."""
        return sum(self[name].placed(value) for name, value in values.items())
