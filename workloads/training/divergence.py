"""When a training is lost: what it counts as saved then would mean nothing, so it stops and says where."""

from __future__ import annotations

import math

import numpy as np

from deltatrain.accel.errors import DivergedError
from deltatrain.workloads.tables import Training


def highest_loss(dtype: np.dtype[np.floating]) -> float:
    """Return the cross-entropy, in nats, at which the right class has a probability that `dtype` rounds to zero."""
    return -math.log(float(np.finfo(dtype).smallest_subnormal))


def diverged(training: Training, epoch: int, update: int, updates: int, loss: float) -> DivergedError:
    """Return the error of a training whose `loss`, or else a weight, shows that it is lost.

    Parameters
    ----------
    training
        How it learns.
    epoch
        From 0.
    update, updates
        Updates done, the last one included, and how many there are.
    """
    lost = not loss < highest_loss(np.dtype(training.precision))  # NaN is lost too
    what = f"the loss is {loss:g}" if lost else "a weight is not finite"
    return DivergedError(
        f"training diverged in epoch {epoch + 1} of {training.epochs}, update {update} of {updates}: {what}; "
        f"lower training.learning_rate ({training.learning_rate:g}) or training.clip_norm ({training.clip_norm:g})"
    )
