"""Which weights of a network exist: a mask over the flat vector of its parameters, moved now and then in training.

Every matrix is masked, the read-out's too; biases are always whole (as in Selfish-RNN, Liu et al., ICML 2021,
arXiv 2101.09048). The number of weights of each matrix never changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.network.network import Sizes, from_flat, shapes
from deltatrain.workloads.sparsity import SPARSITY
from deltatrain.workloads.sparsity._matrix import Matrix
from deltatrain.workloads.tables import Sparsity

LAST_RATE = 0.005
"""To which the pruning rate falls at the end of training (Shiweiliuiiiiiii/Selfish-RNN, cosine decay)."""


def counts(sizes: Sizes, sparsity: Sparsity) -> tuple[int, ...]:
    """Return how many weights each of `Parameters.arrays` has; a bias has all of its own.

    "uniform" gives every matrix the same density. "erdos_renyi" gives a matrix of R rows and C columns weights in
    proportion to R + C, so that small ones are denser, and fills those that would have more than they hold; in all the
    network has `density` of its weights either way.
    """
    of_arrays = shapes(sizes)
    matrices = [shape for shape in of_arrays if len(shape) == 2]
    whole = np.array([rows * columns for rows, columns in matrices], np.float64)
    if sparsity.distribution == "uniform":
        kept = iter(np.rint(sparsity.density * whole).astype(int).tolist())
    else:
        kept = iter(_erdos_renyi(matrices, whole, sparsity.density))
    return tuple(next(kept) if len(shape) == 2 else shape[0] for shape in of_arrays)


def first_mask(sizes: Sizes, sparsity: Sparsity, rng: np.random.Generator) -> Array:
    """Return which parameters exist before training, boolean, shape (n,)."""
    rule = SPARSITY.load(sparsity.rule)
    masks = [
        np.ones(count, np.bool_) if matrix is None else rule.first(matrix, count, rng)
        for matrix, count in zip(_matrices(sizes, sparsity), counts(sizes, sparsity), strict=True)
    ]
    return np.concatenate([mask.ravel() for mask in masks])


def next_mask(
    vector: Array,
    mask: Array,
    gradient: Array,
    sizes: Sizes,
    sparsity: Sparsity,
    progress: float,
    rng: np.random.Generator,
) -> Array:
    """Return which parameters exist from now on.

    Parameters
    ----------
    vector, mask, gradient
        The parameters, which of them exist, and the gradient of the last update, of those that do not exist too; shapes
        (n,).
    sizes, sparsity
        The network's sizes and how it is thinned.
    progress
        Share of all updates that are done.
    rng
        Draws what grows.
    """
    rule, rate = SPARSITY.load(sparsity.rule), pruning_rate(sparsity.prune_rate, progress)
    of_matrices = [from_flat(of_all, sizes).arrays() for of_all in (vector, mask, gradient)]
    masks = [
        M if matrix is None else rule.moved(matrix, W, M, dW, rate, rng)
        for matrix, W, M, dW in zip(_matrices(sizes, sparsity), *of_matrices, strict=True)
    ]
    return np.concatenate([moved.ravel() for moved in masks])


def recorded_weights(mask: Array, sizes: Sizes) -> tuple[NDArray[np.bool_], ...]:
    """Return which weights exist in each matrix but the table of words, for a `RecordedStep`: none if all do."""
    if mask.all():
        return ()
    arrays = from_flat(mask, sizes)._replace(embedding=None).arrays()
    return tuple(matrix.copy() for matrix in arrays if matrix.ndim == 2 and matrix.size)


def pruning_rate(first: float, progress: float) -> float:
    """Return the share of the weights to be pruned: from `first` to `LAST_RATE` along half a cosine."""
    last = min(first, LAST_RATE)
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


def _matrices(sizes: Sizes, sparsity: Sparsity) -> list[Matrix | None]:
    """Return each of `Parameters.arrays` as a rule knows it, None for a bias and for a matrix without entries."""
    cell = sizes.cell
    blocks = (*(len(cell.TARGETS_X), len(cell.TARGETS_H), 1) * len(sizes.hidden), 1, 1, 1)
    return [
        Matrix(*shape, of_matrix, sparsity.lanes) if len(shape) == 2 and 0 not in shape else None
        for shape, of_matrix in zip(shapes(sizes), blocks, strict=False)
    ]


def _erdos_renyi(matrices: Sequence[tuple[int, ...]], whole: Array, density: float) -> list[int]:
    """Return epsilon * (R + C) weights for each matrix, at most all, with the epsilon that makes the sum right."""
    edges = np.array([sum(shape) for shape in matrices], np.float64)
    wanted = round(density * whole.sum())
    full = np.zeros(len(edges), np.bool_)
    while True:
        epsilon = (wanted - whole[full].sum()) / edges[~full].sum() if not full.all() else 0.0
        exact = np.where(full, whole, epsilon * edges)
        over = ~full & (exact > whole)
        if not over.any():
            break
        full |= over
    kept = np.floor(exact).astype(int)
    missing = int(wanted - kept.sum())
    kept[np.argsort(kept - exact, kind="stable")[:missing]] += 1  # the largest remainders are rounded up
    counted: list[int] = kept.tolist()
    return counted
