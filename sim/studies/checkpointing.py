"""Longer sequences and wider networks by checkpointing: time and memory of every policy, simulated."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from accel.architecture import Architecture
from accel.description import with_overrides
from accel.errors import FitError
from accel.files import replace_file
from sim import planning
from sim.checkpoint_runs import Simulated, simulated, under, without_end
from sim.run import synthetic_trace
from sim.studies._table import Progress, Row
from workloads.checkpoint.policies import POLICIES
from workloads.placement import Shape
from workloads.presets import PRESETS
from workloads.trace import RecordedStep
from workloads.workload import Workload

ABOUT = (
    "How much longer or wider with the same local memory, and at what cost in time? Published: sequences more than 10 "
    "times longer, or networks 4 times larger, with only marginal time overhead, for sparse recurrent and spiking "
    "networks on a manycore part with off-chip memory (Bencheikh, Finkbeiner, Neftci, arXiv 2412.11810, abstract). Not "
    "known to us: the definition of its best method, Double Checkpointing, its overheads, sizes, lengths, bandwidths; "
    "`double` is our derivation. Ours: one sample of a Delta LSTM with synthetic deltas, a fifth of which fire, on the "
    "machine named. Time x: simulated cycles over those of keeping everything in local memory without end."
)


class Setting(NamedTuple):
    """One machine with one network.

    Attributes
    ----------
    machine
        Its name.
    workload
        A preset whose cell and widths are taken.
    inputs, classes
        Of the network.
    steps
        Lengths of sequences.
    widths, wide_steps
        Factors by which all layers are wider, and the length of their sequences.
    """

    machine: str
    workload: str
    inputs: int
    classes: int
    steps: tuple[int, ...]
    widths: tuple[int, ...]
    wide_steps: int


class Settings(NamedTuple):
    """Machines with networks, policies, the share of deltas that fire, and the seed."""

    pairs: tuple[Setting, ...]
    policies: tuple[str, ...]
    occupancy: float
    seed: int


SETTINGS = Settings(
    pairs=(Setting("edge", "digits", 13, 10, (50, 100, 200, 500, 1500), (1, 2, 5), 100),),
    policies=POLICIES.names(),
    occupancy=0.2,
    seed=1,
)
SMALL_SETTINGS = SETTINGS._replace(
    pairs=(Setting("edge", "digits", 13, 10, (60, 150), (), 60),),
    policies=("store_all", "segment_dram", "optimal"),
)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return a row for each network, length, policy and way of moving; simulated ones are kept in `folder`.

    Columns: ``machine``; ``policy``; ``transfers``, beside compute or blocking; ``T``; ``wider``, the factor of the
    widths; ``time_x``, simulated, and ``predicted_x``, by `workloads.checkpoint.timing`; ``again_steps``, run forward
    again or undone; ``local_kB`` and ``remote_kB`` of tapes and states; ``cpu_s`` of simulating. Empty where it does
    not fit. A figure over lengths, and one over widths, are left in `folder`.
    """
    table: list[Row] = []
    points = [(pair, *size) for pair in settings.pairs for size in _sizes(pair)]
    for done, (pair, steps, wider) in enumerate(points):
        progress("simulations", done / len(points), f"{pair.machine}, {steps} steps, {wider} times as wide")
        table += _point(settings, pair, steps, wider, folder)
    _draw(settings, table, folder)
    return table


def _sizes(pair: Setting) -> Iterator[tuple[int, int]]:
    yield from ((steps, 1) for steps in pair.steps)
    yield from (
        (pair.wide_steps, wider)
        for wider in pair.widths
        if (pair.wide_steps, wider) not in [(s, 1) for s in pair.steps]
    )


def _point(settings: Settings, pair: Setting, steps: int, wider: int, folder: Path) -> list[Row]:
    machine, workload = Architecture.named(pair.machine), _workload(settings, pair, steps, wider)
    path = folder / f"{machine.digest()}-{workload.digest()}-{'-'.join(settings.policies)[:80]}.json"
    if path.is_file():
        kept: list[Row] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    trace = synthetic_trace(workload)
    shape, step = Shape.of(workload.cell, trace.inputs, workload.hidden, trace.classes), trace.recorded[-1]
    found = _simulations(settings, machine, shape, step, workload.readout, {"T": steps, "wider": wider})
    replace_file(path, json.dumps(found).encode())
    return found


def _workload(settings: Settings, pair: Setting, steps: int, wider: int) -> Workload:
    table = PRESETS.load(pair.workload)
    changes: dict[str, Any] = {
        "dataset": "synthetic",
        "hidden": [width * wider for width in table["hidden"]],
        "training.batch": 1,
        "training.seed": settings.seed,
        "synthetic.inputs": pair.inputs,
        "synthetic.classes": pair.classes,
        "synthetic.steps": steps,
        "synthetic.occupancy_x": settings.occupancy,
        "synthetic.occupancy_h": settings.occupancy,
        "synthetic.correlation": 0.5,
        "synthetic.skew": 0.3,
    }
    return Workload.from_table(with_overrides(table, changes), pair.workload)


def _simulations(
    settings: Settings, machine: Architecture, shape: Shape, step: RecordedStep, readout: str, size: dict[str, int]
) -> list[Row]:
    base = simulated(without_end(machine, shape, step, readout), shape, step, readout)
    plan = planning.plan(machine, shape, step, readout, size["T"])
    predicted = {one.policy: one for one in plan.policies}
    table: list[Row] = []
    for policy in settings.policies:
        for transfers in ("beside", "blocking"):
            wanted = under(machine, policy, overlap=transfers == "beside")
            start = time.process_time()
            try:
                found: Simulated | None = simulated(wanted, shape, step, readout)
            except FitError:
                found = None
            seconds = time.process_time() - start
            told = predicted[policy]
            cycles = told.overlapped_cycles if transfers == "beside" else told.blocking_cycles
            table.append(
                {
                    "machine": machine.name,
                    "policy": policy,
                    "transfers": transfers,
                    **size,
                    "time_x": round(found.cycles / base.cycles, 3) if found else "",
                    "predicted_x": round(cycles / plan.unlimited_cycles, 3) if told.demand and found else "",
                    "again_steps": found.again_steps if found else "",
                    "local_kB": round(found.local_bytes / 1e3, 1) if found else "",
                    "remote_kB": round(found.remote_bytes / 1e3, 1) if found else "",
                    "cpu_s": round(seconds, 1) if found else "",
                }
            )
    return table


def _draw(settings: Settings, table: list[Row], folder: Path) -> None:
    """Leave a figure over lengths and one over widths for each machine, where there are two sizes to draw."""
    from io import BytesIO

    from reports.figures import checkpointing

    for pair in settings.pairs:
        mine = [row for row in table if row["machine"] == pair.machine and row["time_x"] != ""]
        over_steps = [row for row in mine if row["wider"] == 1]
        over_widths = [row for row in mine if row["T"] == pair.wide_steps]
        for axis, chosen in (("T", over_steps), ("wider", over_widths)):
            if len({row[axis] for row in chosen}) < 2:
                continue
            fixed = f"{pair.workload}'s widths" if axis == "T" else f"T = {pair.wide_steps}"
            figure = checkpointing.draw(chosen, axis, f"{pair.workload} on {pair.machine}  ·  {fixed}  ·  simulated")
            image = BytesIO()
            figure.savefig(image, format="png")
            replace_file(folder / f"{pair.machine}_over_{'steps' if axis == 'T' else 'widths'}.png", image.getvalue())
