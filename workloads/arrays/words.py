"""Words as numbers, and as the vectors that a network takes: one-hot, or rows of a look-up table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.packing import Array


def are_words(rows: Array) -> bool:
    """Tell whether packed input are numbers of words, shape (N,), not vectors, (N, F)."""
    return rows.ndim == 1


def one_hot(words: NDArray[np.int64], vocabulary: int, dtype: np.dtype[np.floating]) -> Array:
    """Return words as vectors of a 1 among zeros, along a further axis."""
    vectors = np.zeros((words.size, vocabulary), dtype)
    vectors[np.arange(words.size), words.ravel()] = 1
    return vectors.reshape(*words.shape, vocabulary)


def table_gradient(words: NDArray[np.int64], g_rows: Array, vocabulary: int) -> Array:
    """Return the gradient of a look-up table, shape (vocabulary, D), given that of the rows looked up, shape (N, D).

    A word that occurs more than once has the sum of its rows' gradients; one that does not occur has zeros.
    """
    order = np.argsort(words, kind="stable")
    found, first = np.unique(words[order], return_index=True)
    gradient = np.zeros((vocabulary, g_rows.shape[1]), g_rows.dtype)
    gradient[found] = np.add.reduceat(g_rows[order], first, axis=0)
    return gradient
