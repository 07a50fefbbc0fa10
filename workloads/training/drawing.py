"""The random draws of a training: each purpose has a stream of its own, by the seed and the number of the epoch."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.tables import Training

INITIAL, ORDER, RECORD, MASK, DROPOUT = range(5)
"""What is drawn for: first weights, the order of samples, recorded samples, which weights exist, hidden outputs."""


def generator(training: Training, purpose: int, epoch: int) -> np.random.Generator:
    """Return the generator for a purpose in an epoch, or for dropout in an update."""
    return np.random.default_rng([training.seed, purpose, epoch])
