"""Losses of rows of outputs, and their gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.packing import Array


def softmax_loss(outputs: Array, wanted: NDArray[np.int64], weights: Array) -> tuple[float, Array]:
    """Return the cross-entropy of logits, shape (R, classes), summed with `weights`, (R,), and its gradient."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)
    right = (np.arange(len(wanted)), wanted)
    losses = np.log(sums[:, 0]) - shifted[right]
    gradient = exponentials / sums
    gradient[right] -= 1
    gradient *= weights[:, None]
    return float(losses @ weights), gradient


def squared_loss(outputs: Array, wanted: Array, weights: Array) -> tuple[float, Array]:
    """Return the mean square of the errors of a row, (R, K) both, summed with `weights`, (R,), and its gradient."""
    errors = outputs - wanted
    losses = np.mean(errors * errors, axis=1)
    return float(losses @ weights), errors * (2 / outputs.shape[1] * weights[:, None])
