"""A machine's tile, or all its tiles, on an FPGA: area, clock and a bitstream, written to a folder."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cache_folder import cache_folder
from deltatrain.accel.documents import json_value
from deltatrain.accel.errors import HostError, refuse
from deltatrain.accel.files import AnyPath, make_folder, read_bytes, replace_file
from deltatrain.accel.own_computer import cores
from deltatrain.sim.capabilities import against_core, against_fpga
from deltatrain.sim.fpga.core import core_in_wrapper
from deltatrain.sim.fpga.flow import bitstream, place, synthesise
from deltatrain.sim.fpga.netlist import area_of_units
from deltatrain.sim.fpga.parts import Part, part_named
from deltatrain.sim.fpga.result import Fpga, Routed
from deltatrain.sim.fpga.routed import critical_path, fmax_hz, used
from deltatrain.sim.fpga.slots import Slots
from deltatrain.sim.fpga.tools import Tool, tools_for
from deltatrain.sim.fpga.wrapper import PINS, TOP, PortBits, port_bits, wrapper
from deltatrain.sim.gates.export.verilog import verilog
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.ports import Ports
from deltatrain.sim.gates.recorded_step import recorded_step
from deltatrain.sim.gates.run import tile_for
from deltatrain.sim.progress import Progress, tell_nobody
from deltatrain.sim.run import chosen, described, synthetic_trace
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

__all__ = ["cache", "fpga"]

_MOST_SEEDS = 64


def fpga(
    architecture: Architecture | AnyPath,
    what: Workload | Trace | AnyPath = "tiny",
    out: AnyPath | None = None,
    *,
    part: str = "lfe5u-85f",
    top: Literal["tile", "axi"] = "tile",
    seeds: int = 1,
    clock_hz: float | None = None,
    on_progress: Progress = tell_nobody,
) -> Fpga:
    """Find what a machine's tile takes of an FPGA, and at which clock it works there; of several tiles, all of them.

    The tile is synthesised by yosys and placed and routed by nextpnr, once for each seed. Its ports do
    not fit a package, so a wrapper of registers with four pins is around it. What was done before is found in the
    cache folder.

    Parameters
    ----------
    architecture
        The machine, its preset's name, or its TOML file.
    what
        The trace or the workload whose sizes are the tile's, or its name or file.
    out
        Folder for ``fpga.json``, the Verilog and, of an ECP5, the bitstream, made if it is not there; without it
        nothing is written.
    part
        A name of `sim.fpga.parts.PARTS`; ``xc7`` is estimated by yosys alone, and a 7-series part by name is placed and
        routed where PATH has nextpnr-himbaechel-xilinx.
    top
        What is measured: the tile, or "axi" for the core, which is the tile behind AXI.
    seeds
        How many seeds of place and route; the best one is reported and packed.
    clock_hz
        What nextpnr aims at, in hertz; the machine's own if not given.
    on_progress
        Told the stage, the share of it that is done, and what is being done.

    Raises
    ------
    ConfigError
        If the gates cannot be built for the machine or the workload, an argument makes no sense, a tool is missing or
        fails, or the folder cannot be written.
    """
    machine, workload, target = Architecture.of(architecture), described(what), part_named(part)
    against = against_core if top == "axi" else against_fpga
    refuse([*_faults(seeds, clock_hz), *against(machine, workload)])
    tools = tools_for(target)
    folder = None if out is None else Path(out)
    if folder is not None:
        make_folder(folder)
    on_progress("Verilog", 0.0, "")
    source, bits = (core_in_wrapper if top == "axi" else tile_in_wrapper)(machine, workload)
    slots = Slots(cache(), cores())
    netlist = synthesise(source, target, tools[0], cache(), slots, on_progress)
    goal = float(clock_hz or machine.engine.clock_hz)
    routed = _Routing(netlist, target, goal, seeds, tools, slots, on_progress) if target.placing else None
    found = _result(machine, workload, target, top, bits, netlist, tools, routed)
    if folder is not None:
        _write(folder, source, found, routed)
    return found


def cache() -> Path:
    """Return the folder where netlists and finished seeds are kept."""
    return cache_folder() / "fpga"


def tile_in_wrapper(machine: Architecture, workload: Workload | Trace) -> tuple[str, PortBits]:
    """Return the Verilog of the tile in its wrapper, and the bits of the tile's ports; it counts no cycles."""
    trace = workload if isinstance(workload, Trace) else synthetic_trace(workload)
    step = recorded_step(machine, trace, chosen(trace, -1), 0)
    sizes = Layout(step.program, step.shape, step.network.readout).sizes
    tile = tile_for(step, sizes._replace(uncounted=1))
    bits = port_bits(Ports.of(tile))
    return verilog(tile, "tile") + wrapper(bits), bits


class _Routing:
    """All seeds placed and routed; the best one, and its bitstream."""

    def __init__(
        self,
        netlist: Path,
        part: Part,
        clock_hz: float,
        seeds: int,
        tools: list[Tool],
        slots: Slots,
        on_progress: Progress,
    ) -> None:
        _, nextpnr, *packers = tools
        wanted = range(1, seeds + 1)
        placed = place(netlist, part, clock_hz, wanted, nextpnr, slots, on_progress)
        reports = {seed: report for seed in wanted if (report := placed.report(seed))}
        failures = {seed: failure for seed in wanted if (failure := placed.failure(seed))}
        clocks = {seed: fmax_hz(report) for seed, report in reports.items()}
        if reports.keys() | failures.keys() != set(wanted):
            raise HostError(f"a report of place and route is missing in {placed.folder}")
        best = max(clocks, key=lambda seed: clocks[seed])
        report = reports[best]
        self.result = Routed(
            clocks[best], best, clocks, failures, clock_hz, used(report), critical_path(report), part.family.untimed
        )
        self.file = placed.configuration(best)
        self._placed, self._packers, self._slots = placed, packers, slots

    def bitstream(self) -> bytes | None:
        """Return the best seed's; None where no tool packs it."""
        best = self.result.best_seed
        return bitstream(self._placed, best, self._packers[0], self._slots) if self._packers else None


def _result(
    machine: Architecture,
    workload: Workload | Trace,
    part: Part,
    top: str,
    bits: PortBits,
    netlist: Path,
    tools: list[Tool],
    routed: _Routing | None,
) -> Fpga:
    return Fpga(
        machine=machine.name,
        workload=workload.workload.name if isinstance(workload, Trace) else workload.name,
        part=part.name,
        top=top,
        clock_hz=float(machine.engine.clock_hz),
        date=_date(routed.file if routed else netlist),
        versions={tool.name: tool.version for tool in tools},
        port_bits=bits.total,
        pins=PINS,
        uncounted=True,
        units=area_of_units(json_value(read_bytes(netlist)), part.family),
        counted=part.family.units,
        routed=routed.result if routed else None,
    )


def _write(folder: Path, source: str, found: Fpga, routed: _Routing | None) -> None:
    """Write the files; ``fpga.json`` last, so that it stands for all of them."""
    replace_file(folder / f"{TOP}.v", source.encode())
    if routed and (bits := routed.bitstream()) is not None:
        replace_file(folder / f"{TOP}.bit", bits)
    replace_file(folder / "fpga.json", found.to_json().encode())


def _faults(seeds: int, clock_hz: float | None) -> list[str]:
    faults = []
    if not 1 <= seeds <= _MOST_SEEDS:
        faults.append(f"seeds must be 1 to {_MOST_SEEDS}, not {seeds}")
    if clock_hz is not None and not (math.isfinite(clock_hz) and clock_hz >= 1e6):
        faults.append(f"the clock that is aimed at must be at least 1 MHz, not {clock_hz / 1e6:g} MHz")
    return faults


def _date(file: Path) -> str:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat()
