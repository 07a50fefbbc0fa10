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
from deltatrain.sim.run import simulate
from deltatrain.sim.steady_step import SteadyStep
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.workloads.workload import Workload

ABOUT = (
    "How near are ours to hardware that was measured? EILE's words a phase; cycles a step of EdgeDRNN's RTL with the "
    "same number of columns fired, and its published rate; DeltaKWS's ratio, which is c, the part of the dense product "
    "that deltas do not save; Vollo's latencies beside a law of its blocks, as lanes here are rows only. Sources stand "
    "in sim/studies/silicon.toml; sizes of EdgeDRNN's published point and its clock are assumed there."
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
    form of their design says; ``off_%``, ours (or where there is none the law) over theirs, less one; ``how`` theirs
    was found.
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
        yield _row("Vollo", f"LSTM {row['layers']} x {hidden}", "latency, us", row["us"], None, law, known["source"])


def _row(part: str, case: str, what: str, theirs: float, ours: float | None, law: float, how: str) -> Row:
    compared = law if ours is None else ours
    return {
        "part": part,
        "case": case,
        "what": what,
        "how": how,
        "theirs": _rounded(theirs),
        "ours": "" if ours is None else _rounded(ours),
        "law": _rounded(law),
        "off_%": round(100 * (compared / theirs - 1), 2),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.5g}") if value < 1e5 else round(value)
