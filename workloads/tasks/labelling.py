"""A class for each step: cross-entropy of every step, and the share of steps that are labelled rightly."""

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
    """Return "step_classes"; there is no labelling of the last step alone."""
    if readout != "every":
        raise ValueError(f"readout must be 'every' for task 'labelling', not {readout!r}")
    return "step_classes"


def figure_sum(outputs: Array, wanted: NDArray[np.int64], owners: NDArray[np.int64]) -> tuple[float, int]:
    """Return how many steps are labelled rightly, and how many there are."""
    return float((outputs.argmax(axis=1) == wanted).sum()), len(wanted)


def figure(mean: float) -> float:
    """Return the share of steps that are labelled rightly, which is the mean itself."""
    return mean
