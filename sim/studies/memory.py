"""Local SRAM against DRAM: the time and energy of each home of the matrices, and the bus that makes up for it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Counters
from deltatrain.accel.pricing.run_energy import energy_j
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.run import synthetic_trace
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.workload import Workload

ABOUT = (
    "Where does training from DRAM cost what training from local SRAM costs? Published: many-core trainers keep all "
    "in distributed SRAM, edge parts all weights in DRAM (EdgeDRNN, arXiv 2012.13600: up to 10 times fewer weight "
    "fetches by deltas); where they meet is not published. Ours: an LSTM layer on machines like edge with as much "
    "SRAM as the home needs, DDR3 on ever wider buses, cycle fidelity, masks by statistics. Energy: SRAM with "
    "leakage by CACTI 7 (45 nm, low operating power), as one memory and as tiles of about 32 kB; DRAM by the part's "
    "datasheet currents, standby of the whole run included, also where nothing but inputs lies in it."
)

HOMES = {
    "all local": ("local", "local", "local"),
    "tape remote": ("local", "local", "remote"),
    "gradients remote": ("local", "remote", "local"),
    "weights remote": ("remote", "local", "local"),
    "all remote": ("remote", "remote", "remote"),
}
"""Where weights, gradients and tape live."""

TILE_BYTES = 32_768
"""Of a tile of distributed SRAM."""

BUS_BITS = (16, 64, 256, 1024)
"""Of the DDR3 devices side by side; the port is as wide as needed."""

ENERGY = "cacti7_45nm_lop+horowitz_45nm"
"""SRAM with leakage after CACTI, arithmetic after Horowitz."""

_ENOUGH_BYTES = 2**30
_CLOSE = 1.1


class Settings(NamedTuple):
    """The machines and networks: lanes, shares that fire, width of the layer, its inputs, steps of the sample."""

    lanes: tuple[int, ...]
    occupancies: tuple[float, ...]
    hidden: int
    inputs: int
    steps: int


SETTINGS = Settings(lanes=(8, 32), occupancies=(0.02, 0.05, 0.1, 0.2, 0.5, 1.0), hidden=128, inputs=32, steps=40)
SMALL_SETTINGS = Settings(lanes=(8,), occupancies=(0.1, 1.0), hidden=32, inputs=8, steps=8)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return a row for each number of lanes, occupancy and home; the figure is left in `folder`.

    Columns: ``lanes``; ``occupancy_%``; ``home``; ``sram_kB`` that it needs; ``slower_times_16`` than all
    local on a bus of 16 bits, and so on for wider ones; ``close_bus_bits``, the narrowest of those buses on which it
    takes at most 1.1 times as long, or "none"; ``energy_times`` that of all local, with one SRAM in both, and
    ``tiled_energy_times``, with tiles in both.
    """
    from deltatrain.reports.figures import memory_homes

    table: list[Row] = []
    points = [(lanes, occupancy) for lanes in settings.lanes for occupancy in settings.occupancies]
    for done, (lanes, occupancy) in enumerate(points):
        progress("memory", done / len(points), f"{lanes} lanes, occupancy {100 * occupancy:g} %")
        table += _of_point(settings, lanes, occupancy)
    setting = f"LSTM layer of {settings.hidden}, DDR3 on {BUS_BITS[0]} bits, {cycle.LABEL}"
    OutputFolder(folder).save_figure("memory_homes", memory_homes.draw(table, setting=setting))
    return table


class Run(NamedTuple):
    """One home on one bus: cycles, SRAM needed, and energy with one SRAM and with tiles."""

    cycles: int
    sram_bytes: int
    joules: float
    tiled_joules: float


def run(settings: Settings, lanes: int, occupancy: float, home: str, bus_bits: int) -> Run:
    """Return what one sample's training step takes."""
    workload = Workload.named(
        "synthetic",
        {
            "hidden": [settings.hidden],
            "training.batch": 1,
            "synthetic.inputs": settings.inputs,
            "synthetic.steps": settings.steps,
            "synthetic.occupancy_x": occupancy,
            "synthetic.occupancy_h": occupancy,
        },
    )
    trace = synthetic_trace(workload)
    shape = Shape.of_workload(workload, trace.inputs, trace.classes)
    machine = _machine(lanes, home, bus_bits, _ENOUGH_BYTES)
    sram_bytes = sum(lower(machine, shape, trace.recorded[0], workload.readout).local_bytes.values())
    machine = _machine(lanes, home, bus_bits, sram_bytes)
    counters = cycle.count(lower(machine, shape, trace.recorded[0], workload.readout))
    tiled = _machine(lanes, home, bus_bits, sram_bytes, banks=-(-sram_bytes // TILE_BYTES))
    return Run(counters.cycles, sram_bytes, _joules(counters, machine), _joules(counters, tiled))


def _machine(lanes: int, home: str, bus_bits: int, local_bytes: int, banks: int = 1) -> Architecture:
    """Return a machine like `edge` with `lanes` lanes, and a port as wide as the wider of bus and lanes."""
    weights, gradients, tape = HOMES[home]
    return Architecture.named(
        "edge",
        {
            "engine.lanes": lanes,
            "engine.elementwise_lanes": lanes,
            "engine.encoder_elements": lanes,
            "energy": ENERGY,
            "local.bytes": local_bytes,
            "local.banks": banks,
            "cache.bytes": 0,
            "remote.bus_bits": bus_bits,
            "dma.bytes_per_cycle": max(2 * bus_bits, 4 * lanes),
            "dma.buffer_bytes": 512 * lanes,
            "placement.weights": weights,
            "placement.gradients": gradients,
            "placement.tape": tape,
        },
    )


def _joules(counters: Counters, machine: Architecture) -> float:
    return sum(energy_j(counters, machine).values())


def _of_point(settings: Settings, lanes: int, occupancy: float) -> list[Row]:
    base = run(settings, lanes, occupancy, "all local", BUS_BITS[0])
    table: list[Row] = []
    for home in HOMES:
        runs = {bits: run(settings, lanes, occupancy, home, bits) for bits in BUS_BITS}
        first, slower = runs[BUS_BITS[0]], {bits: one.cycles / base.cycles for bits, one in runs.items()}
        close = [bits for bits, times in slower.items() if times <= _CLOSE]
        table.append(
            {
                "lanes": lanes,
                "occupancy_%": round(100 * occupancy, 1),
                "home": home,
                "sram_kB": round(first.sram_bytes / 1000, 1),
                **{f"slower_times_{bits}": round(times, 2) for bits, times in slower.items()},
                "close_bus_bits": close[0] if close else "none",
                "energy_times": round(first.joules / base.joules, 2),
                "tiled_energy_times": round(first.tiled_joules / base.tiled_joules, 2),
            }
        )
    return table
