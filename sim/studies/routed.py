"""Effective throughput at the clock at which gates were placed and routed, forward and in training."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Counters
from deltatrain.sim.run import simulate
from deltatrain.sim.steady_step import SteadyStep
from deltatrain.sim.studies import silicon
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.workloads.workload import Workload

ABOUT = (
    "What does `edge_ecp5`, `edge` at the clock of its gates on an FPGA, reach where nine tenths of the deltas do not "
    "fire, forward and in training, and how far is that from EdgeDRNN's published rate? Its network is that of study "
    "`silicon`, a Delta GRU of two layers. sim/studies/routed.toml says what was routed: the whole tile. "
    "EdgeDRNN infers, so nothing is published beside the training. Ours: simulated cycles at that clock."
)

_MACS_OF = ("FP", "BP", "WG")
"""Phases whose products deltas save; the update counts in the time alone."""


class Settings(NamedTuple):
    """The width of both layers, the steps of a sequence, and the samples of a training's batch, in turn."""

    hidden: int
    steps: int
    batches: tuple[int, ...]


SETTINGS = Settings(hidden=768, steps=60, batches=(1, 8))
SMALL_SETTINGS = Settings(hidden=128, steps=8, batches=(1,))

SPARSITY = 0.9


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return a row for the forward pass of a step, and one for a training step of each batch; nothing is kept.

    Columns: ``phases``, "forward" or "training"; ``layers``, ``hidden``, ``batch``; ``clock_MHz``, at which gates were
    routed; ``zeros_%``, of the deltas, of the phases with products; ``cycles``; ``ms``; ``GOp/s``, two for each product
    that a dense network has, over the time; ``dense_peak_GOp/s``, all lanes always busy; ``published_GOp/s`` of
    EdgeDRNN, where this is its network.
    """
    machine = Architecture.named(routed()["machine"])
    progress("forward", 0.0, "a step")
    table = [_forward(machine, settings)]
    for done, batch in enumerate(settings.batches):
        progress("training", (1 + done) / (1 + len(settings.batches)), f"batch of {batch}")
        table.append(_training(machine, settings, batch))
    return table


def routed() -> dict[str, Any]:
    """Return what was routed, the clock that it reached, and the preset of that clock."""
    text = resources.files("deltatrain.sim.studies").joinpath("routed.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _forward(machine: Architecture, settings: Settings) -> Row:
    known, hidden = silicon.published()["edgedrnn"]["published"], settings.hidden
    inputs, layers = known["inputs"], known["layers"]
    columns = SteadyStep("delta_gru", inputs, hidden, layers, 0).columns_at_most
    cycles = SteadyStep("delta_gru", inputs, hidden, layers, (1 - SPARSITY) * columns).cycles(machine, settings.steps)
    theirs = known["gop_per_second"] if hidden == known["hidden"] else ""
    return _row(machine, settings, "forward", 1, 100 * SPARSITY, cycles, 3 * hidden * columns, theirs)


def _training(machine: Architecture, settings: Settings, batch: int) -> Row:
    counters = simulate(machine, workload(settings, batch), dense=False).counters
    done, skipped = _products(counters)
    zeros = 100 * skipped / (done + skipped)
    return _row(machine, settings, "training", batch, zeros, counters.cycles, done + skipped, "")


def workload(settings: Settings, batch: int) -> Workload:
    """Return the statistics of a training step of the network."""
    known, fires = silicon.published()["edgedrnn"]["published"], 1 - SPARSITY
    synthetic = {"inputs": known["inputs"], "steps": settings.steps, "occupancy_x": fires, "occupancy_h": fires}
    changes = {"cell": "delta_gru", "hidden": [settings.hidden] * known["layers"], "training.batch": batch}
    return Workload.named("synthetic", changes | {f"synthetic.{name}": value for name, value in synthetic.items()})


def _products(counters: Counters) -> tuple[int, int]:
    """Return the products that were made, and those that deltas saved."""
    phases = [counters.phases[name] for name in _MACS_OF]
    return sum(phase.macs for phase in phases), sum(phase.skipped_macs for phase in phases)


def _row(
    machine: Architecture,
    settings: Settings,
    phases: str,
    batch: int,
    zeros: float,
    cycles: float,
    products: int,
    theirs: float | str,
) -> Row:
    seconds = cycles / machine.engine.clock_hz
    return {
        "phases": phases,
        "layers": silicon.published()["edgedrnn"]["published"]["layers"],
        "hidden": settings.hidden,
        "batch": batch,
        "clock_MHz": machine.engine.clock_hz / 1e6,
        "zeros_%": round(zeros, 1),
        "cycles": round(cycles),
        "ms": round(1e3 * seconds, 4),
        "GOp/s": round(2 * products / seconds / 1e9, 3),
        "dense_peak_GOp/s": round(2 * machine.engine.lanes * machine.engine.clock_hz / 1e9, 3),
        "published_GOp/s": theirs,
    }
