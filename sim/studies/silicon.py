"""Measured hardware beside ours: words, cycles, latencies and ratios, and how far apart they are."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.column import column_words
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.run import simulate
from deltatrain.sim.steady_step import SteadyStep
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.workload import Workload

ABOUT = (
    "How near are ours to hardware that was measured? EILE's words a phase; cycles a step of EdgeDRNN's RTL with the "
    "same number of columns fired, and its published rate; DeltaKWS's ratio, which is c, the part of the dense product "
    "that deltas do not save; Vollo's latencies, on as many arrays of lanes; cycles a step of Spartus, whose columns "
    "fired are not published. Sources stand in sim/studies/silicon.toml; sizes of EdgeDRNN's published point and its "
    "clock are assumed there."
)

_LAYER_CYCLES = 14.5
"""Of EdgeDRNN's RTL a layer, beside columns and gates: the law found from its cycles."""


class Settings(NamedTuple):
    """How wide networks may be that are simulated, and over how many steps their cycles are taken."""

    widest: int
    steps: int


SETTINGS = Settings(widest=768, steps=6)
SMALL_SETTINGS = Settings(widest=128, steps=4)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return a row for each published number; nothing is kept in `folder`.

    Columns: ``part`` and ``case``; ``what`` is compared and its unit; ``theirs`` and ``ours``; ``law``, what the closed
    form of their design says; ``off_%``, ours over theirs, less one; ``how`` theirs was found.
    """
    known = published()
    table = [*_eile(known["eile"])]
    wanted = [row for row in known["edgedrnn"]["rows"] if row["hidden"] <= settings.widest]
    for done, row in enumerate(wanted):
        progress("EdgeDRNN", done / len(wanted), f"{row['layers']} x {row['hidden']}")
        table.append(_edgedrnn(row, known["edgedrnn"], settings.steps))
    if settings.widest >= known["edgedrnn"]["published"]["hidden"]:
        table += _edgedrnn_rate(known["edgedrnn"]["published"], known["edgedrnn"]["lanes"], settings.steps)
    table.append(_deltakws(known["deltakws"], known["edgedrnn"]["lanes"], settings.steps))
    table += _vollo(known["vollo"])
    table.append(_spartus(known["spartus"]))
    return table


def published() -> dict[str, Any]:
    """Return the tables of what was published and measured."""
    text = resources.files("deltatrain.sim.studies").joinpath("silicon.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def edgedrnn_law(row: dict[str, Any], lanes: int) -> float:
    """Return the cycles of a step by the law of EdgeDRNN's RTL.

    Of each layer the columns, each with the memory's latency where one command waits for the other, then gates at 5
    cycles for as many neurons as lanes, and `_LAYER_CYCLES`. A layer never takes less than the scan of its elements.
    """
    hidden, layers, inputs = row["hidden"], row["layers"], row["inputs"]
    waits = row["latency_cycles"] + 1 if row["commands"] == 1 else 0
    columns = row["columns"] * (3 * hidden / lanes + waits)
    scan = inputs + hidden + (layers - 1) * 2 * hidden
    return float(max(columns, scan) + layers * (5 * hidden / lanes + _LAYER_CYCLES))


def edgedrnn_cycles(row: dict[str, Any], steps: int) -> float:
    """Return the cycles of a step on the machine `edgedrnn` with so many columns fired, the first steps aside."""
    waits = {"dma.request_cycles": row["latency_cycles"] + 1} if row["commands"] == 1 else {}
    machine = Architecture.named("edgedrnn", {"dma.columns_in_flight": row["commands"], **waits})
    step = SteadyStep("delta_gru", row["inputs"], row["hidden"], row["layers"], row["columns"])
    return step.cycles(machine, steps)


def _edgedrnn(row: dict[str, Any], known: dict[str, Any], steps: int) -> Row:
    case = f"{row['layers']} x {row['hidden']}, {row['columns']:g} columns, latency {row['latency_cycles']}"
    ours, law = edgedrnn_cycles(row, steps), edgedrnn_law(row, known["lanes"])
    return _row("EdgeDRNN", case, "cycles a step", row["cycles"], ours, law, known["source"])


def _edgedrnn_rate(known: dict[str, Any], lanes: int, steps: int) -> Iterator[Row]:
    row = known | {"latency_cycles": 0, "commands": 4}
    seconds = edgedrnn_cycles(row, steps) / known["clock_hz"]
    hidden, inputs, layers = known["hidden"], known["inputs"], known["layers"]
    operations = 2 * 3 * hidden * (inputs + 1 + hidden + (layers - 1) * (2 * hidden + 1))
    by_law = edgedrnn_law(row, lanes) / known["clock_hz"]
    case = f"{layers} x {hidden}, {known['columns']} columns"
    yield _row("EdgeDRNN", case, "latency, ms", known["latency_ms"], 1e3 * seconds, 1e3 * by_law, known["source"])
    rate, rate_by_law = (operations / time / 1e9 for time in (seconds, by_law))
    yield _row("EdgeDRNN", case, "effective GOp/s", known["gop_per_second"], rate, rate_by_law, known["source"])


def _eile(known: dict[str, Any]) -> Iterator[Row]:
    sizes = {"inputs": known["inputs"], "classes": known["classes"], "steps": 1}
    synthetic = {
        f"synthetic.{name}": value for name, value in (sizes | {"occupancy_x": 1.0, "occupancy_h": 1.0}).items()
    }
    changes = {"cell": "delta_dense", "hidden": known["hidden"], "training.batch": 1, **synthetic}
    phases = simulate("eile", Workload.named("synthetic", changes), dense=False).counters.phases
    layers = [known["inputs"], *known["hidden"], known["classes"]]
    words = [(wide + 1) * -(-tall // 64) for wide, tall in pairwise(layers)]
    back = sum(wide * -(-tall // 64) for wide, tall in pairwise(layers[1:]))
    laws = {"FP": sum(words), "BP": back, "WG": sum(words), "WU": 2 * sum(words)}
    for phase, theirs in known["words"].items():
        ours = phases[phase].busy_cycles * (2 if phase == "WU" else 1)  # W and dW side by side, theirs in turn
        yield _row("EILE", "784-512-256-10", f"words of 64 in {phase}", theirs, ours, laws[phase], known["source"])


def _deltakws(known: dict[str, Any], lanes: int, steps: int) -> Row:
    row = {"inputs": 16, "hidden": 64, "layers": 1, "latency_cycles": 0, "commands": 4}
    dense = row["inputs"] + row["hidden"]
    share = 1 - known["sparsity"]
    whole, part = row | {"columns": dense}, row | {"columns": dense * share}
    ours = edgedrnn_cycles(whole, 2 * steps) / edgedrnn_cycles(part, 2 * steps)
    law = edgedrnn_law(whole, lanes) / edgedrnn_law(part, lanes)
    theirs, found, by_law = ((1 - speed * share) / (speed - 1) for speed in (known["speedup"], ours, law))
    case = "edgedrnn, GRU 64 (their sizes are not published)"
    return _row("DeltaKWS", case, "c", theirs, found, by_law, known["source"])


def _vollo(known: dict[str, Any]) -> Iterator[Row]:
    sizes = np.array([int(size) for size in known["io_us"]])
    times = np.array([float(time) for time in known["io_us"].values()])
    for row in known["rows"]:
        hidden, block = row["hidden"], known["cores"] * known["block"] ** 2
        io_us = float(np.interp(2 * hidden, sizes, times))
        law = io_us + 1e6 * row["layers"] * 4 * hidden * hidden / block / known["clock_hz"]
        every = np.ones((1, hidden), dtype=np.bool_)
        machine = arrays_machine(known["block"], known["cores"] * known["block"], known["clock_hz"])
        cycles = row["layers"] * cycle.count(lower_matrix(machine, "matvec", every, 4 * hidden)).cycles
        ours = io_us + 1e6 * cycles / known["clock_hz"]
        yield _row("Vollo", f"LSTM {row['layers']} x {hidden}", "latency, us", row["us"], ours, law, known["source"])


def _spartus(known: dict[str, Any]) -> Row:
    """Compare the products of a step, the cells aside, with random columns: balance is theirs to reach."""
    columns, fired, steps = known["inputs"] + known["hidden"], known["most_fired"], known["steps"]
    rng, mask = np.random.default_rng(0), np.zeros((known["steps"], columns), dtype=np.bool_)
    for step in mask:
        step[rng.permutation(columns)[:fired]] = True
    machine = arrays_machine(known["arrays"], known["lanes"], known["clock_hz"])
    ours = lower_matrix(machine, "matvec", mask, known["weights_of_column"]).issue_cycles.sum() / steps
    law = fired / known["arrays"] * column_words(1, known["weights_of_column"], known["lanes"])
    case = f"LSTM {known['hidden']}, {fired} of {columns} columns (the most that fit)"
    return _row("Spartus", case, "cycles a step", known["cycles"], ours, law, known["source"])


def arrays_machine(arrays: int, lanes: int, clock_hz: int) -> Architecture:
    """Return a machine of so many arrays of lanes, with its weights in local SRAM."""
    changes = {"engine.arrays": arrays, "engine.lanes": lanes, "engine.clock_hz": clock_hz, "local.bytes": 1 << 30}
    buffer = {"dma.buffer_bytes": 2 * arrays * lanes * (2 + 4), "placement.weights": "local"}
    return Architecture.named("reneta", changes | buffer)


def _row(part: str, case: str, what: str, theirs: float, ours: float, law: float, how: str) -> Row:
    return {
        "part": part,
        "case": case,
        "what": what,
        "how": how,
        "theirs": _rounded(theirs),
        "ours": _rounded(ours),
        "law": _rounded(law),
        "off_%": round(100 * (ours / theirs - 1), 2),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.5g}") if value < 1e5 else round(value)
