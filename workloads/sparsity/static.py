"""Weights drawn at random before training, the same ones for ever: what moving them must be better than."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.sparsity._matrix import Matrix

MOVES = False


def first(matrix: Matrix, count: int, rng: np.random.Generator) -> Array:
    """Return a mask with exactly `count` True entries, every place equally likely."""
    mask = np.zeros(matrix.size, np.bool_)
    mask[rng.choice(mask.size, count, replace=False)] = True
    return mask.reshape(matrix.shape)


def moved(matrix: Matrix, weights: Array, mask: Array, gradient: Array, rate: float, rng: np.random.Generator) -> Array:
    """Return the mask as it is."""
    return mask
