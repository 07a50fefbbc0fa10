"""Matrices as they lie in the memories of one tile or of several, and back again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.number import Integers
from deltatrain.accel.tiles import own_elements, tile_of

__all__ = ["of_columns", "of_rows", "whole_columns", "whole_rows"]


def of_rows(matrix: Integers, blocks: int, lanes: int, tiles: int) -> Integers:
    """Return the words of each tile, column after column, each block of rows padded to as many words in every tile.

    Parameters
    ----------
    matrix
        Shape (blocks * H, columns).
    blocks
        Equal blocks of rows (gates); neuron j of each belongs to tile (j // P) mod n.
    lanes, tiles
        P and n.

    Returns
    -------
    Integers
        Shape (n, columns * words a column, P).
    """
    columns, rows = matrix.shape[1], len(matrix) // blocks
    chunks = -(-rows // (lanes * tiles))
    padded = np.zeros((blocks, chunks * tiles * lanes, columns), dtype=np.int64)
    padded[:, :rows] = matrix.reshape(blocks, rows, columns)
    words = padded.reshape(blocks, chunks, tiles, lanes, columns)
    return words.transpose(2, 4, 0, 1, 3).reshape(tiles, -1, lanes)


def whole_rows(words: Integers, rows: int, columns: int, blocks: int) -> Integers:
    """Return the matrix of `rows` rows over all its blocks whose words these are; undoes `of_rows`."""
    tiles, _, lanes = words.shape
    padded = words.reshape(tiles, columns, blocks, -1, lanes).transpose(2, 3, 0, 4, 1).reshape(blocks, -1, columns)
    return padded[:, : rows // blocks].reshape(rows, columns)


def of_columns(matrix: Integers, lanes: int, tiles: int) -> Integers:
    """Return the read-out's words of each tile: the columns of its own neurons, and the bias, the last, in tile 0.

    Parameters
    ----------
    matrix
        Shape (classes, H + 1).
    lanes, tiles
        P and n.

    Returns
    -------
    Integers
        Shape (n, columns * words a column, P), zero in columns that other tiles have more.
    """
    owner, most = _owners(matrix.shape[1] - 1, lanes, tiles)
    shares = np.zeros((tiles, len(matrix), most + 1), dtype=np.int64)
    for tile in range(tiles):
        own = np.flatnonzero(owner == tile)
        shares[tile, :, : len(own)] = matrix[:, own]
    shares[0, :, most] = matrix[:, -1]
    return np.concatenate([of_rows(share, 1, lanes, 1) for share in shares])


def whole_columns(words: Integers, rows: int, columns: int) -> Integers:
    """Return the read-out of `rows` classes and `columns` columns whose words these are; undoes `of_columns`."""
    tiles, _, lanes = words.shape
    owner, most = _owners(columns - 1, lanes, tiles)
    matrix = np.zeros((rows, columns), dtype=np.int64)
    for tile in range(tiles):
        share = whole_rows(words[tile : tile + 1], rows, most + 1, 1)
        own = np.flatnonzero(owner == tile)
        matrix[:, own] = share[:, : len(own)]
        if tile == 0:
            matrix[:, -1] = share[:, most]
    return matrix


def _owners(width: int, lanes: int, tiles: int) -> tuple[NDArray[np.int64], int]:
    """Return the tile of each of `width` neurons, and the most that one has."""
    return tile_of(np.arange(width), lanes, tiles), int(own_elements(width, lanes, tiles).max())
