"""The graph of an ONNX model as a stack of recurrent nodes with a read-out; whatever else it computes is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.interchange.torch_names import floats

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

_ACTIVATIONS = {"RNN": ["tanh"], "GRU": ["sigmoid", "tanh"], "LSTM": ["sigmoid", "tanh", "tanh"]}
_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_FORM = {"Identity", "Dropout", "Squeeze", "Unsqueeze", "Transpose", "Reshape"}
"""What changes the form of a sequence and none of its values."""
_STEPS = {"Gather", "Slice"}  # what takes some of its steps
_LOOKS = {"Shape"}  # what looks at its form alone
_AFTER = {"Softmax", "LogSoftmax", "ArgMax"}  # what the read-out's logits may go into: it decides nothing else
_EVALUATED = _FORM | _STEPS | {"Constant", "Concat", "Cast", "Expand", "ConstantOfShape", "Shape", "Add", "Mul"}
_ATTRIBUTES = {"activations", "activation_alpha", "activation_beta", "clip", "direction", "hidden_size"}
_ATTRIBUTES |= {"input_forget", "layout", "linear_before_reset"}
_STATES = ("initial state h", "initial state c")


@dataclass(frozen=True, eq=False)
class Recurrent:
    """A recurrent node: its operator, name and outputs, and W, R, B as ONNX has them, (1, G*H, I) and so on."""

    op: str
    name: str
    outputs: tuple[str, ...]
    W: Array
    R: Array
    B: Array


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph and what is known of it.

    Attributes
    ----------
    nodes
        In the order in which they run, without those that are evaluated.
    known
        The values that do not depend on the model's inputs, by name.
    zeros
        Names of values of unknown shape that are zero throughout.
    """

    nodes: tuple[NodeProto, ...]
    known: Mapping[str, NDArray[Any]]
    zeros: frozenset[str]

    @classmethod
    def of(cls, model: ModelProto) -> Self:
        """Return the graph of a model; one that takes or gives what nothing makes is a `ConfigError`."""
        _check_whole(model.graph)
        known: dict[str, Any] = {one.name: _numbers(one) for one in model.graph.initializer}
        zeros: set[str] = set()
        left: list[NodeProto] = []
        for node in model.graph.node:
            if node.op_type in _EVALUATED and all(name in known for name in node.input if name):
                known |= dict(zip(node.output, _evaluated(node, known, model), strict=True))
            else:
                left.append(node)
                if _is_zero(node, known, zeros):
                    zeros.update(node.output)
        return cls(tuple(left), known, frozenset(zeros))

    def stack(self) -> list[Recurrent]:
        """Return the recurrent nodes, each of which takes what the one before it gives."""
        nodes = [node for node in self.nodes if node.op_type in _ACTIVATIONS]
        if not nodes:
            raise ConfigError(
                "it has no LSTM, GRU or RNN node; PyTorch's exporter unrolls nn.RNN: export with dynamo=False"
            )
        below: Recurrent | None = None
        found = []
        for node in nodes:
            self._check_source(node, below)
            below = self._recurrent(node)
            found.append(below)
        return found

    def read_out(self, top: Recurrent) -> tuple[Array | None, Array | None, tuple[str, ...]]:
        """Return matrix and bias of the read-out, None where there is none, and what it reads in words."""
        carries, notes = set(top.outputs[:2]) - {""}, list[str]()
        matrix: Array | None = None
        bias: Array | None = None
        for node in self.nodes:
            if node.op_type in _ACTIVATIONS or not carries & set(node.input):
                continue
            if node.op_type in _STEPS and matrix is None:
                notes.append("the read-out takes some of the steps: say which by the workload's `readout`")
            elif node.op_type in ("Gemm", "MatMul") and matrix is None:
                matrix, bias = self._linear(node, carries)
            elif node.op_type == "Add" and bias is not None and not bias.any():
                (bias,) = (self._value(name) for name in node.input if name not in carries)
            elif node.op_type not in (_FORM | _LOOKS) and not (matrix is not None and node.op_type in _AFTER):
                raise ConfigError(f"the node {_named(node)} after the last layer is not computed here")
            carries |= set(node.output) if node.op_type not in _LOOKS else set()
        return matrix, bias, tuple(notes)

    def _check_source(self, node: NodeProto, below: Recurrent | None) -> None:
        """Raise unless a recurrent node takes the model's input, or what the one `below` gives."""
        made = {output: other for other in self.nodes for output in other.output}
        name = node.input[0]
        while name in made:
            other = made[name]
            if below is not None and name == below.outputs[0]:
                return
            if other.op_type not in _FORM:
                raise ConfigError(f"the node {_named(other)} before {_named(node)} is not computed here")
            name = other.input[0]
        if below is not None:
            raise ConfigError(f"{_named(node)} does not take what {below.name} gives: only a stack is simulated")

    def _recurrent(self, node: NodeProto) -> Recurrent:
        from onnx.helper import get_attribute_value

        attributes = {one.name: get_attribute_value(one) for one in node.attribute}
        given = dict(enumerate(node.input))
        _refuse_attributes(node, attributes)
        if given.get(7):
            raise ConfigError(f"{_named(node)} has peepholes (input P): they are not computed here")
        for place, what in zip((5, 6), _STATES, strict=True):
            name = given.get(place)
            if name and name not in self.zeros and (name not in self.known or np.any(self.known[name])):
                raise ConfigError(f"{_named(node)} begins with an {what} of its own: here it begins with zero")
        W, R = (self._value(node.input[place]) for place in (1, 2))
        if W.ndim != 3 or R.ndim != 3:
            raise ConfigError(f"W and R of {_named(node)} must have three axes, not {W.ndim} and {R.ndim}")
        if attributes.get("hidden_size", R.shape[2]) != R.shape[2]:
            raise ConfigError(
                f"{_named(node)} has hidden_size={attributes['hidden_size']} and an R of {R.shape[2]} columns"
            )
        name = given.get(3)
        B = self._value(name) if name else np.zeros((1, 2 * _GATES[node.op_type] * R.shape[2]), W.dtype)
        return Recurrent(node.op_type, _named(node), tuple(node.output), W, R, B)

    def _linear(self, node: NodeProto, carries: set[str]) -> tuple[Array, Array]:
        """Return matrix, (classes, H), and bias of a Gemm or MatMul."""
        from onnx.helper import get_attribute_value

        attributes = {one.name: get_attribute_value(one) for one in node.attribute}
        _refuse_unknown(node, attributes, ("alpha", "beta", "transA", "transB"))
        if (
            node.input[0] not in carries
            or attributes.get("transA")
            or any(attributes.get(name, 1.0) != 1.0 for name in ("alpha", "beta"))
        ):
            raise ConfigError(f"the node {_named(node)} after the last layer is not computed here")
        W = self._value(node.input[1])
        matrix = W if attributes.get("transB") else np.ascontiguousarray(W.T)
        bias = self._value(node.input[2]) if len(node.input) > 2 else np.zeros(len(matrix), W.dtype)
        return matrix, bias

    def _value(self, name: str) -> Array:
        if name not in self.known:
            raise ConfigError(f"{name} is worked out from the model's input: weights must be constants")
        return floats(name, self.known[name])


def _check_whole(graph: GraphProto) -> None:
    """Raise if a node takes, or the model gives, what nothing makes: a damaged file so loses a part of the network."""
    made = {one.name for one in (*graph.input, *graph.initializer)}
    for node in graph.node:
        for name in node.input:
            if name and name not in made:
                raise ConfigError(f"{_named(node)} takes {name!r}, which nothing before it makes: the file is damaged")
        made.update(node.output)
    for one in graph.output:
        if one.name not in made:
            raise ConfigError(f"the output {one.name!r} is made by no node: the file is damaged")


def _refuse_unknown(node: NodeProto, attributes: Mapping[str, Any], known: Iterable[str]) -> None:
    for name in attributes.keys() - set(known):
        raise ConfigError(f"{_named(node)} has the attribute {name!r}, which ONNX does not know of it")


def _refuse_attributes(node: NodeProto, attributes: Mapping[str, Any]) -> None:
    _refuse_unknown(node, attributes, _ATTRIBUTES)
    direction = attributes.get("direction", b"forward").decode()
    if direction != "forward":
        raise ConfigError(f"{_named(node)} has the direction {direction}: only forward in time is computed here")
    given = [one.decode().lower() for one in attributes.get("activations", [])]
    if given and given != _ACTIVATIONS[node.op_type]:
        raise ConfigError(f"{_named(node)} has the activations {', '.join(given)}: here they are the usual ones")
    for name in ("clip", "input_forget"):
        if attributes.get(name):
            raise ConfigError(f"{_named(node)} has {name}={attributes[name]}: it is not computed here")
    if node.op_type == "GRU" and attributes.get("linear_before_reset", 0) != 1:
        raise ConfigError(f"{_named(node)} has linear_before_reset=0: here r acts after the matrix product, as with 1")


def _numbers(tensor: TensorProto) -> NDArray[Any]:
    """Return the numbers of a constant; those of a kind that onnx does not know are a `ConfigError`."""
    from onnx import numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (TypeError, ValueError, KeyError):
        raise ConfigError(f"the numbers of {tensor.name!r} cannot be read: the file is damaged") from None


def _evaluated(node: NodeProto, known: Mapping[str, Any], model: ModelProto) -> Iterable[NDArray[Any]]:
    """Return the outputs of a node whose inputs are known."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    given = {name: known[name] for name in node.input if name}
    types = {name: (helper.np_dtype_to_tensor_dtype(one.dtype), one.shape) for name, one in given.items()}
    inputs = [helper.make_tensor_value_info(name, *of) for name, of in types.items()]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = helper.make_graph([node], "one", inputs, outputs)
    single = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    try:
        return list(ReferenceEvaluator(single).run(None, given))
    except Exception as error:  # of a graph that is wrong, whatever NumPy says
        raise ConfigError(f"the node {_named(node)} cannot be evaluated: {str(error).splitlines()[0]}") from None


def _is_zero(node: NodeProto, known: Mapping[str, Any], zeros: set[str]) -> bool:
    """Tell whether a node of unknown shape gives zeros alone."""
    if node.op_type == "ConstantOfShape":
        return not any(any(one.t.float_data) or any(one.t.raw_data) for one in node.attribute if one.name == "value")
    if node.op_type not in _FORM | _STEPS | {"Expand", "Cast"}:
        return False
    first = node.input[0]
    return first in zeros or (first in known and not np.any(known[first]))


def _named(node: NodeProto) -> str:
    return f"{node.op_type} {node.name!r}" if node.name else node.op_type
