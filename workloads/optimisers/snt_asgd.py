"""`nt_asgd` for sparse weights that move: each weight has an average of its own, which begins when the weight does.

SNT-ASGD of Selfish-RNN (Liu et al., ICML 2021, arXiv 2101.09048; Sparse_ASGD.py of the repository
Shiweiliuiiiiiii/Selfish-RNN). A weight that is taken away and grows again in the same move goes on with its average.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.optimisers import nt_asgd, sgd
from deltatrain.workloads.optimisers._averages import AVERAGE, BEGUN, COUNT, averaged

__all__ = ["after_epoch", "evaluated", "start", "update"]

after_epoch, evaluated = nt_asgd.after_epoch, nt_asgd.evaluated


def start(parameters: Array) -> dict[str, Array]:
    """Return the state before the first step: that of `nt_asgd`, with a count of steps for each weight, shape (n,)."""
    return nt_asgd.start(parameters) | {COUNT: np.zeros(parameters.shape, np.int64)}


def update(
    parameters: Array,
    gradient: Array,
    state: dict[str, Array],
    learning_rate: float | Array,
    momentum: float,
    weight_decay: float,
) -> tuple[Array, dict[str, Array]]:
    """Return parameters and state after one step; arrays of shape (n,), nothing is changed in place.

    Whoever moves weights sets what the state has of one that did not exist to 0, and so its count.
    """
    stepped, velocity = sgd.update(parameters, gradient, state, learning_rate, momentum, weight_decay)
    if not state[BEGUN][0]:
        return stepped, state | velocity
    average, count = averaged(state[AVERAGE], state[COUNT], stepped)
    return stepped, state | velocity | {AVERAGE: average, COUNT: count}
