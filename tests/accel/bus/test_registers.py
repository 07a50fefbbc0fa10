"""The registers, and each text that is made of them, read a second way."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from cmsis_svd.parser import SVDParser

from deltatrain.accel.bus.c_header import c_header
from deltatrain.accel.bus.markdown import markdown
from deltatrain.accel.bus.python_names import python_names
from deltatrain.accel.bus.register import REGISTER_BITS, REGISTER_BYTES, Field, Register
from deltatrain.accel.bus.registers import ADDRESS_BITS, REGISTERS
from deltatrain.accel.bus.svd import svd

FACTS = {name: 7 for name, register in REGISTERS.items() if register.reset is None}


def test_registers_are_words_apart_and_inside_of_the_address_space():
    addresses = [register.address for register in REGISTERS.values()]
    assert all(address % REGISTER_BYTES == 0 for address in addresses)
    assert all(before < after for before, after in pairwise(addresses))
    assert addresses[-1] < 1 << ADDRESS_BITS


@pytest.mark.parametrize("register", REGISTERS.values(), ids=REGISTERS)
def test_fields_are_apart_and_reset_lies_in_them(register: Register):
    bits = [bit for field in register.fields for bit in range(field.low, field.low + field.bits)]
    assert sorted(set(bits)) == bits
    assert bits[-1] < REGISTER_BITS
    assert (register.reset or 0) & ~register.mask == 0


def test_a_field_takes_what_fits_and_gives_it_back():
    field = Field("rate", 4, 8, "", signed=True)
    for value in (-128, -1, 0, 127):
        assert field.value(field.placed(value) | 0xF00F) == value
    for value in (-129, 128):
        with pytest.raises(ValueError, match="rate holds -128 to 127"):
            field.placed(value)


def test_the_svd_keeps_its_schema_and_says_what_the_registers_are(tmp_path: Path):
    file = tmp_path / "deltatrain.svd"
    file.write_text(svd(FACTS, base_address=0x4000_0000))
    assert SVDParser.validate_xml_file(str(file), schema_version="1.3.9")
    (peripheral,) = SVDParser.for_xml_file(str(file)).get_device().get_peripherals()
    assert peripheral.base_address == 0x4000_0000
    found = {
        one.name.lower(): (
            one.address_offset,
            one.reset_value,
            [(field.name.lower(), field.bit_offset, field.bit_width) for field in one.get_fields()],
        )
        for one in peripheral.get_registers()
    }
    assert found == {
        one.name: (
            one.address,
            7 if one.reset is None else one.reset,
            [(field.name, field.low, field.bits) for field in one.fields],
        )
        for one in REGISTERS.values()
    }


def _expected_names() -> dict[str, int]:
    expected = {}
    for register in REGISTERS.values():
        expected[register.name.upper()] = register.address
        for field in register.fields:
            name = f"{register.name}_{field.name}".upper()
            expected |= {f"{name}_MASK": ((1 << field.bits) - 1) << field.low, f"{name}_LOW": field.low}
    return expected


def test_the_python_module_has_all_names():
    names: dict[str, int] = {}
    exec(python_names(), {}, names)
    assert names == {"__doc__": names["__doc__"]} | _expected_names()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_c_compiler_reads_the_same_from_the_header(tmp_path: Path):
    (tmp_path / "deltatrain_registers.h").write_text(c_header())
    expected = _expected_names()
    lines = "".join(f'    printf("%lu\\n", (unsigned long)DELTATRAIN_{name});\n' for name in expected)
    source = tmp_path / "names.c"
    source.write_text(
        '#include <stdio.h>\n#include "deltatrain_registers.h"\n#include "deltatrain_registers.h"\n'
        f"int main(void) {{\n{lines}    return 0;\n}}\n"
    )
    program = tmp_path / "names"
    subprocess.run(["cc", "-std=c99", "-pedantic", "-Wall", "-Werror", "-o", program, source], check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    assert dict(zip(expected, map(int, printed.split()), strict=True)) == expected


def test_the_table_has_a_row_for_each_register():
    rows = re.findall(r"^\| `(0x\w+)` \| `(\w+)` \|", markdown(), re.MULTILINE)
    assert {name: int(address, 16) for address, name in rows} == {one.name: one.address for one in REGISTERS.values()}
    assert "| | | | | 1 | `abort` | " in markdown()
