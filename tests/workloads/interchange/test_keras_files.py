"""Keras's ``.keras`` files: against Keras's equations, stated here, and Keras itself; what is refused, by name."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("h5py", reason="the files are HDF5: pip install '.[exchange]'")

import h5py

import deltatrain as dt
from deltatrain.workloads.network.network import Network, Parameters, forward

INPUTS, WIDTH, CLASSES, STEPS, SAMPLES = 5, 6, 3, 9, 4
GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}
FOLDERS = {"SimpleRNN": "simple_rnn", "GRU": "gru", "LSTM": "lstm", "Dense": "dense"}
CELLS = {"SimpleRNN": "delta_rnn", "GRU": "delta_gru", "LSTM": "delta_lstm"}
Arrays = list[np.ndarray]


def _x() -> np.ndarray:
    return np.random.default_rng(2).standard_normal((SAMPLES, STEPS, INPUTS)).astype(np.float32)


def _drawn(kind: str, inputs: int, seed: int) -> Arrays:
    rng, columns = np.random.default_rng(seed), GATES[kind] * WIDTH
    bias = (2, columns) if kind == "GRU" else (columns,)
    shapes = ((inputs, columns), (WIDTH, columns), bias)
    return [rng.uniform(-1, 1, shape).astype(np.float32) for shape in shapes]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _stated(kind: str, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    """Keras's layer with its usual options, (samples, steps, features), from its documentation."""
    kernel, recurrent, bias = (array.astype(np.float64) for array in arrays)
    h = c = np.zeros((len(x), WIDTH))
    every = []
    for step in np.swapaxes(x, 0, 1):
        if kind == "GRU":
            (xz, xr, xh), (hz, hr, hh) = (
                np.split(v, 3, axis=1) for v in (step @ kernel + bias[0], h @ recurrent + bias[1])
            )
            z, r = _sigmoid(xz + hz), _sigmoid(xr + hr)
            h = z * h + (1 - z) * np.tanh(xh + r * hh)
        elif kind == "LSTM":
            i, f, g, o = np.split(step @ kernel + h @ recurrent + bias, 4, axis=1)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
        else:
            h = np.tanh(step @ kernel + h @ recurrent + bias)
        every.append(h)
    return np.stack(every, axis=1)


def _options(kind: str, name: str, **changes: Any) -> dict[str, Any]:
    options = {"name": name, "return_sequences": True, "go_backwards": False, "stateful": False, "use_bias": True}
    options |= {"activation": "tanh"} | ({} if kind == "SimpleRNN" else {"recurrent_activation": "sigmoid"})
    options |= {"reset_after": True} if kind == "GRU" else {}
    return {"class_name": kind, "config": options | changes}


def _file(path: Path, layers: list[dict[str, Any]], numbers: dict[str, Arrays], kind: str = "Sequential") -> Path:
    """Write a file as Keras 3 does."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for folder, arrays in numbers.items():
            for place, array in enumerate(arrays):
                file[f"layers/{folder}/{place}"] = array
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps({"class_name": kind, "config": {"layers": layers}}))
        archive.writestr("model.weights.h5", content.getvalue())
    return path


def _model(
    kind: str, path: Path, change: Callable[[list[dict[str, Any]], dict[str, Arrays]], None] | None = None
) -> Path:
    """Two layers of a kind and a read-out, as a file; `change` may change its parts first."""
    rng, folder = np.random.default_rng(7), FOLDERS[kind]
    numbers = {f"{folder}/cell/vars": _drawn(kind, INPUTS, 1), f"{folder}_1/cell/vars": _drawn(kind, WIDTH, 2)}
    numbers["dense/vars"] = [rng.uniform(-1, 1, (WIDTH, CLASSES)).astype(np.float32), np.arange(3, dtype=np.float32)]
    layers = [
        {"class_name": "InputLayer", "config": {"name": "input"}},
        {"class_name": "Masking", "config": {"name": "mask"}},
        _options(kind, "low"),
        {"class_name": "Dropout", "config": {"name": "drop"}},
        _options(kind, "high", return_sequences=False),
        {"class_name": "Dense", "config": {"name": "head", "activation": "softmax", "use_bias": True}},
    ]
    if change:
        change(layers, numbers)
    return _file(path, layers, numbers)


def _logits(network: Any, x: np.ndarray) -> np.ndarray:
    own = Network(network.sizes, ((0.0, 0.0),) * len(network.layers), "last", 0.0)
    parameters = Parameters(network.layers, network.W_out, network.bias_out)
    return forward(own, parameters, np.swapaxes(x, 0, 1), np.full(len(x), x.shape[1])).logits


@pytest.mark.parametrize("kind", GATES)
def test_at_theta_zero_our_outputs_are_those_of_keras_equations(kind: str, tmp_path: Path) -> None:
    network = dt.import_network(_model(kind, tmp_path / "model.keras"))
    assert (network.cell, network.sizes.hidden, network.sizes.classes) == (CELLS[kind], (WIDTH, WIDTH), CLASSES)
    assert network.notes == ("its read-out reads the last step: say so by the workload's `readout`",)
    top = _stated(kind, _drawn(kind, WIDTH, 2), _stated(kind, _drawn(kind, INPUTS, 1), _x()))[:, -1]
    W = np.random.default_rng(7).uniform(-1, 1, (WIDTH, CLASSES)).astype(np.float32)
    np.testing.assert_allclose(_logits(network, _x()), top @ W + np.arange(3), rtol=0, atol=2e-6)


@pytest.mark.filterwarnings("ignore")  # Keras's own
@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("kind", GATES)
def test_what_keras_saves_we_run_as_keras_does(
    kind: str, functional: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="Keras runs on it: pip install '.[torch]'")
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="it is the second way, where it is installed")
    keras.utils.set_random_seed(3)
    cell = getattr(keras.layers, kind)
    stack = [cell(WIDTH, return_sequences=True, name="x"), cell(WIDTH), keras.layers.Dense(CLASSES)]
    if functional:
        given = value = keras.Input((None, INPUTS))
        for layer in stack:
            value = layer(value)
        model = keras.Model(given, value)
    else:
        model = keras.Sequential([keras.Input((None, INPUTS)), *stack])
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(-0.5, 0.5, weight.shape) for weight in model.weights])
    model.save(tmp_path / "model.keras")
    network = dt.import_network(tmp_path / "model.keras")
    expected = np.asarray(model(_x()).detach().cpu())
    np.testing.assert_allclose(_logits(network, _x()), expected, rtol=0, atol=2e-6)


def _set(place: int, **changes: Any) -> Callable[[Any, Any], None]:
    return lambda layers, numbers: layers[place]["config"].update(changes)


def _put(place: int, layer: dict[str, Any]) -> Callable[[Any, Any], None]:
    return lambda layers, numbers: layers.insert(place, layer)


EMBEDDING = {"class_name": "Embedding", "config": {"name": "words"}}
BOTH = {"class_name": "Bidirectional", "config": {"name": "both"}}
HIDDEN = {"class_name": "Dense", "config": {"name": "more", "activation": "relu", "use_bias": True}}
REFUSED: dict[str, tuple[Callable[[Any, Any], None], str]] = {
    "reset before": (_set(2, reset_after=False), r"the layer 'low' \(GRU\) has reset_after=False: here it is True"),
    "relu": (_set(2, activation="relu"), r"the layer 'low' \(GRU\) has activation='relu': here it is 'tanh'"),
    "hard gates": (_set(4, recurrent_activation="hard_sigmoid"), "'high' .* has recurrent_activation='hard_sigmoid'"),
    "backwards": (_set(4, go_backwards=True), "'high' .* has go_backwards=True"),
    "a state that stays": (_set(2, stateful=True), "'low' .* has stateful=True"),
    "an embedding": (_put(1, EMBEDDING), r"the layer 'words' \(Embedding\) is not computed here"),
    "both ways": (_put(3, BOTH), r"the layer 'both' \(Bidirectional\) is not computed here"),
    "a hidden layer": (_put(5, HIDDEN), r"the layer 'more' \(Dense\) is not computed here, where it stands"),
    "two kinds": (
        _put(3, _options("LSTM", "other")),
        "layers/lstm/cell/vars/0, numbers of the layer 'other', is missing",
    ),
    "no numbers": (
        lambda layers, numbers: numbers.pop("dense/vars"),
        "layers/dense/vars/0, numbers of the layer 'head'",
    ),
    "wrong numbers": (
        lambda layers, numbers: numbers.update({"gru_1/cell/vars": _drawn("GRU", 7, 2)}),
        r"W_x of layer 1 must be of shape \(18, 6\), not \(18, 7\)",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_one_line_that_names_file_and_layer(what: str, tmp_path: Path) -> None:
    change, said = REFUSED[what]
    path = _model("GRU", tmp_path / "model.keras", change)
    with pytest.raises(dt.ConfigError, match=said) as caught:
        dt.import_network(path, tmp_path / "net.npz")
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert not (tmp_path / "net.npz").exists()


def test_files_that_are_none_are_one_line(tmp_path: Path) -> None:
    path = _model("LSTM", tmp_path / "model.keras")
    content = path.read_bytes()
    for wrong in (b"hello", content[: len(content) // 2], content[:-1]):
        path.write_bytes(wrong)
        with pytest.raises(dt.ConfigError, match=r"is no \.keras file of Keras 3, or it is damaged"):
            dt.import_network(path)
    with pytest.raises(dt.ConfigError, match="it is a Speaker: only Sequential and Functional models say"):
        dt.import_network(_file(path, [], {}, "Speaker"))
