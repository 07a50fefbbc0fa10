"""Time and memory of every checkpoint policy, simulated over lengths of sequences and widths of networks."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.description import with_overrides
from deltatrain.accel.documents import json_text, json_value
from deltatrain.accel.errors import FitError
from deltatrain.accel.files import replace_file
from deltatrain.accel.version import VERSION
from deltatrain.sim.checkpoint_runs import Simulated, simulated, under, without_end
from deltatrain.sim.run import synthetic_trace
from deltatrain.sim.studies import _training
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.workloads.lowering import planning
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.step_programs import shape_of
from deltatrain.workloads.presets import PRESETS
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.workload import Workload

ABOUT = (
    "How much longer or wider with the same local memory, and at what cost in time? Published: sequences more than 10 "
    "times longer, or networks 4 times larger, with only marginal time overhead, for sparse recurrent and spiking "
    "networks on a manycore part with off-chip memory (Bencheikh, Finkbeiner, Neftci, arXiv 2412.11810, abstract). Not "
    "known to us: the definition of its best method, Double Checkpointing, its overheads, sizes, lengths, bandwidths; "
    "`double` is our derivation. Ours: one sample, synthetic deltas or spikes, whose share is an assumption: a Delta "
    "LSTM on one tile, a fifth fires; LIF neurons behind the 700 channels of SHD on 1,472 tiles, a twentieth spikes, "
    "with 1 KiB of each tile for tapes and states, an assumption that keeps lengths short enough to simulate; and a "
    "recurrent LIF network on its own spikes, trained on the synthetic spoken digits of `spikes`, not SHD. Time x: "
    "simulated cycles over those of keeping everything in local memory without end."
)

_ROOM_BYTES = 1024
"""Of each tile of `ipu_mk2` for tapes and states: our choice. All of its 624 KiB would hold 75,000 steps."""


class Setting(NamedTuple):
    """One machine with one kind of network.

    Attributes
    ----------
    machine, changes
        Its name, and other values for some of its fields by dotted path.
    workload, cell
        A preset that gives the rest of the network, and the cell.
    inputs, classes
        Of the network.
    hidden
        Widths of the layers: first of the network for all lengths, then of the other networks.
    steps, long_steps
        Lengths of sequences for all policies, and those for `Settings.long_policies` only.
    wide_steps
        Length of the sequences over networks.
    occupancy, correlation
        Share of deltas or spikes a step, and how alike steps are.
    """

    machine: str
    changes: dict[str, Any]
    workload: str
    cell: str
    inputs: int
    classes: int
    hidden: tuple[tuple[int, ...], ...]
    steps: tuple[int, ...]
    long_steps: tuple[int, ...]
    wide_steps: int
    occupancy: float
    correlation: float


class Trained(NamedTuple):
    """One machine with a spiking network that is trained first, and simulated on what its own neurons said.

    Attributes
    ----------
    machine, changes
        As of `Setting`.
    training
        Of the network, one trial with one seed.
    """

    machine: str
    changes: dict[str, Any]
    training: _training.Settings


class Settings(NamedTuple):
    """Machines with networks, drawn and trained ones, policies, those for the longest sequences, and the seed."""

    pairs: tuple[Setting, ...]
    trained: tuple[Trained, ...]
    policies: tuple[str, ...]
    long_policies: tuple[str, ...]
    seed: int


_EDGE = Setting(
    *("edge", {"cache.bytes": 0}, "digits", "delta_lstm", 13, 10),
    hidden=((64, 67), (128, 134), (320, 335)),
    steps=(50, 100, 200, 500, 1500),
    long_steps=(),
    wide_steps=100,
    occupancy=0.2,
    correlation=0.5,
)
_SPIKING = Setting(
    *("ipu_mk2", {"checkpoint.local_bytes": _ROOM_BYTES}, "manycore", "lif", 700, 20),
    hidden=((2942,), (128,), (512,), (5884,), (11768,)),
    steps=(50, 100, 200, 500, 2000),
    long_steps=(20_000,),
    wide_steps=100,
    occupancy=0.05,
    correlation=0.0,
)


def _own_spikes(neurons: int, *, epochs: int) -> Trained:
    changes = {"cell": "lif_recurrent", "hidden": [neurons], "training.epochs": epochs}
    return Trained(_SPIKING.machine, _SPIKING.changes, _training.Settings("spikes", changes, (1,), {"own spikes": {}}))


SETTINGS = Settings(
    pairs=(
        _EDGE,
        _SPIKING,
        _SPIKING._replace(cell="lif_recurrent", hidden=((2942,), (128,), (512,)), long_steps=()),
    ),
    trained=(_own_spikes(512, epochs=20),),
    policies=POLICIES.names(),
    long_policies=("tape_to_dram", "segment_dram", "double", "optimal"),
    seed=1,
)
SMALL_SETTINGS = SETTINGS._replace(
    pairs=(
        _EDGE._replace(hidden=_EDGE.hidden[:1], steps=(20, 130), wide_steps=20),
        _SPIKING._replace(hidden=((128,),), steps=(50, 300), long_steps=(), wide_steps=50),
    ),
    trained=(_own_spikes(32, epochs=1),),
    policies=("store_all", "segment_dram", "optimal"),
)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return a row for each network, length, policy and way of moving; simulated ones are kept in `folder`.

    Columns: ``machine``; ``cell``; ``spikes``, drawn or own; ``policy``; ``transfers``, beside compute or blocking;
    ``T``; ``H``, the neurons of all layers; ``fired_x_%`` and ``fired_h_%`` of the elements a step;
    ``time_x``, simulated, and ``predicted_x``, by `workloads.lowering.checkpoint.timing`; ``again``, steps
    run forward again or undone; ``local_kB``, of each tile, and ``remote_kB`` of tapes and states. Empty where it does
    not fit. A figure over lengths, and one over widths, are left in `folder` for each machine and cell.
    """
    table: list[Row] = []
    points = [(pair, *size) for pair in settings.pairs for size in _sizes(pair)]
    for done, (pair, steps, hidden) in enumerate(points):
        told = f"{pair.cell} on {pair.machine}, {steps:,} steps, {sum(hidden):,} neurons"
        progress("simulations", done / len(points), told)
        table += _point(settings, pair, steps, hidden, folder)
    for one in settings.trained:
        (name,) = one.training.trials
        _training.trained(one.training, folder, progress)
        table += _own(settings, one, _training.trace(one.training, name, folder))
    _draw(settings, table, folder)
    return table


def _sizes(pair: Setting) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield lengths and widths, each pair once."""
    over_steps = [(steps, pair.hidden[0]) for steps in (*pair.steps, *pair.long_steps)]
    yield from dict.fromkeys([*over_steps, *((pair.wide_steps, hidden) for hidden in pair.hidden)])


def _point(settings: Settings, pair: Setting, steps: int, hidden: tuple[int, ...], folder: Path) -> list[Row]:
    machine, workload = Architecture.named(pair.machine, pair.changes), _workload(settings, pair, steps, hidden)
    policies = settings.long_policies if steps in pair.long_steps else settings.policies
    named = sha256("-".join((VERSION, *policies)).encode()).hexdigest()[:8]
    path = folder / f"{machine.digest()}-{workload.digest()}-{named}.json"
    if path.is_file():
        kept: list[Row] = json_value(path.read_bytes())
        return kept
    trace = synthetic_trace(workload)
    shape, step = Shape.of_workload(workload, trace.inputs, trace.classes), trace.recorded[-1]
    found = [
        {"machine": pair.machine, "cell": pair.cell, "spikes": "drawn", **row}
        for row in _simulations(policies, machine, shape, step, workload.readout)
    ]
    replace_file(path, json_text(found).encode())
    return found


def _own(settings: Settings, one: Trained, trace: Trace) -> list[Row]:
    """Return the rows of a network on the spikes of its last recorded batch, whose samples come one after the other."""
    machine = Architecture.named(one.machine, one.changes)
    shape, step = shape_of(trace), one_after_the_other(trace.recorded[-1])
    return [
        {"machine": one.machine, "cell": trace.workload.cell, "spikes": "own", **row}
        for row in _simulations(settings.policies, machine, shape, step, trace.workload.readout)
    ]


def one_after_the_other(recorded: RecordedStep) -> RecordedStep:
    """Return a step of one sample, in which the samples of a recorded step follow one another."""
    lengths = recorded.lengths

    def joined(masks: tuple[NDArray[np.bool_], ...]) -> tuple[NDArray[np.bool_], ...]:
        return tuple(
            np.concatenate([mask[:steps, sample] for sample, steps in enumerate(lengths)])[:, None] for mask in masks
        )

    return RecordedStep(
        *(recorded.epoch, recorded.update, np.array([lengths.sum()])),
        fired_x=joined(recorded.fired_x),
        fired_h=joined(recorded.fired_h),
        asked_x=joined(recorded.asked_x),
        asked_h=joined(recorded.asked_h),
    )


def _workload(settings: Settings, pair: Setting, steps: int, hidden: tuple[int, ...]) -> Workload:
    changes: dict[str, Any] = {
        "dataset": "synthetic",
        "cell": pair.cell,
        "hidden": list(hidden),
        "training.batch": 1,
        "training.seed": settings.seed,
        "synthetic.inputs": pair.inputs,
        "synthetic.classes": pair.classes,
        "synthetic.steps": steps,
        "synthetic.occupancy_x": pair.occupancy,
        "synthetic.occupancy_h": pair.occupancy,
        "synthetic.correlation": pair.correlation,
        "synthetic.skew": 0.3,
    }
    return Workload.from_table(with_overrides(PRESETS.load(pair.workload), changes), pair.workload)


def _simulations(
    policies: tuple[str, ...], machine: Architecture, shape: Shape, step: RecordedStep, readout: str
) -> list[Row]:
    steps = int(step.lengths[0])
    base = simulated(without_end(machine, shape, step, readout), shape, step, readout)
    plan = planning.plan(machine, shape, step, readout, steps)
    predicted = {one.policy: one for one in plan.policies}
    table: list[Row] = []
    for policy in policies:
        for transfers in ("beside", "blocking"):
            wanted = under(machine, policy, overlap=transfers == "beside")
            try:
                found: Simulated | None = simulated(wanted, shape, step, readout)
            except FitError:
                found = None
            told = predicted[policy]
            cycles = told.overlapped_cycles if transfers == "beside" else told.blocking_cycles
            table.append(
                {
                    "policy": policy,
                    "transfers": transfers,
                    "T": steps,
                    "H": sum(shape.hidden),
                    **_rates(step),
                    "time_x": round(found.cycles / base.cycles, 3) if found else "",
                    "predicted_x": round(cycles / plan.unlimited_cycles, 3) if told.demand and found else "",
                    "again": found.again_steps if found else "",
                    "local_kB": round(found.local_bytes / 1e3, 3) if found else "",
                    "remote_kB": round(found.remote_bytes / 1e3, 1) if found else "",
                }
            )
    return table


def _rates(step: RecordedStep) -> Row:
    """Return what of inputs and of h fired a step of the one sample, in percent of all layers' elements."""
    named = {"fired_x_%": step.fired_x, "fired_h_%": step.fired_h}
    return {
        name: round(100 * sum(int(mask.sum()) for mask in masks) / sum(mask.size for mask in masks), 2)
        for name, masks in named.items()
    }


def _draw(settings: Settings, table: list[Row], folder: Path) -> None:
    """Leave a figure over lengths and one over widths for each machine and cell, where there are two sizes to draw."""
    from io import BytesIO

    from deltatrain.reports.figures import checkpointing

    for pair in settings.pairs:
        mine = [
            row
            for row in table
            if (row["machine"], row["cell"], row["spikes"]) == (pair.machine, pair.cell, "drawn")
            and row["time_x"] != ""
        ]
        over_steps = [row for row in mine if row["H"] == sum(pair.hidden[0])]
        over_widths = [row for row in mine if row["T"] == pair.wide_steps]
        for axis, chosen in (("T", over_steps), ("H", over_widths)):
            if len({row[axis] for row in chosen}) < 2:
                continue
            fixed = f"{sum(pair.hidden[0]):,} neurons" if axis == "T" else f"T = {pair.wide_steps}"
            figure = checkpointing.draw(chosen, axis, f"{pair.cell} on {pair.machine}  ·  {fixed}  ·  simulated")
            image = BytesIO()
            figure.savefig(image, format="png")
            name = f"{pair.machine}_{pair.cell}_over_{'steps' if axis == 'T' else 'widths'}.png"
            replace_file(folder / name, image.getvalue())
