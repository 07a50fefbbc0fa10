"""ONNX in and out: torch's exporters, nodes made by hand, onnxruntime's outputs, and what is refused by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="it reads ONNX: pip install '.[exchange]'")
pytest.importorskip("onnxruntime", reason="it runs ONNX: pip install '.[test]'")

import onnx
import onnxruntime
from onnx import helper, numpy_helper

import deltatrain as dt
from deltatrain.workloads.arrays.packing import unpack
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.interchange.stored_network import StoredNetwork
from deltatrain.workloads.network.network import Network, Parameters, Sizes, forward, initial_parameters, outputs

INPUTS, WIDTH, CLASSES, STEPS, SAMPLES = 5, 6, 3, 9, 4
LENGTHS = np.array([4, 9, 1, 7])
OPS = {"delta_rnn": ("RNN", 1), "delta_gru": ("GRU", 3), "delta_lstm": ("LSTM", 4)}


def _x() -> np.ndarray:
    return np.random.default_rng(5).standard_normal((STEPS, SAMPLES, INPUTS)).astype(np.float32)


def _ours(network: StoredNetwork, x: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The top layer's h at every step, and the logits, of our delta network without thresholds."""
    assert network.W_out is not None and network.bias_out is not None
    own = Network(network.sizes, ((0.0, 0.0),) * len(network.layers), "last", 0.0)
    ran = forward(own, Parameters(network.layers, network.W_out, network.bias_out), x, lengths)
    return unpack(outputs(own, ran.tapes[-1], ran.packing), ran.packing), ran.logits


def _run(path: Path, **given: np.ndarray) -> list[np.ndarray]:
    return list(onnxruntime.InferenceSession(path).run(None, given))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", [(WIDTH,), (7, WIDTH)])
@pytest.mark.parametrize("cell", OPS)
def test_onnxruntime_computes_what_we_write(cell: str, hidden: tuple[int, ...], dtype: type, tmp_path: Path) -> None:
    sizes = Sizes(CELLS.load(cell), INPUTS, hidden, CLASSES)
    drawn = initial_parameters(sizes, np.random.default_rng(3), np.dtype(dtype))
    network = StoredNetwork.of_parameters(cell, drawn)
    dt.export_network(network, tmp_path / "model.onnx")
    h, logits = _run(tmp_path / "model.onnx", x=_x(), lengths=LENGTHS.astype(np.int32))
    every, last = _ours(network, _x(), LENGTHS)
    np.testing.assert_allclose(h, every, rtol=0, atol=1e-5)
    np.testing.assert_allclose(logits, last, rtol=0, atol=1e-5)
    again = dt.import_network(tmp_path / "model.onnx")
    for one, other in zip(again.arrays(), network.arrays(), strict=True):
        np.testing.assert_array_equal(one, other.astype(np.float32))


def _weights(op: str, blocks: int, inputs: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"W": (1, blocks * WIDTH, inputs), "R": (1, blocks * WIDTH, WIDTH), "B": (1, 2 * blocks * WIDTH)}
    return {name: rng.uniform(-1, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def _made(
    path: Path,
    op: str = "GRU",
    blocks: int = 3,
    *,
    layers: int = 2,
    attributes: dict[str, Any] | None = None,
    more: dict[int, Any] | None = None,
    between: Callable[[str], list[Any]] | None = None,
    before: list[Any] | None = None,
    after: list[Any] | None = None,
    arrays: dict[str, np.ndarray] | None = None,
) -> Path:
    """Write nodes that are made by hand, as a user's exporter might."""
    own: dict[str, Any] = {"hidden_size": WIDTH} | ({"linear_before_reset": 1} if op == "GRU" else {})
    nodes, weights, below = list(before or []), {"axis": np.array([1]), "zero": np.array([0])}, "x"
    if before:
        below = "before"
    for layer in range(layers):
        weights |= {f"{k}{layer}": v for k, v in _weights(op, blocks, INPUTS if layer == 0 else WIDTH, layer).items()}
        given = [below, f"W{layer}", f"R{layer}", f"B{layer}", "", "", "", ""]
        for place, name in (more or {}).items():
            given[place] = name
        while not given[-1]:
            given.pop()
        nodes.append(
            helper.make_node(op, given, [f"Y{layer}", f"h{layer}"], f"node{layer}", **own | (attributes or {}))
        )
        nodes.append(helper.make_node("Squeeze", [f"Y{layer}", "axis"], [f"y{layer}"]))
        below = f"y{layer}"
        if between and layer == 0:
            nodes += between(below)
            below = "between"
    rng = np.random.default_rng(8)
    weights |= {"V": rng.uniform(-1, 1, (WIDTH, CLASSES)).astype(np.float32), "v": np.arange(3, dtype=np.float32)}
    nodes.append(helper.make_node("Squeeze", [f"h{layers - 1}", "zero"], ["last"]))
    nodes += after or [
        helper.make_node("MatMul", ["last", "V"], ["product"]),
        helper.make_node("Add", ["product", "v"], ["logits"]),
    ]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [STEPS, SAMPLES, INPUTS])
    logits = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(array, name) for name, array in (weights | (arrays or {})).items()]
    graph = helper.make_graph(nodes, "made", [x], [logits], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("cell", OPS)
def test_what_onnxruntime_runs_we_run(cell: str, tmp_path: Path) -> None:
    path = _made(tmp_path / "made.onnx", *OPS[cell])
    network = dt.import_network(path)
    assert (network.cell, network.sizes.hidden, network.sizes.classes) == (cell, (WIDTH, WIDTH), CLASSES)
    (logits,) = _run(path, x=_x())
    np.testing.assert_allclose(_ours(network, _x(), np.full(SAMPLES, STEPS))[1], logits, rtol=0, atol=1e-5)


def test_weights_may_be_worked_out_in_the_graph_and_states_be_zero(tmp_path: Path) -> None:
    plain = dt.import_network(_made(tmp_path / "plain.onnx", layers=1))
    halves = {"low": np.array([0]), "mid": np.array([9]), "high": np.array([18]), "rows": np.array([1])}
    parts = [
        helper.make_node("Slice", ["W0_whole", "low", "mid", "rows"], ["first"]),
        helper.make_node("Slice", ["W0_whole", "mid", "high", "rows"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["W_made"], axis=1),
        helper.make_node("Shape", ["x"], ["form"]),
        helper.make_node("Expand", ["nothing", "form"], ["state"]),
        helper.make_node("Identity", ["x"], ["before"]),
    ]
    arrays = halves | {"W0_whole": _weights("GRU", 3, INPUTS, 0)["W"], "nothing": np.zeros((1, 1, 1), np.float32)}
    made = dt.import_network(
        _made(tmp_path / "made.onnx", layers=1, before=parts, more={1: "W_made", 5: "state"}, arrays=arrays)
    )
    assert all(np.array_equal(a, b) for a, b in zip(made.arrays(), plain.arrays(), strict=True))


EXPORTS = [("delta_lstm", 6, False, False), ("delta_gru", 6, False, True), ("delta_rnn", 6, False, False)]
EXPORTS += [("delta_lstm", 64, True, True), ("delta_gru", 64, True, False)]  # wide ones have their weights in the graph


@pytest.mark.parametrize(("cell", "width", "dynamo", "batch_first"), EXPORTS)
def test_what_torch_exports_comes_in_bit_for_bit(
    cell: str, width: int, dynamo: bool, batch_first: bool, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch exports ONNX: pip install '.[torch]'")
    pytest.importorskip("onnxscript", reason="torch.onnx.export needs it: pip install '.[test]'")
    torch.manual_seed(6)
    kind = getattr(torch.nn, OPS[cell][0])

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = kind(INPUTS, width, 2, batch_first=batch_first), torch.nn.Linear(width, CLASSES)

        def forward(self, x: Any) -> Any:
            y = self.rnn(x)[0]
            return self.head(y[:, -1] if batch_first else y[-1])

    model, x = Model().eval(), torch.from_numpy(_x())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own
        given = x.transpose(0, 1).contiguous() if batch_first else x
        torch.onnx.export(model, (given,), tmp_path / "model.onnx", dynamo=dynamo, verbose=False)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    network, expected = dt.import_network(tmp_path / "model.onnx"), dt.import_network(tmp_path / "model.pt")
    assert network.cell == cell and any("takes some of the steps" in note for note in network.notes)
    assert all(np.array_equal(a, b) for a, b in zip(network.arrays(), expected.arrays(), strict=True))
    (logits,) = _run(tmp_path / "model.onnx", **{onnx.load(tmp_path / "model.onnx").graph.input[0].name: given.numpy()})
    np.testing.assert_allclose(_ours(network, _x(), np.full(SAMPLES, STEPS))[1], logits, rtol=0, atol=1e-5)


def _node(op: str, *given: str, **attributes: Any) -> Any:
    return helper.make_node(op, list(given), ["logits"], f"the_{op.lower()}", **attributes)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "reverse": ({"attributes": {"direction": "reverse"}}, "GRU 'node0' has the direction reverse"),
    "reset before": ({"attributes": {"linear_before_reset": 0}}, "GRU 'node0' has linear_before_reset=0"),
    "clip": ({"attributes": {"clip": 3.0}}, "GRU 'node0' has clip=3.0: it is not computed here"),
    "relu": (
        {"op": "RNN", "blocks": 1, "attributes": {"activations": ["Relu"]}},
        "RNN 'node0' has the activations relu: here they are the usual ones",
    ),
    "coupled gates": (
        {"op": "LSTM", "blocks": 4, "attributes": {"input_forget": 1}},
        "LSTM 'node0' has input_forget=1",
    ),
    "peepholes": (
        {"op": "LSTM", "blocks": 4, "more": {7: "P"}, "arrays": {"P": np.ones((1, 18), np.float32)}},
        r"LSTM 'node0' has peepholes \(input P\)",
    ),
    "a state": (
        {"more": {5: "state"}, "arrays": {"state": np.ones((1, SAMPLES, WIDTH), np.float32)}},
        "GRU 'node0' begins with an initial state h of its own",
    ),
    "weights of the input": ({"layers": 1, "more": {1: "x"}}, "x is worked out from the model's input"),
    "something between": (
        {"between": lambda below: [helper.make_node("Relu", [below], ["between"], "sharp")]},
        "the node Relu 'sharp' before GRU 'node1' is not computed here",
    ),
    "an embedding": (
        {
            "before": [helper.make_node("Gather", ["table", "x"], ["before"], "embedding")],
            "arrays": {"table": np.ones((9, INPUTS), np.float32)},
        },
        "the node Gather 'embedding' before GRU 'node0' is not computed here",
    ),
    "the mean of all steps": (
        {"after": [helper.make_node("ReduceMean", ["y1"], ["logits"], "mean", axes=[0])]},
        "the node ReduceMean 'mean' after the last layer is not computed here",
    ),
    "two read-outs": (
        {
            "after": [helper.make_node("MatMul", ["last", "V"], ["one"]), _node("MatMul", "one", "VV")],
            "arrays": {"VV": np.ones((3, 3), np.float32)},
        },
        "the node MatMul 'the_matmul' after the last layer is not computed here",
    ),
    "scaled": (
        {"after": [_node("Gemm", "last", "V", "v", alpha=2.0)]},
        "the node Gemm 'the_gemm' after the last layer is not computed here",
    ),
    "a read-out that lost its input": (
        {"after": [_node("Gemm", "lost", "V", "v")]},
        "Gemm 'the_gemm' takes 'lost', which nothing before it makes: the file is damaged",
    ),
    "an attribute of no such name": (
        {"attributes": {"direktion": "reverse"}},
        "GRU 'node0' has the attribute 'direktion', which ONNX does not know of it",
    ),
    "a read-out's attribute of no such name": (
        {"after": [_node("Gemm", "last", "V", "v", transC=1)]},
        "Gemm 'the_gemm' has the attribute 'transC'",
    ),
    "another width": (
        {"attributes": {"hidden_size": 5}},
        "GRU 'node0' has hidden_size=5 and an R of 6 columns",
    ),
    "weights of no size": (
        {"arrays": {"R1": np.full((1, 18, WIDTH), 2e38, np.float32)}},
        r"R1 has 108 values beyond 1e\+06 in size, as 2e\+38: no trained network has them, the file is damaged",
    ),
    "weights that are none": (
        {"arrays": {"V": np.full((WIDTH, 3), np.nan, np.float32)}},
        "V has 18 values that are not",
    ),
    "wrong shapes": (
        {"layers": 1, "arrays": {"W0": np.ones((1, 21, 5), np.float32)}},
        r"W of the node GRU 'node0' must be of shape \(1, 18, 5\), not \(1, 21, 5\)",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_one_line_that_names_file_and_node(what: str, tmp_path: Path) -> None:
    changes, said = REFUSED[what]
    path = _made(tmp_path / "made.onnx", **changes)
    with pytest.raises(dt.ConfigError, match=said) as caught:
        dt.import_network(path, tmp_path / "net.npz")
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert not (tmp_path / "net.npz").exists()


def test_a_layer_beside_the_stack_is_refused(tmp_path: Path) -> None:
    path = _made(tmp_path / "made.onnx", between=lambda below: [helper.make_node("Identity", ["x"], ["between"])])
    with pytest.raises(dt.ConfigError, match="GRU 'node1' does not take what GRU 'node0' gives"):
        dt.import_network(path)


def test_files_that_are_none_or_lack_a_part_are_one_line(tmp_path: Path) -> None:
    path, big = tmp_path / "model.onnx", tmp_path / "big.onnx"
    _made(path)
    onnx.save(onnx.load(path), big, save_as_external_data=True, location="big.data", size_threshold=0)
    assert dt.import_network(big).cell == "delta_gru"
    (tmp_path / "big.data").unlink()
    with pytest.raises(dt.ConfigError, match=r"big.onnx: .*big.data"):
        dt.import_network(big)
    content = path.read_bytes()
    for wrong in (b"hello", content[: len(content) // 2]):
        path.write_bytes(wrong)
        with pytest.raises(dt.ConfigError) as caught:
            dt.import_network(path)
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    empty = helper.make_model(helper.make_graph([], "empty", [], []))
    onnx.save(empty, path)
    with pytest.raises(dt.ConfigError, match="it has no LSTM, GRU or RNN node; PyTorch's exporter unrolls"):
        dt.import_network(path)


def test_a_read_out_that_the_file_lost_is_missed(tmp_path: Path) -> None:
    path = _made(tmp_path / "made.onnx")
    model = onnx.load(path)
    del model.graph.node[-1]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(dt.ConfigError, match=r"onnx: the output 'logits' is made by no node: the file is damaged"):
        dt.import_network(path)


def test_a_flipped_byte_never_takes_the_read_out_away(tmp_path: Path) -> None:
    path = _made(tmp_path / "made.onnx", layers=1)
    content = path.read_bytes()
    names = [at for at in range(len(content)) if content[at : at + 4] in (b"Gemm", b"last", b"MatM", b"logi", b"prod")]
    assert len(names) > 4
    for at in names:
        for place in range(at - 2, at + 4):  # with the tag and the length before a name
            path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
            with suppress(dt.ConfigError):
                assert dt.import_network(path).sizes.classes == CLASSES


def test_a_constant_of_no_known_kind_is_one_line(tmp_path: Path) -> None:
    path = _made(tmp_path / "made.onnx")
    model = onnx.load(path)
    name = model.graph.initializer[0].name
    model.graph.initializer[0].data_type = 0
    path.write_bytes(model.SerializeToString())
    with pytest.raises(dt.ConfigError, match=f"made.onnx: the numbers of '{name}' cannot be read"):
        dt.import_network(path)


def test_without_the_library_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    path = _made(tmp_path / "made.onnx")
    network = dt.import_network(path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    said = r"needs onnx: python -m pip install 'deltatrain\[exchange\]'"
    with pytest.raises(dt.ConfigError, match=said):
        dt.import_network(path)
    with pytest.raises(dt.ConfigError, match=said):
        dt.export_network(network, tmp_path / "out.onnx")
