"""Windows of sequences that are long streams: a mini-batch in pieces along time, each with an update of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.layer import State
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.network.network import Network, Parameters, forward
from deltatrain.workloads.network.state import cells_after
from deltatrain.workloads.tables import Training
from deltatrain.workloads.training.batches import epoch_batches, evaluation_batches


class Truncation(NamedTuple):
    """How sequences are cut along time: windows of so many steps, None being all, whose state is carried or not."""

    steps: int | None = None
    carried: bool = True


WHOLE = Truncation()


def truncation_of(training: Training) -> Truncation:
    """Return how training cuts sequences."""
    return Truncation(training.truncate_steps, training.window_state == "carried")


class Window(NamedTuple):
    """Some steps of a mini-batch.

    Attributes
    ----------
    x, lengths, labels
        Of the samples that still run, as of `Sequences.batch`.
    going
        Which samples of the window before they are, integer, shape (B,); empty of the first window of a mini-batch.
    weight
        What its loss, a mean over samples, counts for in a mean over windows: the steps of a window, the samples of a
        whole mini-batch.
    samples
        Which sequences of the part they are, shape (B,).
    """

    x: Array
    lengths: NDArray[np.int64]
    labels: Array
    going: NDArray[np.int64]
    weight: int
    samples: NDArray[np.int64]

    def state(self, truncation: Truncation, after: State) -> State:
        """Return what it goes on from, given what the window before left."""
        if not (len(self.going) and truncation.carried):
            return ()
        return tuple(layer.take(self.going) for layer in after)


def windows(part: Sequences, samples: NDArray[np.int64], truncation: Truncation) -> Iterator[Window]:
    """Yield the windows of some sequences, shape (B,), in the order of time.

    Sequences that have ended are left out of later windows.
    """
    x, lengths, labels = part.batch(samples)
    running, steps = np.arange(len(samples)), truncation.steps
    if steps is None:
        yield Window(x, lengths, labels, running[:0], len(samples), samples)
        return
    for first in range(0, int(lengths.max()), steps):
        going = np.flatnonzero(lengths[running] > first)
        running = running[going]
        of_window = np.minimum(lengths[running] - first, steps)
        rows, went_on = slice(first, first + int(of_window.max())), going if first else going[:0]
        of_rows = x[rows, running], of_window, labels[rows, running]
        yield Window(*of_rows, went_on, int(of_window.sum()), samples[running])


def all_windows(part: Sequences, batches: Iterable[NDArray[np.int64]], truncation: Truncation) -> Iterator[Window]:
    """Yield the windows of one mini-batch after the other."""
    for samples in batches:
        yield from windows(part, samples, truncation)


def recorded_window(
    network: Network, parameters: Parameters, part: Sequences, samples: NDArray[np.int64], truncation: Truncation
) -> tuple[Window, State]:
    """Return the window of some sequences that is recorded, and what it goes on from.

    Of whole sequences there is one alone. Of streams it is the second, the first one that goes on from a state; the
    first where no state is carried, or no sequence is longer than it.
    """
    both = windows(part, samples, truncation)
    window = next(both)
    following = next(both, None) if truncation.carried else None
    if following is None:
        return window, ()
    ran = forward(network, parameters, window.x, window.lengths)
    return following, following.state(truncation, cells_after(ran))


def training_batches(
    lengths: NDArray[np.int64], training: Training, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Return the mini-batches of one epoch, as indices of sequences.

    Of streams the same ones always go together, in an order that is drawn, so that every epoch has as many windows.
    """
    if training.truncate_steps is None:
        return epoch_batches(lengths, training.batch, rng)
    batches = evaluation_batches(lengths, training.batch)
    return [batches[number] for number in rng.permutation(len(batches))]


def epoch_updates(lengths: NDArray[np.int64], training: Training) -> int:
    """Return how many updates an epoch has, of sequences of these lengths, shape (N,)."""
    batches, steps = evaluation_batches(lengths, training.batch), training.truncate_steps
    return sum(1 if steps is None else -(-int(lengths[one].max()) // steps) for one in batches)
