"""RTLIL in which every operand has the width that Verilog computes in, so that no tool has to extend or cut one.

Amaranth leaves extension to the cell, as RTLIL allows: an adder of 5 and 1 bits with a result of 6. Yosys writes it as
``a + b``, which Verilog extends in the same way and linters warn of. Here the extension is written out instead, a
selection among cases that names no default gets an empty one, and wires without bits, which Verilog does not know, are
left out. Nothing that is computed changes.

https://yosyshq.readthedocs.io/projects/yosys/en/latest/appendix/rtlil_text.html is the language,
https://yosyshq.readthedocs.io/projects/yosys/en/latest/cell/word_arith.html what the cells compute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["explicit_widths"]

_MODULAR = {"$add", "$sub", "$mul", "$and", "$or", "$xor", "$xnor", "$not", "$neg", "$pos"}
"""The low bits of the result depend on as many low bits of the operands and on no others."""

_COMPARISONS = {"$eq", "$ne", "$lt", "$le", "$gt", "$ge"}
_LEFT_SHIFTS = {"$shl", "$sshl"}
_RIGHT_SHIFTS = {"$shr", "$sshr", "$shift"}

_CELL = re.compile(r"^(\s*)cell (\$\S+) (\S+)$")
_PARAMETER = re.compile(r"^\s*parameter \\(\w+) (\d+)$")
_CONNECTION = re.compile(r"^\s*connect \\(\w+) (.+)$")
_NO_BITS = re.compile(r"^\s*(wire width 0 |connect \S+ \{ *\}$)")
_SWITCH = re.compile(r"^(\s*)switch ")


def explicit_widths(rtlil: str) -> str:
    """Return the design with all operands extended or cut, as their cells do it, to the width of what is computed.

    Parameters
    ----------
    rtlil
        A design as `amaranth.back.rtlil` writes it, one statement a line.
    """
    lines = iter(rtlil.splitlines())
    found: list[str] = []
    for line in lines:
        if cell := _CELL.match(line):
            body = _until_end(lines, cell[1])
            found += _Cell(cell[1], cell[2], cell[3], body).rewritten()
        elif switch := _SWITCH.match(line):
            found += _with_default(line, switch[1], lines)
        elif not _NO_BITS.match(line):
            found.append(line)
    return "\n".join(found) + "\n"


class _Cell:
    """A cell: its type, its name, its parameters and its connections."""

    def __init__(self, indent: str, kind: str, name: str, body: list[str]) -> None:
        self._indent, self._kind, self._name, self._body = indent, kind, name, body
        self._parameters = {match[1]: int(match[2]) for line in body if (match := _PARAMETER.match(line))}
        self._connections = {match[1]: match[2] for line in body if (match := _CONNECTION.match(line))}

    def rewritten(self) -> list[str]:
        """Return the lines that take its place."""
        before: list[str] = []
        if self._kind in _MODULAR:
            self._resize_all(self._parameters["Y_WIDTH"])
        elif self._kind in _COMPARISONS:
            self._resize_all(max(self._parameters["A_WIDTH"], self._parameters["B_WIDTH"]))
        elif self._kind in _LEFT_SHIFTS:
            self._resize("A", self._parameters["Y_WIDTH"], signed=bool(self._parameters["A_SIGNED"]))
        elif self._kind in _RIGHT_SHIFTS:
            before = self._widen_shift()
        else:
            return [f"{self._indent}cell {self._kind} {self._name}", *self._body]
        inner = self._indent + "  "
        return [
            *before,
            f"{self._indent}cell {self._kind} {self._name}",
            *(f"{inner}parameter \\{name} {value}" for name, value in self._parameters.items()),
            *(f"{inner}connect \\{port} {signal}" for port, signal in self._connections.items()),
            f"{self._indent}end",
        ]

    def _resize_all(self, width: int) -> None:
        """Give every operand `width` bits; they are signed if all are."""
        operands = [port for port in ("A", "B") if port in self._connections]
        signed = all(self._parameters[f"{port}_SIGNED"] for port in operands)
        for port in operands:
            self._resize(port, width, signed=signed)

    def _resize(self, port: str, width: int, *, signed: bool) -> None:
        own, signal = self._parameters[f"{port}_WIDTH"], self._connections[port]
        self._parameters[f"{port}_WIDTH"] = width
        if width > own:
            missing = width - own
            sign = f"{signal} [{own - 1}]" if signed and own else "1'0"
            self._connections[port] = f"{{ {' '.join([sign] * missing)} {signal} }}"
        elif width < own:
            self._connections[port] = f"{signal} [{width - 1}:0]"

    def _widen_shift(self) -> list[str]:
        """Extend the operand, or else the result by bits that nobody reads; return the declaration of these."""
        own, width = self._parameters["A_WIDTH"], self._parameters["Y_WIDTH"]
        signed = bool(self._parameters["A_SIGNED"])
        if self._kind == "$shift" and signed and not self._parameters["B_SIGNED"]:
            self._kind = "$sshr"  # the same, but yosys would write the former as `>>`, which shifts zeros in
        if own <= width:
            self._resize("A", width, signed=signed)
            return []
        unread = f"{self._name}$unread"
        self._parameters["Y_WIDTH"] = own
        self._connections["Y"] = f"{{ {unread} {self._connections['Y']} }}"
        return [f"{self._indent}wire width {own - width} {unread}"]


def _until_end(lines: Iterator[str], indent: str) -> list[str]:
    """Return the lines up to the ``end`` at `indent`, that one included."""
    found: list[str] = []
    for line in lines:
        found.append(line)
        if line == f"{indent}end":
            return found
    raise ValueError("a cell without an end: this is not RTLIL as Amaranth writes it")


def _with_default(line: str, indent: str, lines: Iterator[str]) -> list[str]:
    """Return a switch, and those inside it, with a case for everything else where they have none."""
    found, cases = [line], list[str]()
    for inner in lines:
        if nested := _SWITCH.match(inner):
            found += _with_default(inner, nested[1], lines)
            continue
        if inner == f"{indent}end":
            complete = "case" in cases or cases == ["case 1'1"]  # the latter becomes an `if`
            return [*found, *([] if complete else [f"{indent}  case"]), inner]
        found.append(inner)
        if inner.startswith(f"{indent}  case"):
            cases.append(inner.strip())
    raise ValueError("a switch without an end: this is not RTLIL as Amaranth writes it")
