"""ONNX: LSTM, GRU and RNN nodes in a stack, and a Gemm or MatMul as the read-out.

Row blocks of ONNX are i, o, f, c of an LSTM and z, r, h of a GRU (onnx/onnx, docs/Operators.md). Weights may be worked
out in the graph, as PyTorch's exporter has it for wide layers: what has no input that changes is evaluated here, node
by node, by onnx's reference of each operator.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.extras import require
from deltatrain.accel.files import read_bytes, replace_file
from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.interchange.choice import Choice
from deltatrain.workloads.interchange.onnx_graph import Graph, Recurrent
from deltatrain.workloads.interchange.stored_network import StoredNetwork
from deltatrain.workloads.interchange.torch_layers import biases_of, layer_of

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

SUFFIXES = (".onnx",)
WRITES = True
TELLS: tuple[str, ...] = ()

_CELLS = {"RNN": "delta_rnn", "GRU": "delta_gru", "LSTM": "delta_lstm"}
_OPS = {cell: op for op, cell in _CELLS.items()}
_TO_OURS = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}
"""Which block of ONNX is each of ours."""
_OPSET, _IR = 17, 8  # both older than what any reader of today needs


def read(path: Path, choice: Choice) -> StoredNetwork:
    """Return the network in the graph; a node that is not computed here is a `ConfigError` that names it."""
    graph = Graph.of(_loaded(path))
    nodes = graph.stack()
    cells = sorted({_CELLS[node.op] for node in nodes})
    if len(cells) > 1:
        raise ConfigError(f"all recurrent layers must be of one kind, not {' and '.join(cells)}")
    layers = tuple(_layer(node) for node in nodes)
    W, b, notes = graph.read_out(nodes[-1])
    return StoredNetwork(cells[0], layers, W, b, path.name, notes)


def write(network: StoredNetwork, path: Path) -> None:
    """Write the network in float32; inputs ``x`` (T, B, I) and ``lengths`` (B,), outputs ``h`` and ``logits``.

    ``h`` is the top layer's at every step, (T, B, H), and ``logits`` the read-out of each sample's last step.
    """
    if network.cell not in _OPS:
        raise ConfigError(f"ONNX has no operator for the cell {network.cell!r}")
    require("onnx", "writing ONNX")
    replace_file(path, _model(network).SerializeToString())


def _loaded(path: Path) -> ModelProto:
    """Return the model in a file, with the numbers that lie in files beside it."""
    require("onnx", "reading ONNX")
    read_bytes(path)
    import onnx
    from onnx.checker import ValidationError

    try:
        return onnx.load(path)
    except MemoryError:
        raise
    except (OSError, ValidationError) as error:
        words = " ".join(str(error).split())
        raise ConfigError(f"{path}: the file beside it that holds its weights cannot be read: {words}") from None
    except Exception:  # what protobuf and onnx raise for a damaged file is listed nowhere
        raise ConfigError(f"{path} is no ONNX model, or it is damaged") from None


def _layer(node: Recurrent) -> Layer:
    """Return the weights of a node in our order of blocks."""
    order, width = _TO_OURS[node.op], node.R.shape[2]
    blocks, inputs = len(order), node.W.shape[2]
    shapes = {"W": (1, blocks * width, inputs), "R": (1, blocks * width, width), "B": (1, 2 * blocks * width)}
    for name, shape in shapes.items():
        if getattr(node, name).shape != shape:
            raise ConfigError(
                f"{name} of the node {node.name} must be of shape {shape}, not {getattr(node, name).shape}"
            )
    halves = node.B.reshape(2, blocks, width)
    b_ih, b_hh = (half[list(order)].reshape(-1) for half in halves)
    W_ih, W_hh = (_reordered(matrix[0], order) for matrix in (node.W, node.R))
    return layer_of(CELLS.load(_CELLS[node.op]), W_ih, W_hh, b_ih, b_hh)


def _reordered(matrix: Array, order: tuple[int, ...]) -> Array:
    """Return `matrix` with its row blocks as `order` says."""
    blocks = matrix.reshape(len(order), -1, matrix.shape[1])
    return np.ascontiguousarray(blocks[list(order)].reshape(matrix.shape))


def _model(network: StoredNetwork) -> ModelProto:
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes: list[NodeProto] = []
    weights: dict[str, Array] = {"first_axis": np.array([0]), "direction_axis": np.array([1])}
    below = "x"
    for number, layer in enumerate(network.layers):
        weights |= {f"{name}{number}": array for name, array in _onnx_weights(network, layer).items()}
        inputs = [below, f"W{number}", f"R{number}", f"B{number}", "lengths"]
        above = "h" if layer is network.layers[-1] else f"h{number}"
        attributes = {"hidden_size": layer.W_h.shape[1]} | ({"linear_before_reset": 1} if "gru" in network.cell else {})
        nodes.append(helper.make_node(_OPS[network.cell], inputs, [f"Y{number}", f"last{number}"], **attributes))
        nodes.append(helper.make_node("Squeeze", [f"Y{number}", "direction_axis"], [above]))
        below = above
    outputs = [helper.make_tensor_value_info("h", TensorProto.FLOAT, ["T", "B", network.sizes.hidden[-1]])]
    if network.W_out is not None and network.bias_out is not None:
        weights |= {"W_out": network.W_out.astype(np.float32), "bias_out": network.bias_out.astype(np.float32)}
        nodes.append(helper.make_node("Squeeze", [f"last{len(network.layers) - 1}", "first_axis"], ["last"]))
        nodes.append(helper.make_node("Gemm", ["last", "W_out", "bias_out"], ["logits"], transB=1))
        outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", len(network.W_out)]))
    given = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", "B", network.sizes.features]),
        helper.make_tensor_value_info("lengths", TensorProto.INT32, ["B"]),
    ]
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "deltatrain", given, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    checker.check_model(model)
    return model


def _onnx_weights(network: StoredNetwork, layer: Layer) -> dict[str, Array]:
    """Return W, R and B of a node, in ONNX's order of blocks."""
    order = tuple(np.argsort(_TO_OURS[_OPS[network.cell]]).tolist())
    b_ih, b_hh = biases_of(network.sizes.cell, layer.bias)
    biases = [_reordered(bias[:, None], order)[:, 0] for bias in (b_ih, b_hh)]
    found: dict[str, Any] = {
        "W": _reordered(layer.W_x, order)[None],
        "R": _reordered(layer.W_h, order)[None],
        "B": np.concatenate(biases)[None],
    }
    return {name: array.astype(np.float32) for name, array in found.items()}
