"""Family: one file for each rule of which weights of a matrix exist; `SparsityRule` says what a member has."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from deltatrain.accel.family import ModuleFamily
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.sparsity._matrix import Matrix

__all__ = ["SPARSITY", "SparsityRule"]


class SparsityRule(Protocol):
    """Which weights of a matrix exist, from the first update on.

    Masks are boolean and of the matrix's shape, (gates * H, C): its row blocks are the gates (`_matrix.Matrix`).

    Attributes
    ----------
    MOVES
        Whether `moved` ever returns another mask than it is given.
    """

    MOVES: bool

    def first(self, matrix: Matrix, count: int, rng: np.random.Generator) -> Array:
        """Return the mask before training, in which `count` weights exist."""

    def moved(
        self, matrix: Matrix, weights: Array, mask: Array, gradient: Array, rate: float, rng: np.random.Generator
    ) -> Array:
        """Return the mask from now on: as many weights as before, of which `rate` may have moved.

        `gradient` is that of the last update, of weights that do not exist too, shape (gates * H, C).
        """


SPARSITY = ModuleFamily[SparsityRule]("deltatrain.workloads.sparsity", "sparsity rule", SparsityRule)
