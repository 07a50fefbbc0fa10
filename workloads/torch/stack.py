"""Running the layers of an nn.RNN, nn.GRU or nn.LSTM as delta layers: the same weights in, the same kinds of output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.layer import LayerTape
from deltatrain.workloads.arrays.packing import Packing
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.torch.layer import DeltaLayer, DeltaStep

CELL_OF_MODE = {"RNN_TANH": "delta_rnn", "GRU": "delta_gru", "LSTM": "delta_lstm"}
"""The cell by the ``mode`` of a recurrent module."""

Thresholds = Sequence[tuple[float, float]]


class Rows(NamedTuple):
    """A batch as packed rows, (N, I), which is how a `PackedSequence` lies, too."""

    values: Tensor
    packing: Packing


def refuse_module(module: nn.RNNBase, name: str) -> None:
    """Raise a `ConfigError` that names what of a recurrent module the cells here do not compute."""
    if module.mode not in CELL_OF_MODE:
        raise ConfigError(f"{name} has the nonlinearity relu: only tanh is computed here")
    if module.bidirectional:
        raise ConfigError(f"{name} is bidirectional: only forward in time is computed here")
    if module.proj_size:
        raise ConfigError(f"{name} has projections (proj_size={module.proj_size}): they are not computed here")


def refuse_state(hx: Any, name: str) -> None:
    """Raise a `ConfigError` if a module is given another state to begin with than zero."""
    tensors = hx if isinstance(hx, tuple | list) else (hx,)
    if any(tensor is not None and bool((tensor != 0).any()) for tensor in tensors):
        raise ConfigError(f"{name} begins with a state of its own: here h and c begin with zero")


def layer_tensors(module: nn.RNNBase, layer: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return weight_ih, weight_hh, bias_ih, bias_hh of a layer; zeros where the module has no biases."""
    W_ih, W_hh = (getattr(module, f"weight_{kind}_l{layer}") for kind in ("ih", "hh"))
    if module.bias:
        return W_ih, W_hh, getattr(module, f"bias_ih_l{layer}"), getattr(module, f"bias_hh_l{layer}")
    none = torch.zeros(len(W_ih), dtype=W_ih.dtype, device=W_ih.device)
    return W_ih, W_hh, none, none


def rows_of(given: Tensor | PackedSequence, batch_first: bool) -> Rows:
    """Return what goes into or comes out of a module, a tensor or a packed sequence, as packed rows."""
    if isinstance(given, PackedSequence):
        samples = int(given.batch_sizes[0])
        order = np.arange(samples) if given.sorted_indices is None else given.sorted_indices.cpu().numpy()
        active = given.batch_sizes.numpy()
        lengths = (active[:, None] > np.arange(samples)).sum(axis=0)
        return Rows(given.data, _packing(order, lengths, active))
    batched = given if given.dim() == 3 else given.unsqueeze(1)
    if given.dim() == 3 and batch_first:
        batched = given.transpose(0, 1)
    steps, samples, _ = batched.shape
    packing = _packing(np.arange(samples), np.full(samples, steps), np.full(steps, samples))
    return Rows(batched.reshape(steps * samples, -1), packing)


def _refuse_shape(module: nn.RNNBase, given: Tensor | PackedSequence) -> None:
    values = given.data if isinstance(given, PackedSequence) else given
    accepted = (2,) if isinstance(given, PackedSequence) else (2, 3)
    if values.dim() not in accepted or values.shape[-1] != module.input_size or 0 in values.shape:
        raise ConfigError(
            f"a recurrent module of {module.input_size} inputs takes (steps, samples, {module.input_size}), "
            f"not {tuple(values.shape)}"
        )


def run(
    module: nn.RNNBase, given: Tensor | PackedSequence, hx: Any, thresholds: Thresholds, tapes: list[LayerTape]
) -> tuple[Tensor | PackedSequence, Any]:
    """Return what the module's delta network gives, in the form in which the module itself gives it.

    Parameters
    ----------
    module
        Whose weights are taken.
    given, hx
        What it is called with; a state other than zero is a `ConfigError`.
    thresholds
        (theta_x, theta_h) of each layer.
    tapes
        Each layer adds its tape.

    Returns
    -------
    tuple
        The top layer's h of all steps, and h_n, for an LSTM with c_n, to which no gradient comes back.
    """
    refuse_state(hx, type(module).__name__)
    _refuse_shape(module, given)
    below, packing = rows_of(given, module.batch_first)
    cell = CELLS.load(CELL_OF_MODE[module.mode])
    last = torch.from_numpy(np.asarray(packing.start)[packing.lengths - 1] + np.arange(packing.samples))
    ends: list[tuple[Tensor, Tensor]] = []
    for layer, (theta_x, theta_h) in enumerate(thresholds):
        if layer and module.dropout:
            below = nn.functional.dropout(below, module.dropout, module.training)
        step = DeltaStep(cell, theta_x, theta_h, packing, tapes)
        below, c = DeltaLayer.apply(step, below, *layer_tensors(module, layer))
        ends.append((below[last], c[last]))
    h_n, c_n = (torch.stack(one) for one in zip(*ends, strict=True))
    output, final = _like_given(module, given, below, packing, (h_n, c_n))
    return output, final if module.mode == "LSTM" else final[0]


def _like_given(
    module: nn.RNNBase,
    given: Tensor | PackedSequence,
    rows: Tensor,
    packing: Packing,
    final: tuple[Tensor, Tensor],
) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
    if isinstance(given, PackedSequence):
        packed = PackedSequence(rows, given.batch_sizes, given.sorted_indices, given.unsorted_indices)
        if given.unsorted_indices is None:
            return packed, final
        return packed, (final[0][:, given.unsorted_indices], final[1][:, given.unsorted_indices])
    padded = rows.reshape(len(packing.active), packing.samples, -1)
    if given.dim() == 2:
        return padded[:, 0], (final[0][:, 0], final[1][:, 0])
    return padded.transpose(0, 1) if module.batch_first else padded, final


def _packing(order: Any, lengths: Any, active: Any) -> Packing:
    start = np.concatenate([[0], np.cumsum(active)[:-1]])
    return Packing(order, lengths.astype(np.int64), tuple(map(int, active)), tuple(map(int, start)))
