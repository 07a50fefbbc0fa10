"""Running a network on recordings without learning: how well it does, and what fires meanwhile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltatrain.workloads.arrays.layer import State
from deltatrain.workloads.arrays.packing import Array, Packing, unpack
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.network.fired import Fired, fired_in, nothing_fired
from deltatrain.workloads.network.network import Forward, Network, Parameters, figure_sum, forward, loss_of
from deltatrain.workloads.network.state import all_after
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.trace import RecordedStep
from deltatrain.workloads.training.batches import EVALUATION_BATCH, evaluation_batches
from deltatrain.workloads.training.streams import WHOLE, Truncation, all_windows


class Evaluation(NamedTuple):
    """How well a network does on some sequences.

    Attributes
    ----------
    figure
        The task's: of classes the share that was decided rightly, of numbers the mean squared error, of next words
        the perplexity.
    loss
        Mean loss a sample; of windows, a step.
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


def evaluate(
    network: Network, parameters: Parameters, sequences: Sequences, truncation: Truncation = WHOLE
) -> Evaluation:
    """Return the task's figure, the loss and what fired on `sequences`.

    Parameters
    ----------
    network, parameters
        What is computed.
    sequences
        On what.
    truncation
        In which windows sequences are run. No weight changes, so one whose state is carried is one with those before.
    """
    total, of, loss, seen, fired = 0.0, 0, 0.0, 0, nothing_fired(network.sizes)
    after: State = ()
    for window in all_windows(sequences, evaluation_batches(sequences.lengths, EVALUATION_BATCH), truncation):
        ran = forward(network, parameters, window.x, window.lengths, window.state(truncation, after))
        more, count = figure_sum(network, ran, window.labels)
        total, of = total + more, of + count
        loss, seen = loss + loss_of(network, ran, window.labels)[0] * window.weight, seen + window.weight
        fired += fired_in(network.sizes.cell, ran)
        if truncation.steps is not None:
            after = all_after(network, ran)
    return Evaluation(TASKS.load(network.task).figure(total / of), loss / seen, fired)


def recorded_step(ran: Forward, epoch: int, update: int, words: Array | None = None) -> RecordedStep:
    """Return the fired masks of a forward pass, padded, samples in the caller's order, and its `words`, (T, B)."""
    packing = ran.packing
    lengths = np.empty_like(packing.lengths)
    lengths[packing.order] = packing.lengths
    first = ran.tapes[0].fired_x if words is None else ran.tapes[0].asked_x
    fired_x = tuple(unpack(tape.fired_x, packing) for tape in ran.tapes)
    fired_h = tuple(unpack(tape.fired_h, packing) for tape in ran.tapes)
    return RecordedStep(
        epoch=epoch,
        update=update,
        lengths=lengths,
        fired_x=fired_x,
        fired_h=fired_h,
        asked_x=_asked([first, *(tape.asked_x for tape in ran.tapes[1:])], fired_x, packing),
        asked_h=_asked([tape.asked_h for tape in ran.tapes], fired_h, packing),
        words=words,
        carried=bool(ran.before),
    )


def _asked(masks: list[Array], fired: tuple[Array, ...], packing: Packing) -> tuple[Array, ...]:
    """Return packed masks padded; none if they are what fired."""
    asked = tuple(unpack(mask, packing) for mask in masks)
    return () if all(map(np.array_equal, asked, fired)) else asked
