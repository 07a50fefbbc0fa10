"""A layer as PyTorch keeps it: two biases, and row blocks in the order that our cells have, too.

Row blocks of ``weight_ih`` and ``weight_hh`` are r, z, n of a GRU and i, f, g, o of an LSTM, as in our ``TARGETS_X``
and ``TARGETS_H``. ``bias_ih`` adds where ``weight_ih`` does and ``bias_hh`` where ``weight_hh`` does; of a GRU that is
not the same, since r gates what is recurrent of n, and so the two biases of n stay two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import Cell
from deltatrain.workloads.cells._weights import gather, spread

CELL_OF_BLOCKS = {1: "delta_rnn", 3: "delta_gru", 4: "delta_lstm"}
"""The cell by how many blocks of H rows its matrices have."""


def layer_of(cell: Cell, W_ih: Array, W_hh: Array, b_ih: Array, b_hh: Array) -> Layer:
    """Return a layer, shapes (G*H, I), (G*H, H), (G*H,), (G*H,) as PyTorch's, with the two biases joined."""
    return Layer(W_ih, W_hh, _spread(b_ih, cell.TARGETS_X, cell) + _spread(b_hh, cell.TARGETS_H, cell))


def biases_of(cell: Cell, bias: Array) -> tuple[Array, Array]:
    """Return ``bias_ih`` and ``bias_hh``, (G*H,) each, whose layer has `bias`, (A*H,): all that can be in the first."""
    first = _gather(bias, cell.TARGETS_X, cell)
    rest = bias - _spread(first, cell.TARGETS_X, cell)
    return first, _gather(rest, cell.TARGETS_H, cell)


def bias_gradients(cell: Cell, g_bias: Array) -> tuple[Array, Array]:
    """Return the gradients of ``bias_ih`` and ``bias_hh``, (G*H,) each, from that of the layer's bias, (A*H,)."""
    return _gather(g_bias, cell.TARGETS_X, cell), _gather(g_bias, cell.TARGETS_H, cell)


def second_alone(cell: Cell, width: int) -> NDArray[np.bool_]:
    """Return which elements of ``bias_hh``, (G*H,), add where none of ``bias_ih`` does."""
    return np.repeat([target not in cell.TARGETS_X for target in cell.TARGETS_H], width)


def _spread(bias: Array, targets: tuple[str, ...], cell: Cell) -> Array:
    wide: Array = spread(bias[:, None], targets, cell.ACCUMULATORS)[:, 0]
    return wide


def _gather(bias: Array, targets: tuple[str, ...], cell: Cell) -> Array:
    chosen: Array = gather(bias[:, None], targets, cell.ACCUMULATORS)[:, 0]
    return chosen
