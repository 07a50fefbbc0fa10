"""Which samples go together in a mini-batch: shuffled each epoch, similar lengths together, reproducibly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EVALUATION_BATCH = 256  # samples at a time; the result does not depend on it but for rounding
WINDOW_BATCHES = 8  # samples are sorted by length within so many batches: few idle rows, still much chance


def epoch_batches(lengths: NDArray[np.int64], batch: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Return the mini-batches of one epoch, as indices of samples; each sample occurs once.

    Parameters
    ----------
    lengths
        Steps of each sample, shape (N,).
    batch
        Samples in a mini-batch; one of them may be smaller.
    rng
        Draws the order of samples, then that of batches.
    """
    order = rng.permutation(len(lengths))
    batches: list[NDArray[np.int64]] = []
    for first in range(0, len(order), batch * WINDOW_BATCHES):
        window = order[first : first + batch * WINDOW_BATCHES]
        window = window[np.argsort(lengths[window], kind="stable")]
        batches += [window[start : start + batch] for start in range(0, len(window), batch)]
    return [batches[number] for number in rng.permutation(len(batches))]


def evaluation_batches(lengths: NDArray[np.int64], batch: int) -> list[NDArray[np.int64]]:
    """Return all samples in batches of similar length, as indices, always the same."""
    order = np.argsort(lengths, kind="stable")
    return [order[start : start + batch] for start in range(0, len(order), batch)]
