"""`deltatrain fpga`: a machine's tile on an FPGA, its area and its clock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from deltatrain.sim.cli import options
from deltatrain.sim.cli.interruption import StoppedError
from deltatrain.sim.cli.output import TEXT, Output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from deltatrain.sim.fpga.result import Fpga, Routed


def command(
    machine: Annotated[str, Parameter(name="MACHINE", help="A name from `list machines`, or a TOML file.")],
    /,
    *,
    part: Annotated[
        str,
        Parameter(
            help="lfe5u-25f, lfe5u-45f, lfe5u-85f (ECP5, speed grade 6); xc7, estimated by yosys alone; "
            "xc7z010, xc7z020, xc7a50t, xc7a100t (grade 1), routed by nextpnr-himbaechel-xilinx, not by Vivado."
        ),
    ] = "lfe5u-85f",
    workload: Annotated[
        str,
        Parameter(name=["--workload", "-w"], help="A synthetic workload, or its TOML file: its sizes are the tile's."),
    ] = "tiny",
    top: Annotated[
        Literal["tile", "axi"], Parameter(help="The tile, or the tile behind AXI: a core for a bus.")
    ] = "tile",
    seeds: Annotated[int, Parameter(help="How often place and route is run; the best is taken.")] = 1,
    clock_mhz: Annotated[
        float | None, Parameter(help="What place and route aims at. [default: the machine's clock]")
    ] = None,
    out: Annotated[
        Path | None,
        Parameter(name=["--out", "-o"], help="Folder for the files, made if needed. [default: out/fpga-MACHINE]"),
    ] = None,
    changes: options.Changes = None,
    output: Output = TEXT,
) -> None:
    """Synthesise, place and route a machine's tile, and show its area, its clock and its critical path.

    yosys, nextpnr-ecp5 and ecppack are taken from PATH, or else from the packages
    of the extra fpga; a 7-series part needs nextpnr-himbaechel-xilinx on PATH, has
    no bitstream, and its clock leaves out paths through multipliers. The tile is
    measured inside a wrapper of four pins. Seeds run in parallel; those that are
    done are kept in the cache folder. The folder gets fpga.json, fpga_top.v and,
    of a routed ECP5, fpga_top.bit.

    For example:

      deltatrain fpga edge --seeds 4 --out out/fpga-edge
      deltatrain fpga tiny --part lfe5u-25f --clock-mhz 50
      deltatrain fpga edge --part xc7 --json
      deltatrain fpga edge --top axi --seeds 4
    """
    from deltatrain.accel.architecture import Architecture
    from deltatrain.sim.cli.step_source import step_source
    from deltatrain.sim.fpga.run import cache, fpga

    changed = options.overrides(changes)
    tile, what = Architecture.named(machine, changed.machine), step_source(None, workload, changed)
    folder = out or Path("out") / f"fpga-{tile.name}"
    clock_hz = None if clock_mhz is None else clock_mhz * 1e6
    try:
        with output.stages() as stages:
            found = fpga(tile, what, folder, part=part, top=top, seeds=seeds, clock_hz=clock_hz, on_progress=stages)
    except KeyboardInterrupt:
        kept = f"{cache()} keeps what was finished, and the same command goes on from there"
        raise StoppedError(advice=kept) from None
    output.give(
        *tables(found),
        f"Written to {folder}",
        json=found.to_json,
        rows=lambda: [{"unit": unit, **area} for unit, area in found.units.items()],
    )


_TOPS = {"tile": "tile", "axi": "core"}
"""What is measured, in words."""


def tables(found: Fpga) -> list[RenderableType]:
    """Return what was found: the clock, and the area of each unit."""
    from deltatrain.sim.cli.screen import fields

    about = [("workload", f"{found.workload}: its sizes are the tile's"), ("date", found.date)]
    about += [(name, version) for name, version in found.versions.items()]
    wrapped = f"the {_TOPS[found.top]}'s {found.port_bits:,} port bits"
    about.append(("wrapper", f"{wrapped} behind {found.pins} pins, all registered"))
    if found.uncounted:
        about.append(("counters", "left out: those of busy and stalled cycles, which read as zero"))
    parts: list[RenderableType] = [fields(f"{found.machine} on {found.part}", about)]
    parts.append(fields("clock", _clock(found)) if found.routed is None else _routed(found, found.routed))
    return [*parts, _area(found)]


def _clock(found: Fpga) -> list[tuple[str, str]]:
    from deltatrain.accel.quantity import quantity

    return [("stated", quantity(found.clock_hz, "Hz")), ("measured", "not: there is no place and route for this part")]


def _routed(found: Fpga, routed: Routed) -> RenderableType:
    from deltatrain.accel.quantity import quantity, share
    from deltatrain.sim.cli.screen import fields

    path = routed.critical_path
    whole = path.logic_s + path.routing_s
    reached = {seed: quantity(hz, "Hz") for seed, hz in routed.fmax_hz_of_seeds.items()}
    reached |= dict.fromkeys(routed.unrouted_seeds, "not routed")
    seeds = ", ".join(f"{seed}: {reached[seed]}" for seed in sorted(reached))
    cells = ", ".join(f"{used:,} of {there:,} {kind}" for kind, (used, there) in routed.used.items())
    lines = [
        (
            "highest clock",
            f"{quantity(routed.fmax_hz, 'Hz')}, where the machine states {quantity(found.clock_hz, 'Hz')}",
        ),
        ("of each seed", f"{seeds}; aimed at {quantity(routed.target_hz, 'Hz')}"),
        ("critical path", f"{quantity(whole, 's')}, {share(path.routing_s / whole)} of it in wires"),
        ("from", path.first),
        ("through", " > ".join(path.units)),
        ("to", path.last),
        ("cells used", f"{cells}, with the wrapper's"),
    ]
    if routed.untimed:
        lines.append(("not timed", f"paths through {', '.join(routed.untimed)}, of which nextpnr knows no delays"))
    return fields("clock, measured by place and route", lines)


def _area(found: Fpga) -> RenderableType:
    from deltatrain.reports.table import TOTAL
    from deltatrain.sim.cli.screen import table
    from deltatrain.sim.fpga.parts import RESOURCES
    from deltatrain.sim.fpga.units import WRAPPER

    units = [(unit, area) for unit, area in found.units.items() if unit != WRAPPER]
    rows = [[unit, *(f"{area[of]:,}" for of in RESOURCES)] for unit, area in [*units, (TOTAL, found.area)]]
    around = found.units.get(WRAPPER, dict.fromkeys(RESOURCES, 0))
    note = (
        f"One of each: {found.counted}. The wrapper around it has {around['lut']:,} LUT and {around['ff']:,} FF more."
    )
    columns = [
        "unit",
        *(of.replace("_", " ").replace("lut", "LUT").replace("ff", "FF").replace("ram", "RAM") for of in RESOURCES),
    ]
    return table("Area of the tile, estimated by yosys", columns, rows, note)
