"""Gradient descent until the held-out loss stops falling; from then on weights are averaged, as `asgd` does.

Merity et al., AWD-LSTM, ICLR 2018, arXiv 1708.02182. All weights have one count of steps: where sparse weights move,
the average of one that has just grown begins with the zeros that it was before.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.optimisers import asgd, sgd
from deltatrain.workloads.optimisers._averages import AVERAGE, BEGUN, COUNT, first_losses
from deltatrain.workloads.optimisers._averages import watched as after_epoch

__all__ = ["after_epoch", "evaluated", "start", "update"]


def start(parameters: Array) -> dict[str, Array]:
    """Return the state before the first step: that of `asgd`, and no losses."""
    return asgd.start(parameters) | first_losses()


def update(
    parameters: Array,
    gradient: Array,
    state: dict[str, Array],
    learning_rate: float | Array,
    momentum: float,
    weight_decay: float,
) -> tuple[Array, dict[str, Array]]:
    """Return parameters and state after one step; arrays of shape (n,), nothing is changed in place."""
    rule = asgd if state[BEGUN][0] else sgd
    stepped, after = rule.update(parameters, gradient, state, learning_rate, momentum, weight_decay)
    return stepped, state | after


def evaluated(parameters: Array, state: dict[str, Array]) -> Array:
    """Return the average once it has begun, the parameters before; shape (n,)."""
    return state[AVERAGE] if np.any(state[BEGUN] & (state[COUNT] > 0)) else parameters
