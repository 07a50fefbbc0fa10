"""Taking the smallest weights of a matrix away, and letting as many grow at random."""

from __future__ import annotations

import math

import numpy as np

from deltatrain.workloads.arrays.packing import Array

_NEARLY_DENSE = 0.2  # below this sparsity there are fewer empty places than the rate would fill


def pruned(weights: Array, mask: Array, rate: float) -> Array:
    """Return the mask without the ceil(rate * count) weights of smallest magnitude, taken over the whole matrix.

    The gates of a matrix compete: one whose weights are larger loses fewer of them. At a sparsity below 0.2 the rate is
    at most the sparsity. Both as in Selfish-RNN (Liu et al., ICML 2021, arXiv 2101.09048; death mode "magnitude" of the
    repository Shiweiliuiiiiiii/Selfish-RNN). Of equal magnitudes the first in the matrix goes.
    """
    places = np.flatnonzero(mask)
    sparsity = 1 - len(places) / mask.size
    if sparsity < _NEARLY_DENSE:
        rate = min(rate, sparsity)
    gone = math.ceil(rate * len(places))
    order = np.argsort(np.abs(weights.ravel()[places]), kind="stable")
    left = mask.copy()
    left.ravel()[places[order[:gone]]] = False
    return left


def grown_at_random(left: Array, count: int, rng: np.random.Generator) -> Array:
    """Return the mask `left` with weights at random empty places until there are `count`; `left` itself changes."""
    empty = np.flatnonzero(~left)
    left.ravel()[rng.choice(empty, count - int(left.sum()), replace=False)] = True
    return left
