"""A network by the names and shapes of PyTorch's state_dict, which several kinds of file hold.

Names are ``PREFIX.weight_ih_l0``, ``weight_hh``, ``bias_ih``, ``bias_hh``; the read-out is a Linear, ``PREFIX.weight``
and ``PREFIX.bias``. A state_dict does not say in which order modules are called, nor what the read-out reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.interchange.choice import Choice
from deltatrain.workloads.interchange.plausible import check_plausible
from deltatrain.workloads.interchange.stored_network import StoredNetwork
from deltatrain.workloads.interchange.torch_layers import CELL_OF_BLOCKS, biases_of, layer_of

Tensors = Mapping[str, NDArray[Any]]

_WRAPPERS = re.compile(r"^(module\.|_orig_mod\.)+")
_RECURRENT = re.compile(r"^(?:(.*)\.)?(weight_ih|weight_hh|bias_ih|bias_hh)(?:_l(\d+))?$")
_REFUSED = {
    r"_reverse$": "is of a bidirectional layer: only forward in time is computed here",
    r"weight_hr": "is a projection (proj_size): projections are not computed here",
    r"parametrizations\.|weight_g$|weight_v$": "is of a normalised weight: remove weight_norm before saving",
    r"_all_weight_values|_packed_params": "is of a quantised layer: save the network before it is quantised",
}
NOT_SAID = "a state_dict does not say: nonlinearity (tanh is taken), states to begin with (zero), what the head reads"


class _Found(NamedTuple):
    """A layer, and the cell that its shapes tell."""

    cell: str
    layer: Layer
    inputs: int
    width: int


def network_of(tensors: Tensors, choice: Choice, source: str) -> StoredNetwork:
    """Return the network in the tensors of a state_dict.

    Raises
    ------
    ConfigError
        In one line that names the tensor, what was found and what is accepted.
    """
    named = {_WRAPPERS.sub("", name): array for name, array in tensors.items()}
    for name in named:
        for pattern, why in _REFUSED.items():
            if re.search(pattern, name):
                raise ConfigError(f"{name} {why}")
    groups = _groups(named)
    chosen = _chosen(groups, choice)
    layers = [layer for prefix in chosen for layer in _layers(named, prefix, groups[prefix])]
    for number, (below, above) in enumerate(pairwise(layers), 1):
        if above.inputs != below.width:
            raise ConfigError(f"layer {number} takes {above.inputs} inputs, but the layer below gives {below.width}")
    cells = sorted({layer.cell for layer in layers})
    if len(cells) > 1:
        raise ConfigError(f"all recurrent layers must be of one kind, not {' and '.join(cells)}")
    head = _head(named, groups, layers[-1].width, choice)
    taken = {name for prefix in chosen for name in named if _prefix_of(name) == prefix}
    left = sorted(named.keys() - taken - ({f"{head}.weight", f"{head}.bias"} if head is not None else set()))
    notes = [NOT_SAID, *(f"not taken: {name}, shape {named[name].shape}" for name in left)]
    W, b = (None, None) if head is None else _linear(named, head)
    return StoredNetwork(cells[0], tuple(one.layer for one in layers), W, b, source, tuple(notes))


def tensors_of(network: StoredNetwork) -> dict[str, Array]:
    """Return the network as a state_dict: ``rnn`` and ``head``, or ``rnn0``, ``rnn1``... where widths differ."""
    cell, tensors = network.sizes.cell, dict[str, Array]()
    if network.cell not in CELL_OF_BLOCKS.values():
        raise ConfigError(f"PyTorch has no layer for the cell {network.cell!r}")
    one = len(set(network.sizes.hidden)) == 1
    for number, layer in enumerate(network.layers):
        prefix, suffix = ("rnn", f"l{number}") if one else (f"rnn{number}", "l0")
        b_ih, b_hh = biases_of(cell, layer.bias)
        arrays = {"weight_ih": layer.W_x, "weight_hh": layer.W_h, "bias_ih": b_ih, "bias_hh": b_hh}
        tensors |= {f"{prefix}.{name}_{suffix}": array for name, array in arrays.items()}
    if network.W_out is not None and network.bias_out is not None:
        tensors |= {"head.weight": network.W_out, "head.bias": network.bias_out}
    return tensors


def _prefix_of(name: str) -> str | None:
    """Return the module that a recurrent tensor belongs to, None for a tensor of another kind."""
    found = _RECURRENT.match(name)
    return None if found is None else found.group(1) or ""


def _groups(named: Tensors) -> dict[str, int]:
    """Return how many layers each recurrent module has, by its name."""
    groups: dict[str, int] = {}
    for name in named:
        if found := _RECURRENT.match(name):
            prefix = found.group(1) or ""
            groups[prefix] = max(groups.get(prefix, 0), int(found.group(3) or 0) + 1)
    if not groups:
        raise ConfigError(f"no recurrent layer is in it (weight_ih_l0, ...): it has {_listed(named)}")
    return groups


def _chosen(groups: Mapping[str, int], choice: Choice) -> tuple[str, ...]:
    if not choice.layers and len(groups) > 1:
        names = ",".join(sorted(groups))
        raise ConfigError(f"it has several recurrent modules: say which, in order, as in --layers {names}")
    for name in choice.layers:
        if name not in groups:
            raise ConfigError(f"it has no recurrent module {name!r}: it has {_listed(groups)}")
    return choice.layers or tuple(groups)


def _layers(named: Tensors, prefix: str, number: int) -> list[_Found]:
    return [_layer(named, prefix, layer) for layer in range(number)]


def _layer(named: Tensors, prefix: str, number: int) -> _Found:
    start = f"{prefix}." if prefix else ""
    suffix = f"_l{number}" if f"{start}weight_ih_l{number}" in named else ""
    names = {kind: f"{start}{kind}{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    for kind in ("weight_ih", "weight_hh"):
        if names[kind] not in named:
            raise ConfigError(f"{start}{kind}_l{number} is missing")
    W_ih, W_hh = (matrix(named, names[kind]) for kind in ("weight_ih", "weight_hh"))
    rows, width = W_hh.shape
    if width == 0 or rows % width or rows // width not in CELL_OF_BLOCKS or len(W_ih) != rows:
        raise ConfigError(
            f"{names['weight_hh']} of shape {W_hh.shape} and {names['weight_ih']} of {W_ih.shape} are of no RNN "
            "(H rows), GRU (3H) or LSTM (4H)"
        )
    cell = CELL_OF_BLOCKS[rows // width]
    biases = [names[kind] for kind in ("bias_ih", "bias_hh") if names[kind] in named]
    if len(biases) == 1:
        raise ConfigError(f"{biases[0]} is there without its counterpart: a layer has both biases or none")
    b_ih, b_hh = (_vector(named, name, rows) for name in biases) if biases else (np.zeros(rows, W_ih.dtype),) * 2
    return _Found(cell, layer_of(CELLS.load(cell), W_ih, W_hh, b_ih, b_hh), int(W_ih.shape[1]), width)


def _head(named: Tensors, groups: Mapping[str, int], width: int, choice: Choice) -> str | None:
    """Return the name of the read-out, None if there is none."""
    could = [
        name.removesuffix(".weight")
        for name, array in named.items()
        if name.endswith(".weight") and array.ndim == 2 and array.shape[1] == width and _prefix_of(name) is None
    ]
    if choice.head is not None:
        if choice.head not in could:
            raise ConfigError(f"{choice.head!r} is no read-out of {width} inputs: {_listed(could) or 'none'} could be")
        return choice.head
    if len(could) > 1:
        raise ConfigError(f"several could be the read-out ({_listed(could)}): say which, as in --head {could[0]}")
    return could[0] if could else None


def _linear(named: Tensors, head: str) -> tuple[Array, Array]:
    W = matrix(named, f"{head}.weight")
    if f"{head}.bias" not in named:
        return W, np.zeros(len(W), W.dtype)
    return W, _vector(named, f"{head}.bias", len(W))


def matrix(named: Tensors, name: str) -> Array:
    """Return a matrix in float32 or float64; anything else is a `ConfigError`."""
    if named[name].ndim != 2:
        raise ConfigError(f"{name} must be a matrix, not of shape {named[name].shape}")
    return floats(name, named[name])


def _vector(named: Tensors, name: str, length: int) -> Array:
    if named[name].shape != (length,):
        raise ConfigError(f"{name} must be of shape ({length},), not {named[name].shape}")
    return floats(name, named[name])


def floats(name: str, array: NDArray[Any]) -> Array:
    """Return numbers in float32, or in float64 if they are; what can be no weights is a `ConfigError`."""
    if array.dtype.kind != "f":
        raise ConfigError(f"{name} must hold floating-point numbers, not {array.dtype}: is the network quantised?")
    found = np.ascontiguousarray(array, np.float64 if array.dtype.itemsize > 4 else np.float32)
    check_plausible(name, found)
    return found


def _listed(names: Any) -> str:
    found = sorted(map(str, names))
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return ", ".join(found[:8]) + more
