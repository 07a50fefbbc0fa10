"""Running a network on recordings without learning: how well it does, and what fires meanwhile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workloads.batches import evaluation_batches
from workloads.network import Forward, Network, Parameters, Sizes, cross_entropy, decisions, forward
from workloads.packing import unpack
from workloads.recordings import Sequences
from workloads.trace import RecordedStep

EVALUATION_BATCH = 256  # samples at a time; the result does not depend on it but for rounding


class Fired(NamedTuple):
    """How many deltas fired and could have, for each layer; as in `EpochCounts`."""

    fired_x: tuple[int, ...]
    fired_h: tuple[int, ...]
    steps_x: tuple[int, ...]
    steps_h: tuple[int, ...]
    asked_x: tuple[int, ...]
    asked_h: tuple[int, ...]

    def __add__(self, other: object) -> Fired:
        """Return the counts of both."""
        if not isinstance(other, Fired):
            return NotImplemented
        return Fired(*(tuple(a + b for a, b in zip(x, y, strict=True)) for x, y in zip(self, other, strict=True)))

    @property
    def occupancy_x(self) -> float:
        """Share of input deltas that fired, all layers together."""
        return sum(self.fired_x) / max(1, sum(self.steps_x))

    @property
    def occupancy_h(self) -> float:
        """Share of recurrent deltas that fired, all layers together."""
        return sum(self.fired_h) / max(1, sum(self.steps_h))


class Evaluation(NamedTuple):
    """How well a network does on some sequences.

    Attributes
    ----------
    accuracy
        Share of samples decided rightly.
    loss
        Mean cross-entropy a sample.
    fired
        What fired meanwhile.
    """

    accuracy: float
    loss: float
    fired: Fired


def evaluate(network: Network, parameters: Parameters, sequences: Sequences) -> Evaluation:
    """Return accuracy, loss and what fired on `sequences`."""
    right, loss, fired = 0, 0.0, nothing_fired(network.sizes)
    for indices in evaluation_batches(sequences.lengths, EVALUATION_BATCH):
        labels = sequences.labels[indices]
        ran = forward(network, parameters, *sequences.padded(indices))
        right += int((decisions(network, ran) == labels).sum())
        loss += cross_entropy(network, ran, labels)[0] * len(indices)
        fired += fired_in(ran)
    return Evaluation(right / len(sequences), loss / len(sequences), fired)


def fired_in(ran: Forward) -> Fired:
    """Return how many deltas fired in a forward pass and how many could have."""
    rows, samples, tapes = ran.packing.rows, ran.packing.samples, ran.tapes
    return Fired(
        tuple(int(np.count_nonzero(tape.fired_x)) for tape in tapes),
        tuple(int(np.count_nonzero(tape.fired_h)) for tape in tapes),
        tuple(rows * tape.fired_x.shape[1] for tape in tapes),
        tuple((rows - samples) * tape.fired_h.shape[1] for tape in tapes),
        tuple(int(np.count_nonzero(tape.asked_x)) for tape in tapes),
        tuple(int(np.count_nonzero(tape.asked_h)) for tape in tapes),
    )


def recorded_step(ran: Forward, epoch: int, update: int) -> RecordedStep:
    """Return the fired masks of a forward pass, padded, samples in the caller's order."""
    packing = ran.packing
    lengths = np.empty_like(packing.lengths)
    lengths[packing.order] = packing.lengths
    return RecordedStep(
        epoch=epoch,
        update=update,
        lengths=lengths,
        fired_x=tuple(unpack(tape.fired_x, packing) for tape in ran.tapes),
        fired_h=tuple(unpack(tape.fired_h, packing) for tape in ran.tapes),
        asked_x=tuple(unpack(tape.asked_x, packing) for tape in ran.tapes if tape.asked_x is not tape.fired_x),
        asked_h=tuple(unpack(tape.asked_h, packing) for tape in ran.tapes if tape.asked_h is not tape.fired_h),
    )


def nothing_fired(sizes: Sizes) -> Fired:
    """Return the counts of no steps at all."""
    zeros = (0,) * len(sizes.hidden)
    return Fired(zeros, zeros, zeros, zeros, zeros, zeros)
