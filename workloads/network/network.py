"""The whole network: layers of one cell, a linear readout, a task's loss; forward, loss and gradients as functions."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.few_bit import approximated
from deltatrain.workloads.arrays.layer import Layer, LayerTape
from deltatrain.workloads.arrays.packing import Array, Packing, last_rows, pack, packing_of, sample_of_rows, unpack
from deltatrain.workloads.cells import Cell, _dense, _recurrence
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.tasks.classification import decided


class Sizes(NamedTuple):
    """The numbers that give every parameter its shape: the cell, I of layer 0, H of each layer, classes."""

    cell: Cell
    features: int
    hidden: tuple[int, ...]
    classes: int

    @property
    def inputs(self) -> tuple[int, ...]:
        """Width of each layer's input, I_l."""
        return (self.features, *self.hidden[:-1])


class Parameters(NamedTuple):
    """All parameters, or gradients of the same shapes.

    Attributes
    ----------
    layers
        The recurrent layers, the one next to the input first.
    W_out, bias_out
        The linear readout, shapes (classes, H) and (classes,).
    """

    layers: tuple[Layer, ...]
    W_out: Array
    bias_out: Array

    def arrays(self) -> tuple[Array, ...]:
        """Return every array in a fixed order: W_x, W_h, bias of each layer, then the readout's."""
        return (*(array for layer in self.layers for array in layer), self.W_out, self.bias_out)

    def flat(self) -> Array:
        """Return all parameters as one vector."""
        return np.concatenate([array.ravel() for array in self.arrays()])


def shapes(sizes: Sizes) -> tuple[tuple[int, ...], ...]:
    """Return the shape of each of `Parameters.arrays`."""
    cell = sizes.cell
    found: list[tuple[int, ...]] = []
    for inputs, width in zip(sizes.inputs, sizes.hidden, strict=True):
        found += [(len(cell.TARGETS_X) * width, inputs), (len(cell.TARGETS_H) * width, width)]
        found += [(len(cell.ACCUMULATORS) * width,)]
    return (*found, (sizes.classes, sizes.hidden[-1]), (sizes.classes,))


@lru_cache(maxsize=16)
def _places(sizes: Sizes) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """Return where each of `Parameters.arrays` begins and ends in one vector, and its shape."""
    found = shapes(sizes)
    ends = list(accumulate(map(math.prod, found)))
    return tuple(zip((0, *ends[:-1]), ends, found, strict=True))


def from_flat(vector: Array, sizes: Sizes) -> Parameters:
    """Return the parameters in `vector` as views of it; undoes `Parameters.flat`."""
    *recurrent, W, b = (vector[begin:end].reshape(shape) for begin, end, shape in _places(sizes))
    layers = tuple(Layer(*recurrent[first : first + 3]) for first in range(0, len(recurrent), 3))
    return Parameters(layers, W, b)


def initial_parameters(
    sizes: Sizes, rng: np.random.Generator, dtype: np.dtype[np.floating], forget_bias: float = 0.0
) -> Parameters:
    """Return parameters drawn uniformly within 1/sqrt(H) of zero, H the width of the layer (as torch.nn.LSTM does).

    Parameters
    ----------
    sizes
        The network.
    rng, dtype
        What the parameters are drawn with, and their number format.
    forget_bias
        What is added to the bias of every forget gate, so that a state is kept until the network learns otherwise
        (Gers et al., Neural Computation 2000; 1 after Jozefowicz et al., ICML 2015).
    """
    widths = (*np.repeat(sizes.hidden, 3), sizes.hidden[-1], sizes.hidden[-1])
    draws = [rng.uniform(-1, 1, shape) / np.sqrt(width) for shape, width in zip(shapes(sizes), widths, strict=True)]
    drawn = from_flat(np.concatenate([draw.ravel() for draw in draws]).astype(dtype), sizes)
    forgetting = [name in sizes.cell.FORGET for name in sizes.cell.ACCUMULATORS]
    for layer in drawn.layers:
        layer.bias.reshape(len(forgetting), -1)[forgetting] += dtype.type(forget_bias)
    return drawn


class Network(NamedTuple):
    """What is computed, without the parameters.

    Attributes
    ----------
    sizes
        Cell and widths.
    thresholds
        (theta_x, theta_h) of each layer; None computes the dense network.
    readout
        "last": outputs of the last step's h. "every": of every step's; the loss is the mean over steps, and a class of
        a sample is decided by the largest sum of logits over steps (which is the class with the largest sum of
        log-probabilities, because the normalisation of a step is the same for all classes).
    beta
        Weight of the mean over samples of sum|delta|, both streams of all layers, in the loss; unused if dense.
    few_bit
        Bits of the codes that the tape keeps of sigmoids and tanhs (`workloads.arrays.few_bit`); None keeps their
        values.
    task
        A member of `workloads.tasks`: the loss, and how well it is done.
    kept
        What each h that goes on to a next layer is multiplied with, in all steps, shape (B, H) for each such layer;
        empty if with nothing.
    class_weights
        What the loss of a sample is multiplied with, by its class, shape (classes,); empty if with nothing.
    """

    sizes: Sizes
    thresholds: tuple[tuple[float, float], ...] | None
    readout: str
    beta: float
    few_bit: int | None = None
    class_weights: tuple[float, ...] = ()
    task: str = "classification"
    kept: tuple[Array, ...] = ()

    @property
    def stepwise(self) -> bool:
        """Whether something is wanted of each step, not of each sample."""
        return TASKS.load(self.task).wanted(self.readout).startswith("step")

    def weights_of(self, labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what the losses of samples of these classes are multiplied with, shape of `labels`."""
        return np.array(self.class_weights)[labels] if self.class_weights else np.ones(labels.shape)


class Forward(NamedTuple):
    """What a forward pass leaves.

    Attributes
    ----------
    packing
        Where the steps lie.
    tapes
        One for each layer.
    logits
        Readout of the rows it reads, shape (R, classes): the B last ones or all N.
    """

    packing: Packing
    tapes: tuple[LayerTape, ...]
    logits: Array


class Step(NamedTuple):
    """Loss and gradients of one mini-batch; with few-bit codes the gradients are approximations.

    Attributes
    ----------
    loss
        What is differentiated: mean loss a sample, plus the regulariser.
    gradients
        Of every parameter.
    forward
        The forward pass.
    g_memory
        For each layer g(M) of all steps, packed, shape (N, A*H).
    """

    loss: float
    gradients: Parameters
    forward: Forward
    g_memory: tuple[Array, ...]


def forward(network: Network, parameters: Parameters, x: Array, lengths: NDArray[np.int64]) -> Forward:
    """Run the network on a mini-batch.

    Parameters
    ----------
    network, parameters
        What is computed and with which weights.
    x
        Input, padded, shape (T, B, F); what lies beyond a sample's length is not looked at.
    lengths
        Steps of each sample, shape (B,).
    """
    packing = packing_of(lengths)
    below, tapes = pack(x, packing).astype(parameters.W_out.dtype, copy=False), []
    for number, layer in enumerate(parameters.layers):
        tape = _forward_layer(network, number, layer, below, packing)
        below = _passed_on(network, number, outputs(network, tape, packing), packing)
        tapes.append(tape)
    rows, _, _ = _read(network.readout, packing)
    logits = below[rows] @ parameters.W_out.T + parameters.bias_out
    return Forward(packing, tuple(tapes), logits)


def _passed_on(network: Network, number: int, h: Array, packing: Packing) -> Array:
    """Return what the next layer sees of h of layer `number`, or likewise of its gradient; shape (N, H) both."""
    if number >= len(network.kept):
        return h
    passed: Array = h * network.kept[number][sample_of_rows(packing)]
    return passed


def outputs(network: Network, tape: LayerTape, packing: Packing) -> Array:
    """Return a layer's h of all steps, packed, shape (N, H)."""
    h: Array = tape.values[network.sizes.cell.VALUES.index("h"), packing.samples :]
    return h


def training_step(
    network: Network, parameters: Parameters, x: Array, lengths: NDArray[np.int64], labels: Array
) -> Step:
    """Return loss and gradients of one mini-batch; `x` and `lengths` as in `forward`, `labels` as in `loss_of`."""
    ran = forward(network, parameters, x, lengths)
    loss, g_logits = loss_of(network, ran, labels)
    rows, _, _ = _read(network.readout, ran.packing)
    top = outputs(network, ran.tapes[-1], ran.packing)
    g_h = np.zeros_like(top)
    g_h[rows] = g_logits @ parameters.W_out
    layers, g_memory = [], []
    beta = network.beta / ran.packing.samples
    for number in reversed(range(len(parameters.layers))):
        layer, tape = parameters.layers[number], _read_back(network, ran.tapes[number])
        gradient, g_M = _backward_layer(network, layer, tape, g_h, beta, ran.packing)
        layers.append(gradient)
        g_memory.append(g_M)
        if number:
            g_x = _input_gradient(network, layer, tape, g_M, beta, ran.packing)
            g_h = _passed_on(network, number - 1, g_x, ran.packing)
    gradients = Parameters(tuple(reversed(layers)), g_logits.T @ top[rows], g_logits.sum(axis=0))
    return Step(loss + regulariser(network, ran), gradients, ran, tuple(reversed(g_memory)))


def input_gradient(network: Network, parameters: Parameters, step: Step) -> Array:
    """Return the gradient of the network's input, padded, shape (T, B, F); training has no use for it."""
    packing, tape = step.forward.packing, step.forward.tapes[0]
    beta = network.beta / packing.samples
    g_x = _input_gradient(network, parameters.layers[0], tape, step.g_memory[0], beta, packing)
    return unpack(g_x, packing)


def loss_of(network: Network, ran: Forward, labels: Array) -> tuple[float, Array]:
    """Return the mean loss a sample and its gradient with respect to `ran.logits`.

    Parameters
    ----------
    network, ran
        What ran.
    labels
        What is wanted. Of each sample: a class, integer, shape (B,), or numbers, shape (B, K). Of each step
        (`Network.stepwise`): likewise padded, shapes (T, B) and (T, B, K).
    """
    _, _, weights = _read(network.readout, ran.packing)
    wanted = wanted_rows(network, ran.packing, labels)
    if network.class_weights:
        weights = weights * network.weights_of(wanted)
    return TASKS.load(network.task).loss(ran.logits, wanted, weights.astype(ran.logits.dtype))


def wanted_rows(network: Network, packing: Packing, labels: Array) -> Array:
    """Return what is wanted of each row that is read, shape (R,) or (R, K); `labels` as in `loss_of`."""
    if network.stepwise:
        return pack(labels, packing)
    _, samples, _ = _read(network.readout, packing)
    rows: Array = labels[samples]
    return rows


def figure_sum(network: Network, ran: Forward, labels: Array) -> tuple[float, int]:
    """Return a sum, and of how many, whose mean makes the task's figure; `labels` as in `loss_of`."""
    _, samples, _ = _read(network.readout, ran.packing)
    return TASKS.load(network.task).figure_sum(ran.logits, wanted_rows(network, ran.packing, labels), samples)


def row_weights(readout: str, packing: Packing) -> NDArray[np.float64]:
    """Return the weight of each packed row in the loss, 0 where it is not read, shape (N,)."""
    rows, _, weights = _read(readout, packing)
    every = np.zeros(packing.rows)
    every[rows] = weights
    return every


def decisions(network: Network, ran: Forward) -> NDArray[np.int64]:
    """Return the class the network decides for, for each sample, shape (B,)."""
    _, samples, _ = _read(network.readout, ran.packing)
    return decided(ran.logits, samples)


def regulariser(network: Network, ran: Forward) -> float:
    """Return beta times the mean over samples of sum|delta| over both streams of all layers."""
    if network.thresholds is None or not network.beta:
        return 0.0
    total = sum(float(np.abs(tape.delta_x).sum() + np.abs(tape.delta_h).sum()) for tape in ran.tapes)
    return network.beta * total / ran.packing.samples


def _read(readout: str, packing: Packing) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return which packed rows the readout reads, of which sample each is, and its weight in the loss; shapes (R,)."""
    samples = np.arange(packing.samples)
    if readout == "last":
        return last_rows(packing), samples, np.full(packing.samples, 1 / packing.samples)
    owner = sample_of_rows(packing)
    lengths = np.empty(packing.samples)
    lengths[packing.order] = packing.lengths
    return np.arange(packing.rows), owner, 1 / (lengths[owner] * packing.samples)


def _forward_layer(network: Network, number: int, layer: Layer, x: Array, packing: Packing) -> LayerTape:
    if network.thresholds is None:
        return _dense.forward(network.sizes.cell, layer, x, packing)
    theta_x, theta_h = network.thresholds[number]
    return _recurrence.forward(network.sizes.cell, layer, x, theta_x, theta_h, packing)


def _read_back(network: Network, tape: LayerTape) -> LayerTape:
    """Return the tape as the backward pass finds it."""
    return tape._replace(values=approximated(network.sizes.cell, tape.values, network.few_bit))


def _backward_layer(
    network: Network, layer: Layer, tape: LayerTape, g_h: Array, beta: float, packing: Packing
) -> tuple[Layer, Array]:
    if network.thresholds is None:
        return _dense.backward(network.sizes.cell, layer, tape, g_h, packing)
    return _recurrence.backward(network.sizes.cell, layer, tape, g_h, beta, packing)


def _input_gradient(
    network: Network, layer: Layer, tape: LayerTape, g_M: Array, beta: float, packing: Packing
) -> Array:
    if network.thresholds is None:
        return _dense.input_gradient(network.sizes.cell, layer, g_M)
    return _recurrence.input_gradient(network.sizes.cell, layer, tape, g_M, beta, packing)
