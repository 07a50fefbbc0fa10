"""Verilator: Verilog to C++, https://verilator.org. Runs with 5.006 (Debian 12) and later."""

from __future__ import annotations

import os
import subprocess

from amaranth.lib.wiring import Component

from deltatrain.sim.gates.compiled import verilog
from deltatrain.sim.gates.compiled.never_reset import CLOCK, NeverReset
from deltatrain.sim.gates.compiled.recipe import Recipe

__all__ = ["HEADER", "NAME", "PROGRAMS", "WAVEFORMS", "member", "recipe", "version"]

NAME = "verilator"
PROGRAMS = ("verilator", "make", "g++")
HEADER = "verilator.hpp"
WAVEFORMS = {
    ".vcd": ("--trace", "verilated_vcd_c.h", "VerilatedVcdC"),
    ".fst": ("--trace-fst", "verilated_fst_c.h", "VerilatedFstC"),
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
_FAST = "-O3"
_SLOW = "-O0"  # runs once, and initial values of memories make most of the compile time


def version() -> str:
    """Return the version that this machine has."""
    done = subprocess.run(["verilator", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def member(port: str) -> str:
    """Return the member of class Vtop that is the Verilog port `port`."""
    return port.replace("__", "___05F")


def recipe(component: Component, waveform: str | None) -> Recipe:
    """Return how to build `component`, with a waveform of the kind `waveform` if asked for."""
    text = verilog.text(NeverReset(component))
    flags, macros = [*_FLAGS], {"CLOCK": member(CLOCK)}
    if waveform:
        option, header, class_name = WAVEFORMS[waveform]
        flags.append(option)
        macros |= {"WAVEFORM": class_name, "WAVEFORM_HEADER": f'"{header}"'}
    convert = ["verilator", "--cc", "--exe", *flags, "--top-module", "top", "--prefix", "Vtop", "--Mdir", "objects"]
    convert += ["-CFLAGS", "-fPIC -std=c++17", "-LDFLAGS", "-shared", "-o", "../gates.so", "top.v", "design.cpp"]
    make = ["make", "-C", "objects", "-f", "Vtop.mk", f"-j{os.cpu_count()}"]
    make += [f"OPT_FAST={_FAST}", f"OPT_SLOW={_SLOW}", "OPT_GLOBAL=-O1"]
    return Recipe(text, "top.v", macros, (convert, make))
