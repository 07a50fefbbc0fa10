"""Keras's ``.keras``: a zip of ``config.json`` and of HDF5, in which layers are found by their kind and not their name.

A layer's matrices are transposed against ours. Column blocks are i, f, g, o of an LSTM and z, r, n of a GRU, whose bias
has two rows if r acts after the matrix product (``reset_after``), as it does here.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from deltatrain.accel.documents import json_value
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.extras import require
from deltatrain.accel.files import read_bytes
from deltatrain.accel.host_memory import check_room
from deltatrain.workloads.arrays.hdf5 import check_hdf5
from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.interchange.choice import Choice
from deltatrain.workloads.interchange.stored_network import StoredNetwork
from deltatrain.workloads.interchange.torch_layers import layer_of
from deltatrain.workloads.interchange.torch_names import floats

SUFFIXES = (".keras",)
WRITES = False

_CELLS = {"SimpleRNN": "delta_rnn", "GRU": "delta_gru", "LSTM": "delta_lstm"}
_TO_OURS = {"SimpleRNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 1, 2, 3)}
_IDLE = {"InputLayer", "Masking", "Dropout", "Activation"}  # what changes nothing once the network is trained
_AFTER = ("linear", "softmax")  # activations of the read-out, which decide nothing else
_PARTS = ("config.json", "model.weights.h5")


class _KerasLayer(NamedTuple):
    """A layer: its class, its name, its options, and the folder of its numbers in the HDF5."""

    kind: str
    name: str
    options: Mapping[str, Any]
    folder: str


def read(path: Path, choice: Choice) -> StoredNetwork:
    """Return the network in the file; a layer that is not computed here is a `ConfigError` that names it."""
    require("h5py", "reading Keras's files")
    import h5py

    content = read_bytes(path)

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_room(sum(entry.file_size for entry in archive.infolist()), f"network {path}")
            described, numbers = (archive.read(name) for name in _PARTS)
        layers = _layers(json_value(described))
        check_hdf5(numbers, f"{path}: {_PARTS[1]}")
        with h5py.File(io.BytesIO(numbers)) as file:
            return _network(layers, file, path.name)
    except (ConfigError, MemoryError):
        raise
    except Exception:  # what zipfile, zlib and h5py raise for a damaged file is listed nowhere
        raise ConfigError(f"{path} is no .keras file of Keras 3, or it is damaged") from None


def write(network: StoredNetwork, path: Path) -> NoReturn:
    """Refuse: Keras's files are read alone."""
    raise ConfigError("networks are not written as .keras: write .onnx or .safetensors")


def _layers(model: Any) -> list[_KerasLayer]:
    """Return the layers of a model in order, once they are known to follow one another."""
    if model["class_name"] not in ("Sequential", "Functional"):
        raise ConfigError(f"it is a {model['class_name']}: only Sequential and Functional models say what they compute")
    seen: Counter[str] = Counter()
    found: list[_KerasLayer] = []
    for about in model["config"]["layers"]:
        kind, options = about["class_name"], about["config"]
        name = str(options["name"])
        if found and model["class_name"] == "Functional":
            sources = {
                tensor["config"]["keras_history"][0] for node in about["inbound_nodes"] for tensor in node["args"]
            }
            if sources != {found[-1].name} or len(about["inbound_nodes"]) != 1:
                raise ConfigError(
                    f"the layer {name!r} does not take what {found[-1].name!r} gives: only a stack is read"
                )
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", re.sub(r"^SimpleRNN$", "Simple_RNN", kind)).lower()
        folder = f"layers/{snake}" + (f"_{seen[snake]}" if seen[snake] else "")
        seen[snake] += 1
        found.append(_KerasLayer(kind, name, options, folder))
    return found


def _network(layers: list[_KerasLayer], file: Any, source: str) -> StoredNetwork:
    recurrent: list[Layer] = []
    kinds: list[str] = []
    W: Array | None = None
    b: Array | None = None
    for layer in layers:
        if layer.kind in _CELLS and W is None:
            recurrent.append(_recurrent(layer, file))
            kinds.append(layer.kind)
        elif layer.kind == "Dense" and W is None and recurrent and layer.options["activation"] in _AFTER:
            W, b = _dense(layer, file)
        elif layer.kind not in _IDLE or layer.options.get("activation", "softmax") not in _AFTER:
            raise ConfigError(f"the layer {layer.name!r} ({layer.kind}) is not computed here, where it stands")
    if len(set(kinds)) != 1:
        raise ConfigError(
            f"it must have recurrent layers of one kind, not {' and '.join(sorted(set(kinds))) or 'none'}"
        )
    every = next(layer.options["return_sequences"] for layer in reversed(layers) if layer.kind in _CELLS)
    notes = (f"its read-out reads {'every step' if every else 'the last step'}: say so by the workload's `readout`",)
    return StoredNetwork(_CELLS[kinds[0]], tuple(recurrent), W, b, source, notes)


def _recurrent(layer: _KerasLayer, file: Any) -> Layer:
    """Return a recurrent layer's weights in our order of blocks."""
    _refuse_options(layer)
    order = _TO_OURS[layer.kind]
    kernel, recurrent = (_numbers(layer, file, f"cell/vars/{place}") for place in (0, 1))
    columns = len(order) * recurrent.shape[0]
    bias = _numbers(layer, file, "cell/vars/2") if layer.options["use_bias"] else np.zeros(columns, kernel.dtype)
    one = np.zeros(columns, kernel.dtype)
    b_ih, b_hh = bias if bias.ndim == 2 else (bias, one)
    parts = [_columns(matrix, order) for matrix in (kernel, recurrent, b_ih[None], b_hh[None])]
    W_ih, W_hh, first, second = (np.ascontiguousarray(part.T) for part in parts)
    return layer_of(CELLS.load(_CELLS[layer.kind]), W_ih, W_hh, first[:, 0], second[:, 0])


def _refuse_options(layer: _KerasLayer) -> None:
    wanted = {"activation": "tanh", "go_backwards": False, "stateful": False}
    if layer.kind != "SimpleRNN":
        wanted["recurrent_activation"] = "sigmoid"
    if layer.kind == "GRU":
        wanted["reset_after"] = True
    for name, value in wanted.items():
        if layer.options.get(name, value) != value:
            found = layer.options[name]
            raise ConfigError(f"the layer {layer.name!r} ({layer.kind}) has {name}={found!r}: here it is {value!r}")


def _dense(layer: _KerasLayer, file: Any) -> tuple[Array, Array]:
    kernel = _numbers(layer, file, "vars/0")
    bias = _numbers(layer, file, "vars/1") if layer.options["use_bias"] else np.zeros(kernel.shape[1], kernel.dtype)
    return np.ascontiguousarray(kernel.T), bias


def _columns(matrix: Array, order: tuple[int, ...]) -> Array:
    """Return `matrix`, shape (rows, G*H), with its column blocks as `order` says."""
    blocks = matrix.reshape(len(matrix), len(order), -1)
    return blocks[:, list(order)].reshape(matrix.shape)


def _numbers(layer: _KerasLayer, file: Any, place: str) -> Array:
    name = f"{layer.folder}/{place}"
    if name not in file:
        raise ConfigError(f"{name}, numbers of the layer {layer.name!r}, is missing")
    return floats(name, np.asarray(file[name]))
