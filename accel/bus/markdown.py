"""The registers as a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from deltatrain.accel.bus.register import Field, Register
from deltatrain.accel.bus.registers import REGISTERS

__all__ = ["markdown"]


def markdown() -> str:
    """Return the table of all registers and their fields."""
    return "\n".join(["# Registers", "", *_table(), ""])


def _table() -> Iterator[str]:
    yield "| address | register | access | reset | bits | field | meaning |"
    yield "|---|---|---|---|---|---|---|"
    for register in REGISTERS.values():
        reset = "the machine's" if register.reset is None else f"{register.reset:#x}"
        name = f"`{register.address:#05x}` | `{register.name}`"
        yield f"| {name} | {register.access} | {reset} | | | {register.meaning} |"
        if _says_more(register):
            for field in register.fields:
                yield f"| | | | | {_bits(field)} | `{field.name}` | {field.meaning} |"


def _says_more(register: Register) -> bool:
    """Tell whether the fields say more than the register."""
    return len(register.fields) > 1 or register.fields[0].low > 0


def _bits(field: Field) -> str:
    return str(field.low) if field.bits == 1 else f"{field.low + field.bits - 1}:{field.low}"
