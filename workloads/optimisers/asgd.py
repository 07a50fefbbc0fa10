"""Gradient descent whose weights are averaged from the first step on; what is evaluated and kept is the average.

As torch.optim.ASGD with lambd = 0 and t0 = 0, when `momentum` is 0; otherwise the steps are those of `sgd`.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.optimisers import sgd
from deltatrain.workloads.optimisers._averages import AVERAGE, COUNT, averaged
from deltatrain.workloads.optimisers._current import after_epoch

__all__ = ["after_epoch", "evaluated", "start", "update"]


def start(parameters: Array) -> dict[str, Array]:
    """Return the state before the first step: that of `sgd`, and an average of nothing, shape (n,)."""
    return sgd.start(parameters) | {AVERAGE: parameters.copy(), COUNT: np.zeros(1, np.int64)}


def update(
    parameters: Array,
    gradient: Array,
    state: dict[str, Array],
    learning_rate: float | Array,
    momentum: float,
    weight_decay: float,
) -> tuple[Array, dict[str, Array]]:
    """Return parameters and state after one step; arrays of shape (n,), nothing is changed in place."""
    stepped, velocity = sgd.update(parameters, gradient, state, learning_rate, momentum, weight_decay)
    average, count = averaged(state[AVERAGE], state[COUNT], stepped)
    return stepped, state | velocity | {AVERAGE: average, COUNT: count}


def evaluated(parameters: Array, state: dict[str, Array]) -> Array:
    """Return the average, shape (n,)."""
    return state[AVERAGE]
