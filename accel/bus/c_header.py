"""The registers, and the format of programs, as a C header of constants."""

from __future__ import annotations

from collections.abc import Iterator

from deltatrain.accel.bus.program_format import FORMAT_VERSION
from deltatrain.accel.bus.registers import ADDRESS_BITS, LAYOUT_VERSION, NO_THRESHOLD, REGISTERS, THRESHOLDS

__all__ = ["c_header"]

_HEAD = """\
/* Registers of a deltatrain machine: byte offsets, and masks and lowest bits of their fields. */
#ifndef DELTATRAIN_REGISTERS_H
#define DELTATRAIN_REGISTERS_H
"""


def c_header() -> str:
    """Return the text of ``deltatrain_registers.h``."""
    return "\n".join([_HEAD, *_constants(), "", "#endif", ""])


def _constants() -> Iterator[str]:
    numbers = {
        "LAYOUT_VERSION": LAYOUT_VERSION,
        "FORMAT_VERSION": FORMAT_VERSION,
        "REGISTERS_BYTES": 1 << ADDRESS_BITS,
        "THRESHOLDS": THRESHOLDS,
        "NO_THRESHOLD": NO_THRESHOLD,
    }
    for name, number in numbers.items():
        yield f"#define DELTATRAIN_{name} {number:#x}u"
    for register in REGISTERS.values():
        name = f"DELTATRAIN_{register.name.upper()}"
        yield f"\n/* {register.meaning} ({register.access}) */"
        yield f"#define {name} {register.address:#05x}u"
        for field in register.fields:
            of_field = f"{name}_{field.name.upper()}"
            yield f"#define {of_field}_MASK {field.mask:#010x}u /* {field.meaning} */"
            yield f"#define {of_field}_LOW {field.low}"
