"""The tools that make compiled gates, best first."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from typing import Protocol

from amaranth.lib.wiring import Component

from deltatrain.accel.errors import HostError, unknown_name
from deltatrain.sim.gates.compiled import cxxrtl, verilator
from deltatrain.sim.gates.compiled.recipe import Recipe

__all__ = ["TOOLS", "Tool", "find_tool", "missing_programs"]


class Tool(Protocol):
    """A module that knows one tool.

    Attributes
    ----------
    NAME
        What it is called where one is chosen.
    PROGRAMS
        What must be installed; each comes in a Debian package of the same name.
    HEADER
        The C++ file, beside the module, that gives the harness its class ``Gates``.
    WAVEFORMS
        Suffixes of the waveforms that it writes.
    """

    @property
    def NAME(self) -> str: ...  # noqa: D102, N802

    @property
    def PROGRAMS(self) -> tuple[str, ...]: ...  # noqa: D102, N802

    @property
    def HEADER(self) -> str: ...  # noqa: D102, N802

    @property
    def WAVEFORMS(self) -> Collection[str]: ...  # noqa: D102, N802

    def version(self) -> str:
        """Return the version that this machine has."""

    def member(self, port: str) -> str:
        """Return the C++ member that is the Verilog port `port`."""

    def recipe(self, component: Component, waveform: str | None) -> Recipe:
        """Return how to make a library of `component`, with a waveform of the kind `waveform` if asked for."""


TOOLS: dict[str, Tool] = {verilator.NAME: verilator, cxxrtl.NAME: cxxrtl}


def missing_programs(tool: Tool) -> list[str]:
    """Return what `tool` needs and this machine does not have."""
    return [program for program in tool.PROGRAMS if shutil.which(program) is None]


def find_tool(name: str | None) -> Tool:
    """Return the tool called `name`, or the best that this machine can run.

    Raises
    ------
    ConfigError
        If there is no such tool, or what it needs is not installed.
    """
    if name is not None and name not in TOOLS:
        raise unknown_name("tool for compiled gates", name, TOOLS)
    tools = TOOLS.values() if name is None else [TOOLS[name]]
    for tool in tools:
        if not missing_programs(tool):
            return tool
    ways = " or ".join(f"{' '.join(missing_programs(tool))} (for {tool.NAME})" for tool in tools)
    raise HostError(f"compiled gates need programs that are not installed: {ways}; apt-get install them")
