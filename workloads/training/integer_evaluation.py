"""Running a network in a machine's integers, all samples side by side: how well it does there, and what fires."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.number import quantise, to_float
from deltatrain.workloads.arrays.packing import Array, Packing, pack, packing_of
from deltatrain.workloads.arrays.words import one_hot
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.network.fired import Fired, nothing_fired
from deltatrain.workloads.network.network import Forward, Network, figure_sum, loss_of, wanted_rows
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.training import integer_batch
from deltatrain.workloads.training.batches import EVALUATION_BATCH, evaluation_batches
from deltatrain.workloads.training.evaluation import Evaluation
from deltatrain.workloads.training.integer_batch import Batch, Ran
from deltatrain.workloads.training.integer_parameters import IntegerParameters
from deltatrain.workloads.training.integer_training import IntegerNetwork
from deltatrain.workloads.training.stored_numbers import Tally


def evaluate(
    machine: IntegerNetwork, network: Network, parameters: IntegerParameters, sequences: Sequences
) -> Evaluation:
    """Return the task's figure, the loss and what fired on `sequences`.

    Parameters
    ----------
    machine
        What is computed.
    network
        The same in floating-point numbers, which says what the outputs are to be. The loss is of the outputs as the
        machine has them, and is computed in floating point.
    parameters
        Weights.
    sequences
        On what.
    """
    total, of, loss, fired, tally = 0.0, 0, 0.0, nothing_fired(network.sizes), Tally()
    for samples in evaluation_batches(sequences.lengths, EVALUATION_BATCH):
        x, lengths, labels = sequences.batch(samples)
        batch = in_integers(machine, network, x, lengths, labels, tally)
        ran = integer_batch.forward(machine, parameters, batch, tally)
        outputs = as_floats(machine, batch.packing, ran)
        more, count = figure_sum(network, outputs, labels)
        total, of = total + more, of + count
        loss += loss_of(network, outputs, labels)[0] * len(samples)
        fired += fired_in(network, batch.packing, ran)
    return Evaluation(TASKS.load(network.task).figure(total / of), loss / len(sequences), fired)


def in_integers(
    machine: IntegerNetwork, network: Network, x: Array, lengths: NDArray[np.int64], labels: Array, tally: Tally
) -> Batch:
    """Return a mini-batch as a machine has it; `x`, `lengths` and `labels` as of `Sequences.batch`."""
    packing, formats = packing_of(lengths), machine.engine.formats
    rows = pack(x, packing)
    rows = one_hot(rows, network.sizes.features, np.dtype(np.float64)) if rows.ndim == 1 else rows
    inputs = quantise(rows, formats.activation)
    nearest = np.rint(np.ldexp(rows.astype(np.float64), formats.activation.fraction_bits))
    tally.rounded("x", rows, nearest, inputs)
    wanted = wanted_rows(network, packing, labels)
    classes = TASKS.load(network.task).CLASSES
    return Batch(packing, inputs, wanted if classes else quantise(wanted, formats.memory))


def as_floats(machine: IntegerNetwork, packing: Packing, ran: Ran) -> Forward:
    """Return the outputs of a forward pass as the numbers that they stand for, without tapes."""
    logits = to_float(ran.logits, machine.engine.formats.memory.fraction_bits)
    return Forward(packing, (), logits, np.zeros((packing.rows, 0)))


def fired_in(network: Network, packing: Packing, ran: Ran) -> Fired:
    """Return how many deltas fired, and how many could have; in a dense network all did."""
    rows, samples, sizes = packing.rows, packing.samples, network.sizes
    steps_x = tuple(rows * width for width in sizes.inputs)
    steps_h = tuple((rows - samples) * width for width in sizes.hidden)
    if network.thresholds is None:
        return Fired(steps_x, steps_h, steps_x, steps_h, steps_x, steps_h)
    fired_x, fired_h = (
        tuple(
            sum(int(np.count_nonzero(entries.columns < width)) for entries in layer.listed[stream])
            for layer, width in zip(ran.layers, widths, strict=True)
        )
        for stream, widths in enumerate((sizes.inputs, sizes.hidden))
    )
    return Fired(fired_x, fired_h, steps_x, steps_h, fired_x, fired_h)


def masks_of(network: Network, packing: Packing, ran: Ran) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Return the masks of what fired, padded, samples in the caller's order: for each layer of x, and of h."""

    def mask(number: int, stream: int, width: int) -> Array:
        found = np.zeros((len(packing.active), packing.samples, width), np.bool_)
        for t, entries in enumerate(ran.layers[number].listed[stream]):
            elements = entries.columns < width  # not the bias
            found[t, packing.order[entries.rows[elements]], entries.columns[elements]] = True
        return found

    of_x, of_h = (
        tuple(mask(number, stream, width) for number, width in enumerate(widths))
        for stream, widths in enumerate((network.sizes.inputs, network.sizes.hidden))
    )
    return of_x, of_h
