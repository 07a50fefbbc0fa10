"""The registers as a Python module of constants, for a host on which deltatrain itself is not installed."""

from __future__ import annotations

from collections.abc import Iterator

from deltatrain.accel.bus.registers import REGISTERS

__all__ = ["python_names"]


def python_names() -> str:
    """Return the text of ``deltatrain_registers.py``."""
    lines = ['"""Registers of a deltatrain machine: byte offsets, and masks and lowest bits of their fields."""', ""]
    return "\n".join([*lines, *_constants(), ""])


def _constants() -> Iterator[str]:
    for register in REGISTERS.values():
        name = register.name.upper()
        yield f"{name} = {register.address:#05x}  # {register.meaning} ({register.access})"
        for field in register.fields:
            yield f"{name}_{field.name.upper()}_MASK, {name}_{field.name.upper()}_LOW = {field.mask:#010x}, {field.low}"
