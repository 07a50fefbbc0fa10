"""Verilog that a person reads: plain module names, and memories of zeros in two lines."""

from __future__ import annotations

import re

__all__ = ["readable"]

_MODULE = re.compile(r"^module \\(\S+) ", re.MULTILINE)

_ZEROS = re.compile(r"  initial begin\n((?:    (\S+)\[\d+\] = (\d+)'h0+;\n)+)  end\n")
"""Rows of one memory, all zero."""


def readable(verilog: str) -> str:
    """Return the same design as `verilog`, which yosys wrote.

    Modules are called by their place in the hierarchy, joined with underscores, instead of by escaped names. A memory
    whose rows are all zero at first is cleared in a loop instead of in a line for each.
    """
    names = dict.fromkeys(_MODULE.findall(verilog))
    taken = set(re.findall(r"^module (\w+)", verilog, re.MULTILINE))
    for name in names:
        plain = re.sub(r"\W", "_", name)
        while plain in taken:
            plain += "_"
        taken.add(plain)
        names[name] = plain
    called = re.compile(r"\\(" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + r") ")
    return _ZEROS.sub(_loop, called.sub(lambda found: f"{names[found[1]]} ", verilog) if names else verilog)


def _loop(found: re.Match[str]) -> str:
    rows, memory, bits = found[1].count("\n"), found[2], found[3]
    return (
        f"  initial begin : zero_{re.sub(r'[^0-9A-Za-z_]', '_', memory)}\n    integer row;\n"
        f"    for (row = 0; row < {rows}; row = row + 1) {memory}[row] = {bits}'h0;\n  end\n"
    )
