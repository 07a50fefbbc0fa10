"""Networks of PyTorch by safetensors and state_dict files: bit for bit in and out, equal outputs, nothing run."""

from __future__ import annotations

import json
import os
import pickletools
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the files are PyTorch's: pip install '.[torch]'")
pytest.importorskip("safetensors", reason="it writes files a second way: pip install '.[test]'")

import torch
from safetensors.torch import load_file, save_file
from torch import nn

import deltatrain as dt
from deltatrain.workloads.arrays.packing import unpack
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.interchange.choice import Choice
from deltatrain.workloads.interchange.formats import read_network
from deltatrain.workloads.interchange.stored_network import StoredNetwork
from deltatrain.workloads.network.network import (
    Network,
    Parameters,
    forward,
    initial_parameters,
    outputs,
)
from deltatrain.workloads.training.drawing import INITIAL, generator
from deltatrain.workloads.training.training import sizes_of, train
from deltatrain.workloads.workload import Workload

INPUTS, WIDTH, CLASSES = 5, 6, 3
KINDS = {"delta_rnn": nn.RNN, "delta_gru": nn.GRU, "delta_lstm": nn.LSTM}
GATES = {"delta_rnn": 1, "delta_gru": 3, "delta_lstm": 4}


class Model(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], layers: int = 2, **options: Any) -> None:
        super().__init__()
        self.rnn, self.head = kind(INPUTS, WIDTH, layers, **options), nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Any) -> Any:
        return self.head(self.rnn(x)[0][-1])


def _model(cell: str, **options: Any) -> Model:
    torch.manual_seed(4)
    return Model(KINDS[cell], **options)


def _saved(state: dict[str, Any], path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file({name: one.contiguous() for name, one in state.items()}, path)
    elif path.suffix == ".npz":
        np.savez(path, **{name: one.numpy() for name, one in state.items()})
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".npz"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cell", KINDS)
def test_weights_come_in_and_go_back_bit_for_bit(cell: str, dtype: torch.dtype, suffix: str, tmp_path: Path) -> None:
    model = _model(cell).to(dtype)
    before = model.state_dict()
    network = dt.import_network(_saved(before, tmp_path / f"in{suffix}"), tmp_path / "net.npz")
    assert (network.cell, network.sizes.hidden, network.sizes.classes) == (cell, (WIDTH, WIDTH), CLASSES)
    dt.export_network(tmp_path / "net.npz", tmp_path / "out.safetensors")
    after = load_file(tmp_path / "out.safetensors")
    assert after.keys() == before.keys()
    for name in before:
        assert after[name].dtype == dtype and after[name].shape == before[name].shape
        if "bias_" not in name:
            assert torch.equal(after[name], before[name]), name
    for layer in range(2):
        both = [state[f"rnn.bias_ih_l{layer}"] + state[f"rnn.bias_hh_l{layer}"] for state in (before, after)]
        apart = slice(2 * WIDTH, None) if cell == "delta_gru" else slice(0, 0)  # the candidate's two biases
        joined = slice(0, 2 * WIDTH) if cell == "delta_gru" else slice(None)
        assert torch.equal(both[0][joined], both[1][joined])
        for name in (f"rnn.bias_ih_l{layer}", f"rnn.bias_hh_l{layer}"):
            assert torch.equal(after[name][apart], before[name][apart])
    again = _model(cell).to(dtype)
    again.load_state_dict(after)
    x = torch.randn(7, 2, INPUTS, dtype=dtype)
    torch.testing.assert_close(again(x), model(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", KINDS)
def test_at_theta_zero_our_outputs_are_torchs(cell: str, bias: bool, tmp_path: Path) -> None:
    model = _model(cell, bias=bias)
    network = dt.import_network(_saved(model.state_dict(), tmp_path / "model.pt"))
    x = torch.randn(9, 4, INPUTS)
    own = Network(network.sizes, ((0.0, 0.0),) * 2, "last", 0.0)
    assert network.W_out is not None and network.bias_out is not None
    parameters = Parameters(network.layers, network.W_out, network.bias_out)
    ran = forward(own, parameters, x.numpy(), np.full(4, 9))
    every = unpack(outputs(own, ran.tapes[-1], ran.packing), ran.packing)
    np.testing.assert_allclose(every, model.rnn(x)[0].detach().numpy(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(ran.logits, model(x).detach().numpy(), rtol=0, atol=1e-6)


def test_a_state_dict_is_read_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _saved(_model("delta_lstm").state_dict(), tmp_path / "model.pt")
    expected = dt.import_network(path)
    for name in [name for name in sys.modules if name == "torch" or name.startswith("torch.")]:
        monkeypatch.setitem(sys.modules, name, None)
    found = dt.import_network(path)
    assert all(np.array_equal(a, b) for a, b in zip(found.arrays(), expected.arrays(), strict=True))


WRAPPED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a checkpoint": lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}},
    "another": lambda state: {"model_state_dict": state},
    "in parallel": lambda state: {f"module.{name}": one for name, one in state.items()},
    "compiled": lambda state: {f"_orig_mod.module.{name}": one for name, one in state.items()},
    "parameters": lambda state: {name: nn.Parameter(one) for name, one in state.items()},
    "views": lambda state: {name: one.t().clone().t() if one.dim() == 2 else one for name, one in state.items()},
}


@pytest.mark.parametrize("how", WRAPPED)
def test_wrapped_state_dicts_are_found(how: str, tmp_path: Path) -> None:
    state = _model("delta_gru").state_dict()
    torch.save(WRAPPED[how](state), tmp_path / "model.pt")
    plain = dt.import_network(_saved(state, tmp_path / "plain.safetensors"))
    found = dt.import_network(tmp_path / "model.pt")
    assert all(np.array_equal(a, b) for a, b in zip(found.arrays(), plain.arrays(), strict=True))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_floats_are_widened_exactly(dtype: torch.dtype, suffix: str, tmp_path: Path) -> None:
    model = _model("delta_rnn", layers=1).to(dtype)
    network = dt.import_network(_saved(model.state_dict(), tmp_path / f"short{suffix}"))
    assert network.dtype == np.float32
    np.testing.assert_array_equal(network.layers[0].W_h, model.rnn.weight_hh_l0.detach().float().numpy())


def test_modules_and_heads_are_chosen_by_name(tmp_path: Path) -> None:
    torch.manual_seed(1)
    low, high, one, other = nn.GRU(INPUTS, 8), nn.GRU(8, WIDTH), nn.Linear(WIDTH, 2), nn.Linear(WIDTH, 4, bias=False)
    parts = {"b.low": low, "a.high": high, "sex": one, "age": other, "norm": nn.LayerNorm(8)}
    state = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    path = _saved(state, tmp_path / "model.safetensors")
    with pytest.raises(dt.ConfigError, match=r"several recurrent modules: say .* --layers a.high,b.low"):
        dt.import_network(path)
    with pytest.raises(dt.ConfigError, match=r"several could be the read-out \(age, sex\): .* --head"):
        dt.import_network(path, layers=["b.low", "a.high"])
    found = dt.import_network(path, layers=["b.low", "a.high"], head="age")
    assert (found.sizes.hidden, found.sizes.classes) == ((8, WIDTH), 4)
    assert found.bias_out is not None and not found.bias_out.any()
    assert {"not taken: norm.bias, shape (8,)", "not taken: sex.weight, shape (2, 6)"} <= set(found.notes)
    dt.export_network(found, tmp_path / "again.safetensors")
    again = dt.import_network(tmp_path / "again.safetensors", layers=["rnn0", "rnn1"])
    assert all(np.array_equal(a, b) for a, b in zip(found.arrays(), again.arrays(), strict=True))


def test_a_cell_of_torch_is_a_layer(tmp_path: Path) -> None:
    cell = nn.LSTMCell(INPUTS, WIDTH)
    network = dt.import_network(_saved(cell.state_dict(), tmp_path / "cell.pt"))
    assert network.cell == "delta_lstm" and network.W_out is None
    np.testing.assert_array_equal(network.layers[0].bias, (cell.bias_ih + cell.bias_hh).detach().numpy())


class _Runs:
    def __reduce__(self) -> Any:
        return os.system, ("touch ran",)


def _changed(**changes: Any) -> dict[str, Any]:
    state = dict(_model("delta_gru", layers=1).state_dict())
    for name, one in changes.items():
        if one is None:
            del state[name.replace("__", ".")]
        else:
            state[name.replace("__", ".")] = one
    return state


def _with_second(W_ih: Any, W_hh: Any) -> dict[str, Any]:
    return _changed(rnn__weight_ih_l1=W_ih, rnn__weight_hh_l1=W_hh)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a function": (lambda: {"a": _Runs()}, r"it asks for (posix|nt).system, which is not run here: save the weights"),
    "a whole module": (lambda: nn.LSTM(2, 3), "it asks for torch.nn.modules.rnn.LSTM, which is not run here"),
    "a tensor": (lambda: torch.ones(3), "it holds a ndarray, no state_dict"),
    "no tensors": (lambda: {"lr": 0.1}, "it holds no tensors by name"),
    "nothing recurrent": (lambda: nn.Linear(2, 3).state_dict(), "no recurrent layer is in it.*it has bias, weight"),
    "both ways": (lambda: nn.GRU(2, 3, bidirectional=True).state_dict(), "weight_ih_l0_reverse is of a bidirectional"),
    "projections": (lambda: nn.LSTM(2, 4, proj_size=3).state_dict(), "weight_hr_l0 is a projection"),
    "normalised": (
        lambda: nn.utils.parametrizations.weight_norm(nn.GRU(2, 3), "weight_hh_l0").state_dict(),
        "parametrizations.weight_hh_l0.original0 is of a normalised weight",
    ),
    "one bias": (lambda: _changed(rnn__bias_hh_l0=None), "rnn.bias_ih_l0 is there without its counterpart"),
    "half a layer": (lambda: _changed(rnn__weight_hh_l0=None), "rnn.weight_hh_l0 is missing"),
    "no cell": (lambda: _changed(rnn__weight_hh_l0=torch.ones(18, 7)), r"rnn.weight_hh_l0 of shape \(18, 7\)"),
    "five gates": (
        lambda: {"weight_ih_l0": torch.ones(30, 2), "weight_hh_l0": torch.ones(30, 6)},
        r"are of no RNN \(H rows\), GRU \(3H\) or LSTM \(4H\)",
    ),
    "a bias too long": (
        lambda: _changed(rnn__bias_ih_l0=torch.ones(19)),
        r"rnn.bias_ih_l0 must be of shape \(18,\), not \(19,\)",
    ),
    "integers": (
        lambda: _changed(rnn__weight_ih_l0=torch.ones(18, 5, dtype=torch.int8)),
        "rnn.weight_ih_l0 must hold floating-point numbers, not int8: is the network quantised",
    ),
    "no matrix": (lambda: _changed(rnn__weight_ih_l0=torch.ones(18)), "rnn.weight_ih_l0 must be a matrix"),
    "not finite": (
        lambda: _changed(rnn__weight_ih_l0=torch.full((18, 5), torch.nan)),
        "rnn.weight_ih_l0 has 90 values that are not finite",
    ),
    "a flipped bit": (
        lambda: _changed(head__bias=torch.tensor([0.1, -3e7, 0.2])),
        r"head.bias has 1 values beyond 1e\+06 in size, as -3e\+07: no trained network has them",
    ),
    "no stack": (
        lambda: _with_second(torch.ones(18, 4), torch.ones(18, 6)),
        "layer 1 takes 4 inputs, but the layer below gives 6",
    ),
    "two kinds": (
        lambda: _with_second(torch.ones(24, 6), torch.ones(24, 6)),
        "all recurrent layers must be of one kind, not delta_gru and delta_lstm",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_one_line_that_names_file_and_place(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, said = REFUSED[what]
    monkeypatch.chdir(tmp_path)
    path, out = tmp_path / "model.pt", tmp_path / "net.npz"
    torch.save(made(), path)
    with pytest.raises(dt.ConfigError, match=said) as caught:
        dt.import_network(path, out)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert not out.exists() and not (tmp_path / "ran").exists(), "nothing is run, nothing half-imported stays"


def _forged(change: Callable[[bytes], bytes], path: Path, source: Path) -> None:
    """Write the file `source` with its pickle changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            new.writestr(entry, change(content) if entry.endswith("data.pkl") else content)


def test_a_tensor_that_leaves_its_storage_is_refused(tmp_path: Path) -> None:
    path = _saved({"weight_ih_l0": torch.ones(24, 6)}, tmp_path / "model.pt")
    for old, new in ((b"K\x18K\x06\x86", b"K\x18K\x60\x86"), (b"K\x06K\x01\x86", b"K\x60K\x01\x86")):
        content = zipfile.ZipFile(path).read("model/data.pkl")
        assert old in content
        _forged(lambda text, old=old, new=new: text.replace(old, new), tmp_path / "forged.pt", path)
        with pytest.raises(dt.ConfigError, match=r"forged.pt.* is no state_dict of PyTorch .*or it is damaged"):
            dt.import_network(tmp_path / "forged.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".npz"])
def test_a_file_cut_short_or_changed_is_refused_in_one_line(suffix: str, tmp_path: Path) -> None:
    state = _model("delta_rnn", layers=1).state_dict()
    whole = _saved(state, tmp_path / f"whole{suffix}").read_bytes()
    path, rng = tmp_path / f"cut{suffix}", np.random.default_rng(0)
    for size in rng.integers(0, len(whole), 60):
        path.write_bytes(whole[:size])
        with pytest.raises(dt.ConfigError) as caught:
            dt.import_network(path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    for place in rng.integers(0, len(whole), 200):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            dt.import_network(path)
        except dt.ConfigError as error:
            assert "\n" not in str(error)


def test_a_forged_header_of_safetensors_is_refused(tmp_path: Path) -> None:
    def write(about: Any, body: bytes = bytes(16)) -> Path:
        text = json.dumps({"weight_ih_l0": about}).encode()
        path = tmp_path / "forged.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + body)
        return path

    right = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    for wrong in (
        {"data_offsets": [0, 12]},
        {"data_offsets": [4, 20]},
        {"data_offsets": [-16, 0]},
        {"shape": [-2, -2]},
        {"shape": [2.0, 2]},
        {"dtype": "F8_E4M3"},
        {"dtype": []},
        {"shape": 4},
    ):
        with pytest.raises(dt.ConfigError, match="is no file of safetensors, or it is damaged"):
            dt.import_network(write({**right, **wrong}))
    with pytest.raises(dt.ConfigError, match="is no file of safetensors"):
        dt.import_network(write([1, 2, 3]))


def test_our_own_file_is_checked(tmp_path: Path) -> None:
    network = dt.import_network(_saved(_model("delta_lstm").state_dict(), tmp_path / "model.pt"), tmp_path / "net.npz")
    assert StoredNetwork.load(tmp_path / "net.npz").notes == network.notes
    with pytest.raises(dt.ConfigError, match=r"the name must end in \.npz"):
        dt.import_network(tmp_path / "model.pt", tmp_path / "net.np")
    with pytest.raises(dt.ConfigError, match=r"model.txt: the name must end in one of .*\.safetensors"):
        dt.import_network(tmp_path / "model.txt")
    with pytest.raises(dt.ConfigError, match=r"none\.pt cannot be read: No such file"):
        dt.import_network(tmp_path / "none.pt")
    with pytest.raises(dt.ConfigError, match=r"model.pt: the name must end in one of"):
        dt.export_network(network, tmp_path / "model.pt")
    arrays = dict(np.load(tmp_path / "net.npz"))
    for change, said in (
        ({"W_h.1": arrays["W_h.1"][:, :5]}, r"W_x of layer 1 must be of shape \(20, 6\), not \(24, 6\)"),
        ({"more": arrays["W_out"]}, "must hold the arrays W_x.0, W_h.0"),
        ({"header": np.frombuffer(b"{}", np.uint8)}, "is no network of deltatrain"),
    ):
        np.savez(tmp_path / "wrong.npz", **arrays | change)
        with pytest.raises(dt.ConfigError, match=said):
            StoredNetwork.load(tmp_path / "wrong.npz")


def test_training_begins_with_the_weights_of_a_file(
    drifts: Recordings, drift_workload: Workload, tmp_path: Path
) -> None:
    sizes = sizes_of(drift_workload, drifts)
    table = drift_workload.training
    drawn = initial_parameters(sizes, generator(table, INITIAL, 0), drift_workload.dtype, table.forget_bias)
    StoredNetwork.of_parameters("delta_lstm", drawn).save(tmp_path / "same.npz")
    from_file = drift_workload.with_changes(initial_weights=str(tmp_path / "same.npz"))
    one, other = (train(workload, drifts) for workload in (drift_workload, from_file))
    assert np.array_equal(one.parameters.flat(), other.parameters.flat()) and one.epochs == other.epochs

    StoredNetwork.of_parameters("delta_lstm", one.parameters).save(tmp_path / "trained.npz")
    further = train(drift_workload.with_changes(initial_weights=str(tmp_path / "trained.npz")), drifts)
    assert further.epochs[0].loss < one.epochs[0].loss, "it goes on from what was learned"
    headless = StoredNetwork("delta_lstm", one.parameters.layers, None, None)
    headless.save(tmp_path / "headless.npz")
    assert train(drift_workload.with_changes(initial_weights=str(tmp_path / "headless.npz")), drifts).epochs


def test_a_file_of_another_network_or_another_content_is_refused(
    drifts: Recordings, drift_workload: Workload, tmp_path: Path
) -> None:
    path = tmp_path / "net.npz"
    dt.import_network(_saved(_model("delta_lstm").state_dict(), tmp_path / "model.pt"), path)
    workload = drift_workload.with_changes(initial_weights=str(path))
    said = r"the file has lstm, 5 inputs, hidden \[6, 6\], 3 classes; the workload asks for lstm, 4 inputs, hidden"
    with pytest.raises(dt.ConfigError, match=said):
        train(workload, drifts)
    dt.import_network(_saved(_model("delta_gru").state_dict(), tmp_path / "model.pt"), path)
    with pytest.raises(dt.ConfigError, match=r"net\.npz holds something else than when the workload was read"):
        train(workload, drifts)
    assert drift_workload.with_changes(initial_weights=str(path)).digest() != workload.digest()
    with pytest.raises(dt.ConfigError, match=r"initial_weights: .*none.npz cannot be read: No such file"):
        drift_workload.with_changes(initial_weights=str(tmp_path / "none.npz"))


def test_a_path_counts_from_the_folder_of_the_workloads_file(tmp_path: Path) -> None:
    network = dt.import_network(_saved(_model("delta_lstm").state_dict(), tmp_path / "model.pt"), tmp_path / "net.npz")
    (tmp_path / "own.toml").write_text('base = "vowels"\ninitial_weights = "net.npz"\n')
    workload = dt.Workload.named(tmp_path / "own.toml")
    assert workload.initial_weights is not None
    assert Path(workload.initial_weights.file) == tmp_path / "net.npz"
    assert read_network(Path(workload.initial_weights.file), Choice()).cell == network.cell
    assert dt.Workload.from_table(workload.model_dump(mode="json")) == workload
    assert "initial_weights" not in dt.Workload.named("tiny").model_dump()


def test_pickles_of_state_dicts_ask_for_no_more_than_is_known(tmp_path: Path) -> None:
    """What PyTorch itself writes: the oracle for what must be let through."""
    path = _saved(_model("delta_gru").state_dict(), tmp_path / "model.pt")
    steps = pickletools.genops(zipfile.ZipFile(path).read("model/data.pkl"))
    asked = {argument for code, argument, _ in steps if code.name == "GLOBAL"}
    assert asked == {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch FloatStorage"}
