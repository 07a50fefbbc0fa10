"""The next word of a text at each step: cross-entropy of every step, and perplexity, its exponential over all words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.tasks import Wanted
from deltatrain.workloads.tasks._losses import softmax_loss

FIGURE = "perplexity"
CLASSES = True
MODE = "loss"

loss = softmax_loss


def wanted(readout: str) -> Wanted:
    """Return "step_classes": the class of a step is the word after it. Every step is read."""
    if readout != "every":
        raise ValueError(f"readout must be 'every' for task 'next_word', not {readout!r}")
    return "step_classes"


def figure_sum(outputs: Array, wanted: NDArray[np.int64], owners: NDArray[np.int64]) -> tuple[float, int]:
    """Return the sum of the cross-entropies of all words, in nats, and how many words there are."""
    total, _ = softmax_loss(outputs.astype(np.float64), wanted, np.ones(len(wanted)))
    return total, len(wanted)


def figure(mean: float) -> float:
    """Return the perplexity of a mean cross-entropy; infinite beyond the largest number."""
    with np.errstate(over="ignore"):
        return float(np.exp(mean))
