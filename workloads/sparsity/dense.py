"""Every weight exists."""

from __future__ import annotations

import numpy as np

from workloads.packing import Array


def first(shape: tuple[int, int], count: int, rng: np.random.Generator) -> Array:
    """Return a mask that is True everywhere; `count` must be the size of the matrix."""
    if count != shape[0] * shape[1]:
        raise ValueError(f"a dense matrix of shape {shape} has {shape[0] * shape[1]} weights, not {count}")
    return np.ones(shape, np.bool_)


def moved(weights: Array, mask: Array, gates: int, rate: float, rng: np.random.Generator) -> Array:
    """Return the mask as it is."""
    return mask
