"""Selfish-RNN as its published commands run it: the smallest weights go, as many grow at random anywhere in the matrix.

Liu et al., ICML 2021, arXiv 2101.09048, and the repository Shiweiliuiiiiiii/Selfish-RNN (death "magnitude", growth
"random", redistribution "none"). There the counts are right on average only, because each place is drawn on its own;
here they are exact.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.sparsity import static
from deltatrain.workloads.sparsity._matrix import Matrix
from deltatrain.workloads.sparsity._pruning import grown_at_random, pruned

MOVES = True

first = static.first


def moved(matrix: Matrix, weights: Array, mask: Array, gradient: Array, rate: float, rng: np.random.Generator) -> Array:
    """Return the mask after pruning over all gates and growing as many weights at random empty places.

    A place that was emptied just now may be drawn again: its weight then keeps its value.
    """
    return grown_at_random(pruned(weights, mask, rate), int(mask.sum()), rng)
