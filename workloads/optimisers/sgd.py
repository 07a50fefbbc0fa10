"""Gradient descent with momentum; weight decay is added to the gradient (as in torch.optim.SGD)."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.optimisers._current import after_epoch, evaluated

__all__ = ["after_epoch", "evaluated", "start", "update"]


def start(parameters: Array) -> dict[str, Array]:
    """Return the state before the first step: a velocity of zero for each of the parameters, shape (n,)."""
    return {"velocity": np.zeros_like(parameters)}


def update(
    parameters: Array,
    gradient: Array,
    state: dict[str, Array],
    learning_rate: float | Array,
    momentum: float,
    weight_decay: float,
) -> tuple[Array, dict[str, Array]]:
    """Return parameters and state after one step; arrays of shape (n,), nothing is changed in place."""
    velocity = momentum * state["velocity"] + gradient + weight_decay * parameters
    return parameters - learning_rate * velocity, {"velocity": velocity}
