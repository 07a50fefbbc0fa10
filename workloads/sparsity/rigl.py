"""RigL: the smallest weights of a matrix go, as many grow where the gradient of the last update is largest.

Evci et al., Rigging the Lottery, ICML 2020, arXiv 1911.11134. It needs the gradient of weights that do not exist, once
a move. As there, a place that was emptied just now may be taken again: its weight then keeps its value.
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
    """Return the mask after pruning over all gates and growing where |gradient| is largest, the first of equal ones."""
    left = pruned(weights, mask, rate)
    empty = np.flatnonzero(~left)
    order = np.argsort(-np.abs(gradient.ravel()[empty]), kind="stable")
    left.ravel()[empty[order[: int(mask.sum() - left.sum())]]] = True
    return left
