"""Verilog, yosys, nextpnr for several seeds, bitstream; each is kept in the cache folder by what it is made from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from deltatrain.accel.documents import json_value
from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.accel.files import make_folder, replace_file, scratch_folder
from deltatrain.accel.own_computer import cores
from deltatrain.sim.fpga.parts import Part
from deltatrain.sim.fpga.routed import fmax_hz
from deltatrain.sim.fpga.tools import Job, Tool, run_jobs
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

    def configuration(self, seed: int) -> Path:
        """Return the file that a bitstream is packed from."""
        return self._file(seed, "config")

    def keep(self, seed: int, made: Path) -> None:
        """Take what a run of nextpnr made in the folder `made`."""
        _move(made / f"seed_{seed}.config", self.configuration(seed))
        _move(made / f"seed_{seed}.json", self._file(seed, "json"))

    def _file(self, seed: int, suffix: str) -> Path:
        return self.folder / f"seed_{seed}.{suffix}"


def synthesise(verilog: str, part: Part, yosys: Tool, cache: Path, on_progress: Progress) -> Path:
    """Return the file of the netlist of `verilog`, whose top module is the wrapper.

    Raises
    ------
    HostError
        If yosys fails, or the cache folder cannot be written.
    """
    script = f"read_verilog {_SOURCE}; {part.family.synthesis} -top {TOP}; autoname; write_json {_NETLIST}"
    folder = cache / _digest(verilog, script, yosys.version)
    netlist = folder / _NETLIST
    on_progress("synthesis", 0.0, yosys.version)
    if not netlist.exists():
        with _scratch(folder) as made:
            replace_file(made / _SOURCE, verilog.encode())
            run_jobs([Job(yosys, ("-q", "-p", script), made, "yosys")], 1, lambda job: None)
            _move(made / _NETLIST, netlist)
    on_progress("synthesis", 1.0, yosys.version)
    return netlist


def place(
    netlist: Path, part: Part, clock_hz: float, seeds: Sequence[int], nextpnr: Tool, on_progress: Progress
) -> Placed:
    """Place and route `netlist` with each seed, as many at once as there are cores; seeds that are done are kept.

    Raises
    ------
    FitError
        If the design is too large for the part.
    HostError
        If nextpnr fails otherwise, or the cache folder cannot be written.
    """
    options = (*(part.placing or ()), "--freq", f"{clock_hz / 1e6:.6f}", "--lpf-allow-unconstrained")
    options += ("--timing-allow-fail",)
    placed = Placed(netlist.parent / _digest(*options, nextpnr.version))
    waiting = [seed for seed in seeds if placed.report(seed) is None]
    stage = "place and route"

    def tell(what: str) -> None:
        on_progress(stage, 1 - len(waiting) / len(seeds), what)

    tell(nextpnr.version)
    with _scratch(placed.folder) as made:
        numbers = {f"seed_{seed}": seed for seed in waiting}

        def keep(job: Job) -> None:
            seed = numbers[job.name]
            placed.keep(seed, made)
            waiting.remove(seed)
            report = placed.report(seed)
            tell(f"seed {seed}: {fmax_hz(report or {}) / 1e6:.1f} MHz")

        source = _seen_from(made, netlist)
        jobs = [Job(nextpnr, _placing(options, source, seed), made, f"seed_{seed}") for seed in waiting]
        run_jobs(jobs, cores(), keep)
    return placed


def bitstream(placed: Placed, seed: int, ecppack: Tool) -> bytes:
    """Return the bitstream of a seed that is done; a `HostError` says why it cannot be packed."""
    with _scratch(placed.folder) as made:
        arguments = ("--compress", _seen_from(made, placed.configuration(seed)), "tile.bit")
        run_jobs([Job(ecppack, arguments, made, "ecppack")], 1, lambda job: None)
        return (made / "tile.bit").read_bytes()


def _placing(options: Sequence[str], netlist: str, seed: int) -> tuple[str, ...]:
    files = ("--json", netlist, "--textcfg", f"seed_{seed}.config", "--report", f"seed_{seed}.json")
    return (*options, *files, "--seed", str(seed), "-q")


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
