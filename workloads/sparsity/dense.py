"""Every weight exists."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.sparsity._matrix import Matrix

MOVES = False


def first(matrix: Matrix, count: int, rng: np.random.Generator) -> Array:
    """Return a mask that is True everywhere; `count` must be the size of the matrix."""
    if count != matrix.size:
        raise ValueError(f"a dense matrix of shape {matrix.shape} has {matrix.size} weights, not {count}")
    return np.ones(matrix.shape, np.bool_)


def moved(matrix: Matrix, weights: Array, mask: Array, gradient: Array, rate: float, rng: np.random.Generator) -> Array:
    """Return the mask as it is."""
    return mask
