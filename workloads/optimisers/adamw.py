"""Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019, algorithm 2); `momentum` is its beta_1."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.optimisers._current import after_epoch, evaluated

__all__ = ["after_epoch", "evaluated", "start", "update"]

BETA_2 = 0.999  # Kingma and Ba, Adam, ICLR 2015, algorithm 1
EPSILON = 1e-8  # same place
STEPS = "steps"  # the array that has how many were taken


def start(parameters: Array) -> dict[str, Array]:
    """Return the state before the first step: both moments zero, shape (n,), and the number of steps taken."""
    return {
        "mean": np.zeros_like(parameters),
        "square": np.zeros_like(parameters),
        STEPS: np.zeros(1, np.int64),
    }


def update(
    parameters: Array,
    gradient: Array,
    state: dict[str, Array],
    learning_rate: float | Array,
    momentum: float,
    weight_decay: float,
) -> tuple[Array, dict[str, Array]]:
    """Return parameters and state after one step; arrays of shape (n,), nothing is changed in place."""
    steps = state[STEPS] + 1
    mean = momentum * state["mean"] + (1 - momentum) * gradient
    square = BETA_2 * state["square"] + (1 - BETA_2) * gradient * gradient
    rate = learning_rate / (1 - momentum ** int(steps[0]))
    spread = np.sqrt(square / (1 - BETA_2 ** int(steps[0]))) + EPSILON
    decayed = parameters * (1 - learning_rate * weight_decay)
    return decayed - rate * mean / spread, {"mean": mean, "square": square, STEPS: steps}
