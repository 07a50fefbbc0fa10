"""Verilator: Verilog to C++, https://verilator.org. Runs with 5.006 (Debian 12) and later."""

from __future__ import annotations

import os
import subprocess

from amaranth.lib.wiring import Component

from deltatrain.sim.gates.compiled import verilog
from deltatrain.sim.gates.compiled.compiler import COMPILER, compiler_version
from deltatrain.sim.gates.compiled.never_reset import CLOCK, NeverReset
from deltatrain.sim.gates.compiled.recipe import Recipe

__all__ = ["HEADER", "NAME", "PROGRAMS", "WAVEFORMS", "member", "recipe", "version"]

NAME = "verilator"
PROGRAMS = ("verilator", "make", COMPILER)
HEADER = "verilator.hpp"
WAVEFORMS = {
    ".vcd": ("--trace", "verilated_vcd_c", "VerilatedVcdC"),
    ".fst": ("--trace-fst", "verilated_fst_c", "VerilatedFstC"),
}

_FLAGS = (
    "-O3",
    *("--x-assign", "fast"),  # no x: Amaranth gives every register and memory row its first value
    *("--x-initial", "fast"),
    # A warning of style must not keep gates from running; yosys itself writes what three of them are of.
    "-Wno-fatal",
    "-Wno-WIDTH",  # operands of unequal width, which Verilog extends as yosys means it
    "-Wno-CASEINCOMPLETE",  # casez without default where an assignment before it is the default
    "-Wno-UNOPTFLAT",  # fields of one structure that depend on each other, taken for a loop; costs speed only
)
_FAST = "-O1"
"""The tile of ``edge`` with an LSTM of 64: 4.6 CPU s, with -O2 8.7, with -O3 10.1, and none of them runs it faster than
0.65 M cycles/s. Eight lanes alone run at 6.9 M cycles/s with -O3 and at 6.1 with -O1, which pays after 10**8 cycles."""
_SLOW = "-O0"  # runs once, and initial values of memories make most of the compile time


def version() -> str:
    """Return the version that this machine has."""
    done = subprocess.run(["verilator", "--version"], capture_output=True, text=True, check=True)
    return f"{done.stdout.strip()}, {compiler_version()}"


def member(port: str) -> str:
    """Return the member of class Vtop that is the Verilog port `port`."""
    return port.replace("__", "___05F")


def recipe(component: Component, waveform: str | None) -> Recipe:
    """Return how to build `component`, with a waveform of the kind `waveform` if asked for."""
    text = verilog.text(NeverReset(component))
    flags, macros, runtime = [*_FLAGS], {"CLOCK": member(CLOCK)}, ["verilated", "verilated_threads"]
    if waveform:
        option, source, class_name = WAVEFORMS[waveform]
        flags.append(option)
        runtime.append(source)
        macros |= {"WAVEFORM": class_name, "WAVEFORM_HEADER": f'"{source}.h"'}
    convert = ["verilator", "--cc", "--exe", *flags, "--top-module", "top", "--prefix", "Vtop", "--Mdir", "objects"]
    convert += ["-CFLAGS", "-fPIC -std=c++17", "-LDFLAGS", "-shared", "-o", "../gates.so", "top.v", "design.cpp"]
    make = ["make", "-C", "objects", "-f", "Vtop.mk", f"-j{os.cpu_count()}"]
    make += [f"OPT_FAST={_FAST}", f"OPT_SLOW={_SLOW}", "OPT_GLOBAL=-O1"]
    return Recipe(text, "top.v", macros, (convert, make), [f"objects/{source}.o" for source in runtime])
