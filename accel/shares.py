"""Matrices as they lie in the memories of one tile or of several, and back again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.column import column_words
from deltatrain.accel.number import Integers
from deltatrain.accel.tiles import own_elements, tile_of

__all__ = [
    "apart",
    "of_arrays",
    "of_columns",
    "of_rows",
    "side_by_side",
    "whole_arrays",
    "whole_columns",
    "whole_rows",
]


def of_rows(matrix: Integers, blocks: int, lanes: int, tiles: int) -> Integers:
    """Return the words of each tile, column after column; gates lie one behind the other (`accel.column`).

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
    columns, width = matrix.shape[1], len(matrix) // blocks
    words = np.zeros((tiles, columns, column_words(blocks, width, lanes, tiles) * lanes), dtype=np.int64)
    tile, row = _places(width, blocks, lanes, tiles)
    words[tile, :, row] = matrix
    return words.reshape(tiles, -1, lanes)


def whole_rows(words: Integers, rows: int, columns: int, blocks: int) -> Integers:
    """Return the matrix of `rows` rows over all its blocks whose words these are; undoes `of_rows`."""
    tiles, _, lanes = words.shape
    tile, row = _places(rows // blocks, blocks, lanes, tiles)
    matrix: Integers = words.reshape(tiles, columns, -1)[tile, :, row]
    return matrix


def _places(width: int, blocks: int, lanes: int, tiles: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each row of a matrix its tile and its place among that tile's rows, shapes (blocks * H,)."""
    owner = tile_of(np.arange(width), lanes, tiles)
    most = int(own_elements(width, lanes, tiles)[0])
    place = np.zeros(width, dtype=np.int64)
    for tile in range(tiles):
        own = np.flatnonzero(owner == tile)
        place[own] = np.arange(len(own))
    return np.tile(owner, blocks), (np.arange(blocks)[:, None] * most + place).ravel()


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


def side_by_side(words: Integers, columns: int) -> Integers:
    """Return the rows of all tiles as one tile with all their lanes would lay them out.

    Parameters
    ----------
    words
        Of each tile, as `of_rows` and `of_columns` give them, shape (n, columns * words a column, P).
    columns
        C.

    Returns
    -------
    Integers
        Shape (words a column * n * P, C).
    """
    tiles, _, lanes = words.shape
    rows: Integers = words.reshape(tiles, columns, -1, lanes).transpose(2, 0, 3, 1)
    return rows.reshape(-1, columns)


def apart(rows: Integers, lanes: int, tiles: int) -> Integers:
    """Return the words of each tile, shape (n, columns * words a column, P); undoes `side_by_side`."""
    words: Integers = rows.reshape(-1, tiles, lanes, rows.shape[1]).transpose(1, 3, 0, 2)
    return words.reshape(tiles, -1, lanes)


def _owners(width: int, lanes: int, tiles: int) -> tuple[NDArray[np.int64], int]:
    """Return the tile of each of `width` neurons, and the most that one has."""
    return tile_of(np.arange(width), lanes, tiles), int(own_elements(width, lanes, tiles).max())


def of_arrays(matrix: Integers, arrays: int) -> list[Integers]:
    """Return the columns of each array, j mod A, with columns of zeros where others have one more."""
    most = -(-matrix.shape[1] // arrays)
    whole = np.zeros((len(matrix), most * arrays), dtype=np.int64)
    whole[:, : matrix.shape[1]] = matrix
    return [whole[:, array::arrays] for array in range(arrays)]


def whole_arrays(shares: list[Integers], columns: int) -> Integers:
    """Return the matrix of so many columns that was shared out; undoes `of_arrays`."""
    matrix: Integers = np.stack(shares, axis=-1).reshape(len(shares[0]), -1)[:, :columns]
    return matrix
