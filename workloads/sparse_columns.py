"""Compressed columns: how sparse weights lie in the lanes' words.

A lane keeps of each column the weights of its own rows, one behind the other, each with the number of the word in which
it would lie were the column whole. So the lanes need no crossbar: the number picks the lane's own accumulator or
gradient. A column takes as many words as its longest lane has weights; shorter lanes are filled up with zeros. Where
each column begins is in a table, because columns differ in length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POINTER_BYTES = 4
"""Of an entry in the table of columns."""


def lane_weights(mask: NDArray[np.bool_], gates: int, lanes: int) -> NDArray[np.int64]:
    """Return how many weights each lane has in each column, shape (lanes, C).

    Parameters
    ----------
    mask
        Which weights exist, shape (gates * H, C).
    gates
        Row blocks; neuron n is in lane n mod P for each of them.
    lanes
        P.
    """
    rows, columns = mask.shape
    width = rows // gates
    lane = np.tile(np.arange(width) % lanes, gates)
    counts = np.zeros((lanes, columns), np.int64)
    np.add.at(counts, lane, mask)
    return counts


def column_words(mask: NDArray[np.bool_], gates: int, lanes: int) -> NDArray[np.int64]:
    """Return the words of each compressed column, shape (C,): the longest lane's."""
    words: NDArray[np.int64] = lane_weights(mask, gates, lanes).max(axis=0)
    return words


def whole_words(mask: NDArray[np.bool_], gates: int, lanes: int) -> int:
    """Return the words of a column that is not compressed: rows of a gate are padded to whole words."""
    width = mask.shape[0] // gates
    return gates * -(-width // lanes)


def word_bytes(mask: NDArray[np.bool_], gates: int, lanes: int, entry_bits: int) -> int:
    """Return the bytes of a compressed word: for each lane an entry of `entry_bits` and its number, in whole bytes."""
    number_bits = (whole_words(mask, gates, lanes) - 1).bit_length()
    return -(-lanes * (entry_bits + number_bits) // 8)


def matrix_bytes(mask: NDArray[np.bool_], gates: int, lanes: int, entry_bits: int) -> int:
    """Return the bytes of the compressed matrix with its table of columns."""
    words = int(column_words(mask, gates, lanes).sum())
    return words * word_bytes(mask, gates, lanes, entry_bits) + POINTER_BYTES * (mask.shape[1] + 1)
