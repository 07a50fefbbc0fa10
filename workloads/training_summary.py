"""What training showed, from a trace: accuracy, occupancy and matrix operations, by epoch and in sum."""

from __future__ import annotations

import math
from typing import Any

from deltatrain.accel.machine_optimiser import PLAIN
from deltatrain.accel.origin import BESIDE, FLOAT_FIGURES, THIS_MACHINE
from deltatrain.workloads.network.network import Sizes
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.trace import EpochCounts, Trace
from deltatrain.workloads.training.operations import matrix_macs
from deltatrain.workloads.weight_masks import counts as weight_counts

Row = dict[str, int | float | str]

_LAST = (
    *FLOAT_FIGURES,
    *(BESIDE + name for name in FLOAT_FIGURES),
    "loss",
    "occupancy_x",
    "occupancy_h",
    "spikes",
    "spikes_cut",
    "steps_cut",
    "steps",
)


def sizes_of(trace: Trace) -> Sizes:
    """Return the sizes of the trained network."""
    return trace.sizes


def epoch_rows(trace: Trace) -> list[Row]:
    """Return one row for each epoch.

    Columns: ``epoch`` from 0; ``trained``, "dense" or "delta"; ``loss`` a training sample; the task's figure on the
    validation part, or without one on the test part: ``accuracy``, ``mean_squared_error`` or ``perplexity``;
    ``occupancy_x`` and ``occupancy_h``, all layers together; ``fp_macs``, ``bp_macs``, ``wg_macs`` of the matrix
    products, biases apart, and ``macs``, their sum; ``dense_macs`` with every column used; ``saved``, the share not
    needed. Of a spiking network also ``spikes`` that were listed, ``spikes_cut`` that were not because a list was full,
    both of all layers, and ``steps_cut``, in how many steps of a sample and layer that was, of ``steps``. Of a training
    in a machine's numbers also ``float_accuracy`` or the like, of the same weights in floating point.
    """
    sizes, rows = sizes_of(trace), []
    for counts in trace.epochs:
        macs = matrix_macs(counts, sizes, trace.workload.readout, trace.workload.sparsity)
        rows.append(
            {
                "epoch": counts.epoch,
                "trained": "dense" if counts.dense else "delta",
                "loss": counts.loss,
                TASKS.load(trace.workload.task).FIGURE: counts.figure,
                "occupancy_x": sum(counts.fired_x) / max(1, sum(counts.steps_x)),
                "occupancy_h": sum(counts.fired_h) / max(1, sum(counts.steps_h)),
                "fp_macs": macs.fp,
                "bp_macs": macs.bp,
                "wg_macs": macs.wg,
                "macs": macs.total,
                "dense_macs": macs.dense_total,
                "saved": macs.saved,
                **_spikes(counts, sizes),
                **_beside(trace, counts.float_figure),
            }
        )
    return rows


def _beside(trace: Trace, figure: float | None) -> Row:
    """Return the figure in floating point of a training in a machine's numbers."""
    return {} if figure is None else {BESIDE + TASKS.load(trace.workload.task).FIGURE: figure}


def _spikes(counts: EpochCounts, sizes: Sizes) -> Row:
    if not counts.spikes:
        return {}
    return {
        "spikes": sum(counts.spikes),
        "spikes_cut": sum(counts.spikes_cut),
        "steps_cut": sum(counts.steps_cut),
        "steps": len(counts.spikes) * counts.steps_x[0] // sizes.features,
    }


def _chosen(trace: Trace) -> Row:
    chosen = trace.chosen
    if chosen is None:
        return {}
    return {
        TASKS.load(trace.workload.task).FIGURE: chosen.figure,
        "epoch_kept": chosen.epoch,
        "validation_loss": chosen.validation_loss,
        "test_loss": chosen.loss,
        **_beside(trace, chosen.float_figure),
    }


def summary(trace: Trace) -> dict[str, Any]:
    """Return what the whole training showed; empty for a workload without training.

    Keys: ``parameters`` learned, weights that do not exist left out; ``epochs``; of the epoch that is kept the task's
    figure on the test part, training ``loss``, ``occupancy_x`` and ``occupancy_h``; ``macs``, ``dense_macs``, biases
    apart, and ``saved`` over all epochs. Of a spiking network also ``spikes``, ``spikes_cut``, ``steps_cut``, ``steps``
    of the epoch that is kept. That is the last one, unless a validation part chose it: then also ``epoch_kept`` from 0,
    ``validation_loss`` and ``test_loss``. A training no better than guessing has ``doubt``, in words. One in a
    machine's numbers has ``numbers``, whose they are, the figure of the same weights in floating point, and ``stored``:
    by tensor how many numbers were stored in the epoch that is kept, how many overflowed and how many vanished;
    and ``optimiser``, in words, unless it is plain gradient descent.
    """
    rows = epoch_rows(trace)
    if not rows:
        return {}
    macs, dense = (sum(int(row[column]) for row in rows) for column in ("macs", "dense_macs"))
    row = rows[trace.chosen.epoch] if trace.chosen else rows[-1]
    last = {column: row[column] for column in _LAST if column in row} | _chosen(trace)
    counts = {"parameters": sum(weight_counts(sizes_of(trace), trace.workload.sparsity)), "epochs": len(rows)}
    found: dict[str, Any] = {**counts, **last, "macs": macs, "dense_macs": dense, "saved": 1 - macs / dense}
    stored = trace.epochs[int(row["epoch"])].stored
    found |= {"numbers": THIS_MACHINE, "stored": {name: list(of) for name, of in stored.items()}} if stored else {}
    optimiser = trace.workload.training.machine_optimiser
    found |= {"optimiser": optimiser.words} if stored and optimiser != PLAIN else {}
    doubt = _doubt(trace, float(row["loss"]))
    return found if doubt is None else {**found, "doubt": doubt}


def _doubt(trace: Trace, loss: float) -> str | None:
    """Return why a training whose kept epoch has this `loss` is in doubt, in words; None if it is not."""
    training, first = trace.workload.training, trace.epochs[0].loss
    advice = f"lower training.learning_rate ({training.learning_rate:g}), or train longer"
    if not TASKS.load(trace.workload.task).CLASSES:
        return f"the loss of {loss:.4g} is above the {first:.4g} of the first epoch; {advice}" if loss > first else None
    guessed = math.log(trace.classes)
    if training.class_weights is not None or loss <= guessed:
        return None
    return f"the loss of {loss:.4g} is above {guessed:.4g}, that of guessing among {trace.classes} classes; {advice}"
