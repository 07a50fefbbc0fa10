"""Selfish-RNN as its authors draw it: pruned over all gates together, the same number grown in each gate.

Because gates lose unequal numbers and get equal ones back, weights move between the gates (the "cell gate
redistribution" of Liu et al., ICML 2021, arXiv 2101.09048, figure of the repository Shiweiliuiiiiiii/Selfish-RNN). The
code published there only prepares for it and grows as `selfish` does.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.sparsity import static
from deltatrain.workloads.sparsity._matrix import Matrix
from deltatrain.workloads.sparsity._pruning import pruned

MOVES = True

first = static.first


def moved(matrix: Matrix, weights: Array, mask: Array, gradient: Array, rate: float, rng: np.random.Generator) -> Array:
    """Return the mask after pruning over all gates and growing an equal number in each, at random empty places.

    What does not divide evenly goes to gates drawn at random, what a full gate has no place for to the others.
    """
    left = pruned(weights, mask, rate)
    blocks = left.reshape(matrix.blocks, -1)
    free = (~blocks).sum(axis=1)
    for block, count in zip(blocks, shares(int(mask.sum() - left.sum()), free, rng), strict=True):
        block[rng.choice(np.flatnonzero(~block), count, replace=False)] = True
    return left


def shares(total: int, room: Array, rng: np.random.Generator) -> Array:
    """Return `total` split as evenly as `room` allows, integers of shape (gates,) as `room`; its sum must suffice."""
    given = np.zeros_like(room)
    while total:
        open_gates = rng.permutation(np.flatnonzero(given < room))
        each = total // len(open_gates)
        if not each:
            given[open_gates[:total]] += 1
            return given
        more = np.minimum(each, room[open_gates] - given[open_gates])
        given[open_gates] += more
        total -= int(more.sum())
    return given
