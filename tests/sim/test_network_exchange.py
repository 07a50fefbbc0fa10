"""`deltatrain import` and `export`: a network comes in, is simulated or trained on, and goes back as it was learned."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deltatrain as dt
from deltatrain.sim.run import untrained_trace
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.datasets import DATASETS
from deltatrain.workloads.interchange.stored_network import StoredNetwork
from deltatrain.workloads.network.network import Sizes, initial_parameters


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """The file of a network that fits the workload `few`."""
    sizes = Sizes(CELLS.load("delta_lstm"), 4, (6,), 3)
    drawn = initial_parameters(sizes, np.random.default_rng(9), np.dtype(np.float32))
    StoredNetwork.of_parameters("delta_lstm", drawn, "drawn").save(tmp_path / "net.npz")
    return tmp_path / "net.npz"


def _digits() -> Recordings:
    return DATASETS.load("digits").load()


def test_a_trained_network_goes_out_and_comes_back(few: Path, deltatrain: Callable[..., Any], tmp_path: Path) -> None:
    assert deltatrain("train", "-w", few, "--out", tmp_path / "out").status == 0
    ran = deltatrain("export", tmp_path / "out", "--out", tmp_path / "model.safetensors")
    assert ran.status == 0 and "delta_lstm" in ran.stdout and f"Written: {tmp_path}/model.safetensors" in ran.stdout
    ran = deltatrain("import", tmp_path / "model.safetensors", "--out", tmp_path / "net.npz", "--json")
    told = json.loads(ran.stdout)
    assert (told["cell"], told["hidden"], told["classes"], told["precision"]) == ("delta_lstm", [6], 3, "float32")
    own, back = (dt.export_network(what, tmp_path / "own.npz") for what in (tmp_path / "out", tmp_path / "net.npz"))
    assert all(np.array_equal(a, b) for a, b in zip(own.arrays(), back.arrays(), strict=True))


def test_torch_decides_as_the_trainer_did(few: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch runs what was exported: pip install '.[torch]'")
    load_file = pytest.importorskip("safetensors.torch").load_file
    changes = {"theta_x": 0.0, "theta_h": 0.0, "training.dense_epochs": 0}
    trace = dt.train(dt.Workload.named(few, changes), tmp_path / "out")
    dt.export_network(tmp_path / "out", tmp_path / "model.safetensors")
    state = load_file(tmp_path / "model.safetensors")
    rnn, head = torch.nn.LSTM(4, 6), torch.nn.Linear(6, 3)
    for name, module in (("rnn.", rnn), ("head.", head)):
        module.load_state_dict({key.removeprefix(name): one for key, one in state.items() if key.startswith(name)})
    part, right = _digits().test, 0
    for sample in range(len(part)):
        x, _ = part.padded(np.array([sample]))
        right += int(head(rnn(torch.from_numpy(x))[0][-1, 0]).argmax()) == part.labels[sample]
    assert right / len(part) == trace.epochs[-1].accuracy


def test_a_network_is_simulated_as_it_came(few: Path, net: Path, deltatrain: Callable[..., Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch runs the same weights: pip install '.[torch]'")
    workload = dt.Workload.named(few, {"initial_weights": str(net)})
    trace = untrained_trace(workload)
    (step,) = trace.recorded
    part, sizes = _digits().train, step.lengths.tolist()
    chosen = [n for n in range(len(part)) if part.lengths[n] in sizes]
    assert trace.epochs == () and len(sizes) == workload.training.batch and chosen

    stored = StoredNetwork.load(net)
    module = dt.torch.DeltaLSTM(4, 6, theta_x=workload.theta_x, theta_h=workload.theta_h)
    names = {"weight_ih_l0": stored.layers[0].W_x, "weight_hh_l0": stored.layers[0].W_h}
    names |= {"bias_ih_l0": stored.layers[0].bias, "bias_hh_l0": np.zeros(24, np.float32)}
    module.load_state_dict({name: torch.from_numpy(array) for name, array in names.items()})
    order = np.random.default_rng([workload.training.seed, 2, 0]).permutation(len(part))[: workload.training.batch]
    x, lengths = part.padded(order)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.from_numpy(x), torch.from_numpy(lengths), enforce_sorted=False
    )
    recorded = dt.torch.record(module, [packed], classes=3, readout="last").recorded[0]
    for name, masks in step.masks().items():
        assert all(np.array_equal(a, b) for a, b in zip(masks, recorded.masks()[name], strict=True))

    words = ["-w", few, "--set", f"workload.initial_weights={net}", "--on", "tiny", "--fidelity", "analytic", "--json"]
    ran = deltatrain("simulate", *words)
    assert ran.status == 0
    given = dt.simulate("tiny", trace, fidelity="analytic")
    assert json.loads(ran.stdout)["counters"] == json.loads(given.model_dump_json())["counters"]
    assert json.loads(ran.stdout)["workload"]["initial_weights"]["file"] == str(net)


def test_training_goes_on_from_it(few: Path, net: Path, deltatrain: Callable[..., Any], tmp_path: Path) -> None:
    ran = deltatrain("train", "-w", few, "--set", f"workload.initial_weights={net}", "--out", tmp_path / "out")
    assert ran.status == 0
    plain = deltatrain("train", "-w", few, "--out", tmp_path / "plain")
    assert plain.status == 0
    one, other = (dt.Trace.load(tmp_path / name / "trace.npz") for name in ("out", "plain"))
    assert one.epochs[0].loss != other.epochs[0].loss


WRONG = [
    ("import {no} --out {out}", "none.pt cannot be read"),
    ("import {net} --out {folder}/a/b/net.npz", "cannot be written"),
    ("export {folder} --out {out}", "has no trace.npz: it is not a folder in which something was trained"),
    ("export {net} --out {folder}/model.pt", "model.pt: the name must end in one of"),
    ("simulate -w {few} --set workload.initial_weights={no}", "initial_weights: {no} cannot be read"),
    ("simulate -w {few} --set workload.initial_weights=3", "initial_weights must be a table"),
    ("simulate -w {few}", "must be trained before it can be simulated"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_what_is_wrong_is_one_line(
    words: str, said: str, few: Path, net: Path, deltatrain: Callable[..., Any], tmp_path: Path
) -> None:
    names = {"no": tmp_path / "none.pt", "net": net, "folder": tmp_path, "few": few, "out": tmp_path / "out.npz"}
    ran = deltatrain(*words.format(**names).split())
    assert ran.status == 2 and ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert said.format(**names) in line
    assert not (tmp_path / "out.npz").exists()
