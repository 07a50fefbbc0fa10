"""Sparse matrices as they lie in the words of compressed columns, and back again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.number import Integers

__all__ = ["EntryPlaces", "entry_places"]


class EntryPlaces(NamedTuple):
    """Where the weights of a matrix lie that exist: weight (row, column) in a lane of a word, shapes (weights,).

    Attributes
    ----------
    word, lane, row, column
        Places; a word is counted from the matrix's first.
    shape
        Of the words, (words, P).
    """

    word: NDArray[np.int64]
    lane: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    shape: tuple[int, int]

    def values(self, matrix: Integers) -> Integers:
        """Return the values of a matrix in its words, (words, P): zero where no weight is."""
        words = np.zeros(self.shape, dtype=np.int64)
        words[self.word, self.lane] = matrix[self.row, self.column]
        return words

    def numbers(self, none: int) -> Integers:
        """Return to which word of a whole column each entry belongs, (words, P); `none` where no weight is."""
        words = np.full(self.shape, none, dtype=np.int64)
        words[self.word, self.lane] = self.row // self.shape[1]
        return words

    def matrix(self, values: Integers, rows: int, columns: int) -> Integers:
        """Return the matrix whose values these are; undoes `values`."""
        matrix = np.zeros((rows, columns), dtype=np.int64)
        matrix[self.row, self.column] = values[self.word, self.lane]
        return matrix


def entry_places(exist: NDArray[np.bool_], first: NDArray[np.int64], words: int, lanes: int) -> EntryPlaces:
    """Return where each weight lies.

    Parameters
    ----------
    exist
        Which do, bias columns included, shape (R, C).
    first
        First word of each column, shape (C,).
    words
        Of all columns.
    lanes
        P; row r is in lane r mod P.
    """
    rows, columns = exist.shape
    longest = -(-rows // lanes)
    padded = np.zeros((longest * lanes, columns), dtype=np.int64)
    padded[:rows] = exist
    before = np.cumsum(padded.reshape(longest, lanes, columns), axis=0).reshape(-1, columns) - padded
    row, column = np.nonzero(exist)
    return EntryPlaces(first[column] + before[row, column], row % lanes, row, column, (words, lanes))
