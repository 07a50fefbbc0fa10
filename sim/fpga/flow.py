"""Verilog, yosys, nextpnr for several seeds, bitstream; each is kept in the cache folder by what it is made from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from deltatrain.accel.documents import json_value
from deltatrain.accel.errors import ConfigError, FitError, HostError
from deltatrain.accel.files import make_folder, replace_file, scratch_folder
from deltatrain.accel.locks import alone
from deltatrain.sim.fpga.parts import Part
from deltatrain.sim.fpga.routed import fmax_hz
from deltatrain.sim.fpga.slots import Slots
from deltatrain.sim.fpga.tools import Job, Tool, UnroutedError, run_jobs
from deltatrain.sim.fpga.wrapper import TOP
from deltatrain.sim.progress import Progress

__all__ = ["Placed", "bitstream", "place", "synthesise"]

_SOURCE, _NETLIST = f"{TOP}.v", f"{TOP}.json"


class Placed:
    """What place and route made of each seed, in the cache folder.

    Parameters
    ----------
    folder
        Of this netlist, part, clock and version of nextpnr.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def report(self, seed: int) -> dict[str, Any] | None:
        """Return nextpnr's report, None if the seed is not done."""
        return _read(self._file(seed, "json")) if self.configuration(seed).exists() else None

    def failure(self, seed: int) -> str | None:
        """Return why the seed leads to no placement or no route, None if it does or is not done."""
        file = self._file(seed, "failure")
        return file.read_text(encoding="utf-8") if file.exists() else None

    def configuration(self, seed: int) -> Path:
        """Return the file that a bitstream is packed from."""
        return self._file(seed, "config")

    def keep(self, seed: int, made: Path) -> None:
        """Take what a run of nextpnr made in the folder `made`."""
        _move(made / f"{_named(seed)}.config", self.configuration(seed))
        _move(made / f"{_named(seed)}.json", self._file(seed, "json"))

    def keep_failure(self, seed: int, failure: UnroutedError) -> None:
        """Take why the seed leads nowhere, which it will do again."""
        replace_file(self._file(seed, "failure"), str(failure).encode())

    def _file(self, seed: int, suffix: str) -> Path:
        return self.folder / f"{_named(seed)}.{suffix}"


def synthesise(verilog: str, part: Part, yosys: Tool, cache: Path, slots: Slots, on_progress: Progress) -> Path:
    """Return the file of the netlist of `verilog`, whose top module is the wrapper.

    Another process that synthesises the same is waited for.

    Raises
    ------
    HostError
        If yosys fails, or the cache folder cannot be written.
    """
    script = f"read_verilog {_SOURCE}; {part.family.synthesis} -top {TOP}; autoname; write_json {_NETLIST}"
    folder = cache / _digest(verilog, script, yosys.version)
    netlist = folder / _NETLIST
    on_progress("synthesis", 0.0, yosys.version)
    make_folder(folder)
    with alone(folder / "synthesis.lock"):
        if not netlist.exists():
            with _scratch(folder) as made:
                replace_file(made / _SOURCE, verilog.encode())
                run_jobs([Job(yosys, ("-q", "-p", script), made, "yosys")], slots)
                _move(made / _NETLIST, netlist)
    on_progress("synthesis", 1.0, yosys.version)
    return netlist


def place(
    netlist: Path,
    part: Part,
    clock_hz: float,
    seeds: Sequence[int],
    nextpnr: Tool,
    slots: Slots,
    on_progress: Progress,
) -> Placed:
    """Place and route `netlist` with each seed, as many at once as there are slots; seeds that are done are kept.

    A seed that leads to no route costs no other. Another process that places the same is waited for.

    Raises
    ------
    FitError
        If the design is too large for the part, or no seed leads to a route.
    HostError
        If nextpnr fails otherwise, or the cache folder cannot be written.
    """
    options = (*(part.placing or ()), "--freq", f"{clock_hz / 1e6:.6f}", *part.family.routing, "--timing-allow-fail")
    placed = Placed(netlist.parent / _digest(*options, part.constraints, nextpnr.version))
    make_folder(placed.folder)
    with alone(placed.folder / "place.lock"), _scratch(placed.folder) as made:
        if part.constraints:
            replace_file(made / "pins.xdc", part.constraints.encode())
        source, routes = _seen_from(made, netlist), _Routes(placed, made, seeds, on_progress)
        routes.tell(nextpnr.version)
        jobs = [Job(nextpnr, _placing(options, source, seed), made, _named(seed)) for seed in routes.waiting]
        run_jobs(jobs, slots, routes.keep, routes.leave)
    if all(failures := [placed.failure(seed) for seed in seeds]):
        raise FitError(f"of {len(seeds)} seeds none is routed: {failures[0]}" if len(seeds) > 1 else failures[0])
    return placed


class _Routes:
    """Seeds that are being placed in the folder `made`: what comes of each is kept at once."""

    def __init__(self, placed: Placed, made: Path, seeds: Sequence[int], on_progress: Progress) -> None:
        self._placed, self._made, self._count, self._on_progress = placed, made, len(seeds), on_progress
        self.waiting = [seed for seed in seeds if placed.report(seed) is None and placed.failure(seed) is None]
        self._seeds = {_named(seed): seed for seed in self.waiting}

    def tell(self, what: str) -> None:
        self._on_progress("place and route", 1 - len(self.waiting) / self._count, what)

    def keep(self, job: Job) -> None:
        seed = self._seeds[job.name]
        self._placed.keep(seed, self._made)
        self.waiting.remove(seed)
        self.tell(f"seed {seed}: {fmax_hz(self._placed.report(seed) or {}) / 1e6:.1f} MHz")

    def leave(self, job: Job, failure: ConfigError) -> None:
        if not isinstance(failure, UnroutedError):
            raise failure
        seed = self._seeds[job.name]
        self._placed.keep_failure(seed, failure)
        self.waiting.remove(seed)
        self.tell(f"seed {seed}: not routed")


def bitstream(placed: Placed, seed: int, ecppack: Tool, slots: Slots) -> bytes:
    """Return the bitstream of a seed that is done; a `HostError` says why it cannot be packed."""
    with _scratch(placed.folder) as made:
        arguments = ("--compress", _seen_from(made, placed.configuration(seed)), "tile.bit")
        run_jobs([Job(ecppack, arguments, made, "ecppack")], slots)
        return (made / "tile.bit").read_bytes()


def _placing(options: Sequence[str], netlist: str, seed: int) -> tuple[str, ...]:
    named = tuple(option.replace("{}", _named(seed)) for option in options)
    return (*named, "--json", netlist, "--report", f"{_named(seed)}.json", "--seed", str(seed), "-q")


def _named(seed: int) -> str:
    return f"seed_{seed}"


def _seen_from(folder: Path, file: Path) -> str:
    """Return the path of `file` from `folder` on: those of PyPI, being WebAssembly, have a /tmp of their own."""
    return os.path.relpath(file, folder)


def _scratch(folder: Path) -> AbstractContextManager[Path]:
    """Return a scratch folder beside the files of `folder`, so that what is whole can be moved there."""
    make_folder(folder)
    return scratch_folder("deltatrain-fpga-", folder)


def _move(made: Path, place: Path) -> None:
    """Move a file that a tool has written to its end, whole or not at all."""
    try:
        made.replace(place)
    except OSError as error:
        raise HostError(f"{place} cannot be written: {error.strerror}") from None


def _read(file: Path) -> dict[str, Any] | None:
    """Return a report; None if there is none, or it is not whole."""
    try:
        found = json_value(file.read_bytes())
    except (OSError, ValueError, ConfigError):
        return None
    return found if isinstance(found, dict) else None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
