"""A class for each sequence: cross-entropy; decided is the class with the largest sum of logits over what is read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.tasks import Wanted
from deltatrain.workloads.tasks._losses import softmax_loss

FIGURE = "accuracy"
CLASSES = True
MODE = "loss"

loss = softmax_loss


def wanted(readout: str) -> Wanted:
    """Return "classes": both read-outs classify sequences."""
    return "classes"


def figure_sum(outputs: Array, wanted: NDArray[np.int64], owners: NDArray[np.int64]) -> tuple[float, int]:
    """Return how many samples are decided rightly, and how many there are."""
    labels = np.empty(owners.max() + 1, np.int64)
    labels[owners] = wanted
    return float((decided(outputs, owners) == labels).sum()), len(labels)


def figure(mean: float) -> float:
    """Return the share of samples that are decided rightly, which is the mean itself."""
    return mean


def decided(outputs: Array, owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the class of each sample, shape (B,)."""
    sums = np.zeros((owners.max() + 1, outputs.shape[1]))
    np.add.at(sums, owners, outputs)
    best: NDArray[np.int64] = np.argmax(sums, axis=1)
    return best
