"""How well a trained network does in a machine's numbers, beside the same weights in floating point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError, refuse
from deltatrain.accel.files import AnyPath
from deltatrain.accel.origin import BESIDE
from deltatrain.sim.flow import recordings_of
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.progress import Progress, tell_nobody
from deltatrain.workloads.machine_numbers import limits
from deltatrain.workloads.network.network import from_flat
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training import integer_evaluation
from deltatrain.workloads.training.evaluation import evaluate as evaluate_in_floats
from deltatrain.workloads.training.integer_parameters import quantised
from deltatrain.workloads.training.integer_updates import machine_of
from deltatrain.workloads.training.training import network_of

Row = dict[str, int | float | str]


def evaluate(
    what: Trace | AnyPath, on: Architecture | AnyPath = "edge", *, on_progress: Progress = tell_nobody
) -> list[Row]:
    """Return how well a trained network does on each part of its recordings.

    Parameters
    ----------
    what
        The trace of a training, its file, or the folder of the training. Its network is the one that is kept.
    on
        The machine, its preset's name, or its TOML file. Weights, inputs and thresholds are rounded to its formats.
    on_progress
        Told the stage, the share of it that is done, and what is being done.

    Returns
    -------
    list[Row]
        For each part ``part``, ``samples``; in the machine's numbers the task's figure (``accuracy``,
        ``mean_squared_error`` or ``perplexity``), ``loss``, ``occupancy_x`` and ``occupancy_h``; the same of the same
        weights in floating point, with ``float_`` before the name.

    Raises
    ------
    ConfigError
        If the trace has no weights, its recordings cannot be had or are others, or no machine runs such a network.
    """
    trace, machine = what if isinstance(what, Trace) else _trace_at(Path(what)), Architecture.of(on)
    workload, numbers = trace.workload, trace.recorded[-1].numbers if trace.recorded else None
    refuse(limits(workload))
    if numbers is None:
        raise ConfigError(f"the trace of {workload.name!r} has no weights: train the workload, with thresholds")
    recordings = recordings_of(workload.dataset, on_progress)
    if trace.data_digest not in ("", recordings.digest):
        raise ConfigError(f"the recordings of {workload.name!r} are not those that it was trained on")
    network = network_of(workload, trace.sizes, workload.training.epochs)
    parameters, engine = from_flat(numbers.parameters, trace.sizes), machine_of(workload, machine.engine.numbers)
    weights, figure = quantised(parameters, engine.arithmetic, engine.engine.formats), TASKS.load(workload.task).FIGURE
    rows: list[Row] = []
    for done, (name, part) in enumerate(recordings.parts().items()):
        on_progress("evaluation", done / len(recordings.parts()), name)
        row: dict[str, Any] = {"part": name, "samples": len(part)}
        of_both = (
            ("", integer_evaluation.evaluate(engine, network, weights, part)),
            (BESIDE, evaluate_in_floats(network, parameters, part)),
        )
        for kind, found in of_both:
            row |= {kind + figure: found.figure, f"{kind}loss": found.loss}
            row |= {f"{kind}occupancy_{s}": getattr(found.fired, f"occupancy_{s}") for s in "xh"}
        rows.append(row)
    on_progress("evaluation", 1.0, machine.name)
    return rows


def _trace_at(path: Path) -> Trace:
    """Return the trace in a file, or in the folder of a training."""
    folder = OutputFolder(path)
    if path.is_dir() and not folder.trace.is_file():
        raise ConfigError(f"{path} has no {folder.trace.name}: it is not a folder in which something was trained")
    return Trace.load(folder.trace if path.is_dir() else path)
