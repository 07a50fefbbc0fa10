"""Numbers for each sequence, or with the read-out "every" for each step: the mean squared error over all outputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.tasks import Wanted
from deltatrain.workloads.tasks._losses import squared_loss

FIGURE = "mean_squared_error"
CLASSES = False
MODE = "squared_loss"

loss = squared_loss


def wanted(readout: str) -> Wanted:
    """Return numbers for whatever is read."""
    return "numbers" if readout == "last" else "step_numbers"


def figure_sum(outputs: Array, wanted: Array, owners: NDArray[np.int64]) -> tuple[float, int]:
    """Return the sum of the squares of all errors, and how many there are."""
    errors = outputs.astype(np.float64) - wanted
    return float((errors * errors).sum()), errors.size


def figure(mean: float) -> float:
    """Return the mean squared error, which is the mean itself."""
    return mean
