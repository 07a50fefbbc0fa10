"""Like `selfish`, but every lane has as many weights of a column as the next, to one, at all times.

A compressed column takes as many cycles as its longest lane has weights (`workloads.lowering.sparse_columns`). Here
what a lane loses of a column grows again in the same lane and column, at random. Balance for the sake of the engine is
the idea of column-balanced pruning (CBTD of Spartus, Gao et al., TNNLS 2022, arXiv 2108.02297, which prunes a dense
network); to keep it while weights move is ours.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.sparsity._matrix import Matrix
from deltatrain.workloads.sparsity._pruning import pruned

MOVES = True


def first(matrix: Matrix, count: int, rng: np.random.Generator) -> Array:
    """Return a mask with exactly `count` True entries, spread evenly over columns and over the lanes of a column."""
    groups = _groups(matrix)
    room = np.bincount(groups.ravel(), minlength=matrix.columns * matrix.lanes).reshape(matrix.columns, -1)
    of_columns = _shares(count, room.sum(axis=1), rng)
    quotas = np.concatenate([_shares(n, lanes, rng) for n, lanes in zip(of_columns.tolist(), room, strict=True)])
    return _drawn(groups, quotas, np.ones(matrix.shape, np.bool_), rng)


def moved(matrix: Matrix, weights: Array, mask: Array, gradient: Array, rate: float, rng: np.random.Generator) -> Array:
    """Return the mask after pruning over all gates and growing in each lane and column what it lost there."""
    left = pruned(weights, mask, rate)
    groups = _groups(matrix)
    lost = np.bincount(groups[mask & ~left], minlength=matrix.columns * matrix.lanes)
    grown: Array = left | _drawn(groups, lost, ~left, rng)
    return grown


def _groups(matrix: Matrix) -> Array:
    """Return the number of each entry's lane and column."""
    return np.arange(matrix.columns) * matrix.lanes + matrix.lane_of_rows()[:, None]


def _shares(total: int, room: Array, rng: np.random.Generator) -> Array:
    """Return `total` split as evenly as `room` allows, integers of the shape of `room`; its sum must suffice."""
    level = 0
    while np.minimum(room, level + 1).sum() <= total and level < room.max(initial=0):
        level += 1
    given = np.minimum(room, level)
    higher = rng.permutation(np.flatnonzero(room > level))[: total - int(given.sum())]
    given[higher] += 1
    return given


def _drawn(groups: Array, quotas: Array, allowed: Array, rng: np.random.Generator) -> Array:
    """Return a mask with `quotas[g]` entries of each group g, every allowed entry of the group equally likely."""
    places = rng.permutation(np.flatnonzero(allowed))
    of_place = groups.ravel()[places]
    order = np.argsort(of_place, kind="stable")
    sorted_groups = of_place[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_groups, sorted_groups)
    mask = np.zeros(allowed.size, np.bool_)
    mask[places[order[rank < quotas[sorted_groups]]]] = True
    return mask.reshape(allowed.shape)
