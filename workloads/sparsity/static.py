"""Weights drawn at random before training, the same ones for ever: what moving them must be better than."""

from __future__ import annotations

import numpy as np

from workloads.packing import Array


def first(shape: tuple[int, int], count: int, rng: np.random.Generator) -> Array:
    """Return a mask with exactly `count` True entries, every place equally likely."""
    mask = np.zeros(shape[0] * shape[1], np.bool_)
    mask[rng.choice(mask.size, count, replace=False)] = True
    return mask.reshape(shape)


def moved(weights: Array, mask: Array, gates: int, rate: float, rng: np.random.Generator) -> Array:
    """Return the mask as it is."""
    return mask
