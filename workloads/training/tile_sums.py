"""Sums as several tiles make them: each adds up its own rows, or columns, and the exchange adds theirs.

Where sums wrap that is what one tile has. Where they saturate it depends on which entry comes first, and on who has
which row: lists come in the order of the tiles (`accel.modes.broadcast`), and partial sums are fitted before they are
added (`accel.modes.reduce`).
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel import shares
from deltatrain.accel.engine import Engine, MachineNumbers
from deltatrain.accel.modes import matvec, matvec_t, reduce
from deltatrain.accel.modes.encode import Fired
from deltatrain.accel.number import Integers, accumulate
from deltatrain.accel.tiles import tile_of

__all__ = ["back", "in_order", "logits"]


def in_order(fired: Fired, lanes: int, tiles: int) -> Fired:
    """Return a list, without a bias, in the order in which the tiles' entries come."""
    if tiles == 1:
        return fired
    order = np.argsort(tile_of(fired.columns, lanes, tiles), kind="stable")
    return Fired(fired.columns[order], fired.delta[order])


def back(W_fired: Integers, g: Integers, blocks: int, engine: Engine | MachineNumbers, tiles: int) -> Integers:
    """Return s of the fired columns, in ``formats.gradient``, shape (n,).

    Parameters
    ----------
    W_fired, g
        As of `accel.modes.matvec_t.result`.
    blocks
        Equal blocks of rows (gates); each tile has the rows of its own neurons.
    engine
        Formats and lanes.
    tiles
        How many there are.
    """
    formats, lanes, columns = engine.formats, engine.lanes, W_fired.shape[1]
    if tiles == 1 or not columns:
        return matvec_t.result(W_fired, g, lanes, formats)
    own_g = shares.of_rows(g[:, None], blocks, lanes, tiles)[:, None]
    own_W = shares.of_rows(W_fired, blocks, lanes, tiles).reshape(tiles, columns, -1, lanes)
    words = (own_W * own_g).sum(axis=-1).transpose(0, 2, 1)
    start = np.zeros(columns, dtype=np.int64)
    partial = np.stack([accumulate(start, of_tile, formats.backward_sum) for of_tile in words])
    return reduce.result(partial, formats.backward_sum, formats.gradient)


def logits(W: Integers, value: Integers, engine: Engine | MachineNumbers, tiles: int) -> Integers:
    """Return the logits of one step, in ``formats.memory``, shape (classes,).

    Parameters
    ----------
    W
        The read-out, whose last column is the bias, that of the first tile; shape (classes, H + 1).
    value
        h and the 1.0 of the bias, shape (H + 1,).
    engine, tiles
        As in `back`; each tile has the columns of its own neurons.
    """
    formats, start = engine.formats, np.zeros(len(W), dtype=np.int64)
    if tiles == 1:
        return matvec.result(start, W, value, formats)
    owner = np.append(tile_of(np.arange(len(value) - 1), engine.lanes, tiles), 0)
    own = [np.flatnonzero(owner == tile) for tile in range(tiles)]
    partial = np.stack([matvec.result(start, W[:, columns], value[columns], formats) for columns in own])
    return reduce.result(partial, formats.memory, formats.memory)
