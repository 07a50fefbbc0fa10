"""Sparse evolutionary training: in each gate the smallest weights of either sign go, as many grow there at random.

Mocanu et al., Nature Communications 2018, arXiv 1707.04780: of every matrix the share `rate` of the smallest positive
weights goes, and the same share of the negative ones nearest to zero. A gate is a matrix of its own here, so that
nothing moves from gate to gate; that it does is what `selfish` adds (Liu et al., ICML 2021, arXiv 2101.09048).
"""

from __future__ import annotations

import math

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.sparsity import static
from deltatrain.workloads.sparsity._matrix import Matrix
from deltatrain.workloads.sparsity._pruning import grown_at_random

MOVES = True

first = static.first


def moved(matrix: Matrix, weights: Array, mask: Array, gradient: Array, rate: float, rng: np.random.Generator) -> Array:
    """Return the mask after pruning each gate by sign and growing as many weights at random in its empty places."""
    of_gates = zip(np.split(weights, matrix.blocks), np.split(mask, matrix.blocks), strict=True)
    return np.concatenate([_evolved(W, M, rate, rng) for W, M in of_gates])


def _evolved(weights: Array, mask: Array, rate: float, rng: np.random.Generator) -> Array:
    """Return the mask of a gate; a weight of zero counts as positive."""
    left = mask.copy()
    for of_sign in (mask & (weights >= 0), mask & (weights < 0)):
        places = np.flatnonzero(of_sign)
        order = np.argsort(np.abs(weights.ravel()[places]), kind="stable")
        left.ravel()[places[order[: math.ceil(rate * len(places))]]] = False
    return grown_at_random(left, int(mask.sum()), rng)
