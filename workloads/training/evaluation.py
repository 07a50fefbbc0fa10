"""Running a network on recordings without learning: how well it does, and what fires meanwhile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltatrain.workloads.arrays.packing import Array, Packing, unpack
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.network.fired import Fired, fired_in, nothing_fired
from deltatrain.workloads.network.network import Forward, Network, Parameters, figure_sum, forward, loss_of
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.trace import RecordedStep
from deltatrain.workloads.training.batches import evaluation_batches

EVALUATION_BATCH = 256  # samples at a time; the result does not depend on it but for rounding


class Evaluation(NamedTuple):
    """How well a network does on some sequences.

    Attributes
    ----------
    figure
        The task's: of classes the share that was decided rightly, of numbers the mean squared error, of next words
        the perplexity.
    loss
        Mean loss a sample.
    fired
        What fired meanwhile.
    """

    figure: float
    loss: float
    fired: Fired

    @property
    def accuracy(self) -> float:
        """The figure, where it is a share of what was decided rightly."""
        return self.figure


def evaluate(network: Network, parameters: Parameters, sequences: Sequences) -> Evaluation:
    """Return the task's figure, the loss and what fired on `sequences`."""
    total, of, loss, fired = 0.0, 0, 0.0, nothing_fired(network.sizes)
    for indices in evaluation_batches(sequences.lengths, EVALUATION_BATCH):
        wanted = sequences.wanted(indices)
        ran = forward(network, parameters, *sequences.padded(indices))
        more, count = figure_sum(network, ran, wanted)
        total, of = total + more, of + count
        loss += loss_of(network, ran, wanted)[0] * len(indices)
        fired += fired_in(network.sizes.cell, ran)
    return Evaluation(TASKS.load(network.task).figure(total / of), loss / len(sequences), fired)


def recorded_step(ran: Forward, epoch: int, update: int) -> RecordedStep:
    """Return the fired masks of a forward pass, padded, samples in the caller's order."""
    packing = ran.packing
    lengths = np.empty_like(packing.lengths)
    lengths[packing.order] = packing.lengths
    fired_x = tuple(unpack(tape.fired_x, packing) for tape in ran.tapes)
    fired_h = tuple(unpack(tape.fired_h, packing) for tape in ran.tapes)
    return RecordedStep(
        epoch=epoch,
        update=update,
        lengths=lengths,
        fired_x=fired_x,
        fired_h=fired_h,
        asked_x=_asked([ran.tapes[0].fired_x, *(tape.asked_x for tape in ran.tapes[1:])], fired_x, packing),
        asked_h=_asked([tape.asked_h for tape in ran.tapes], fired_h, packing),
    )


def _asked(masks: list[Array], fired: tuple[Array, ...], packing: Packing) -> tuple[Array, ...]:
    """Return packed masks padded; none if they are what fired. Nobody asks for the gradient of the network's input."""
    asked = tuple(unpack(mask, packing) for mask in masks)
    return () if all(map(np.array_equal, asked, fired)) else asked
