"""The whole network: layers of one cell, a linear readout, a task's loss; forward, loss and gradients as functions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.few_bit import approximated
from deltatrain.workloads.arrays.layer import Layer, LayerState, LayerTape, State
from deltatrain.workloads.arrays.packing import Array, Packing, last_rows, pack, packing_of, sample_of_rows, unpack
from deltatrain.workloads.arrays.words import are_words, one_hot, table_gradient
from deltatrain.workloads.cells import _dense, _recurrence
from deltatrain.workloads.network.parameters import Parameters, Sizes, from_flat, initial_parameters, shapes
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.tasks.classification import decided

__all__ = [
    "Forward",
    "Network",
    "Parameters",
    "Sizes",
    "Step",
    "backward",
    "decisions",
    "figure_sum",
    "forward",
    "from_flat",
    "initial_parameters",
    "input_gradient",
    "loss_of",
    "outputs",
    "passed_on",
    "regulariser",
    "row_weights",
    "shapes",
    "training_step",
    "wanted_rows",
]


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
        with an embedding also the h that the read-out reads, and last looked up rows, (B, I). Empty if with nothing.
    class_weights
        What the loss of a sample is multiplied with, by its class, shape (classes,); empty if with nothing.
    gradient_steps
        Of how many steps gradients go back through time, with rule "truncated"; None with any other.
    """

    sizes: Sizes
    thresholds: tuple[tuple[float, float], ...] | None
    readout: str
    beta: float
    few_bit: int | None = None
    class_weights: tuple[float, ...] = ()
    task: str = "classification"
    kept: tuple[Array, ...] = ()
    gradient_steps: int | None = None

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
    inputs
        What layer 0 saw, packed, shape (N, I).
    before
        What it went on from; empty where samples began.
    """

    packing: Packing
    tapes: tuple[LayerTape, ...]
    logits: Array
    inputs: Array
    before: State = ()


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


def forward(
    network: Network, parameters: Parameters, x: Array, lengths: NDArray[np.int64], before: State = ()
) -> Forward:
    """Run the network on a mini-batch.

    Parameters
    ----------
    network, parameters
        What is computed and with which weights.
    x
        Input, padded, shape (T, B, F), or numbers of words, integer, shape (T, B). What lies beyond a sample's length
        is not looked at.
    lengths
        Steps of each sample, shape (B,).
    before
        What the samples go on from; left out, they begin.
    """
    packing = packing_of(lengths)
    inputs = _inputs(network, parameters, pack(x, packing), packing)
    below, tapes = inputs, []
    for number, layer in enumerate(parameters.layers):
        tape = _forward_layer(network, number, layer, below, packing, before[number] if before else None)
        below = passed_on(network, number, outputs(network, tape, packing), packing)
        tapes.append(tape)
    rows, _, _ = _read(network.readout, packing)
    logits = below[rows] @ parameters.W_out.T + parameters.bias_out
    return Forward(packing, tuple(tapes), logits, inputs, before)


def _inputs(network: Network, parameters: Parameters, rows: Array, packing: Packing) -> Array:
    """Return what layer 0 sees of packed input: vectors, shape (N, I)."""
    dtype = parameters.W_out.dtype
    if not are_words(rows):
        return rows.astype(dtype, copy=False)
    if not network.sizes.words:
        return one_hot(rows, network.sizes.features, dtype)
    table = parameters.W_out if parameters.embedding is None else parameters.embedding
    return _kept_words(network, table[rows], packing)


def _kept_words(network: Network, rows: Array, packing: Packing) -> Array:
    """Return what layer 0 sees of looked up rows, or likewise of their gradient; shape (N, I) both."""
    return passed_on(network, len(network.sizes.hidden), rows, packing)


def passed_on(network: Network, number: int, h: Array, packing: Packing) -> Array:
    """Return what is seen of h of layer `number`, or likewise of its gradient; shape (N, H) both."""
    if number >= len(network.kept):
        return h
    passed: Array = h * network.kept[number][sample_of_rows(packing)]
    return passed


def outputs(network: Network, tape: LayerTape, packing: Packing) -> Array:
    """Return a layer's h of all steps, packed, shape (N, H)."""
    h: Array = tape.values[network.sizes.cell.VALUES.index("h"), packing.samples :]
    return h


def training_step(
    network: Network, parameters: Parameters, x: Array, lengths: NDArray[np.int64], labels: Array, before: State = ()
) -> Step:
    """Return loss and gradients of one mini-batch, none of which goes to `before`.

    `labels` are as in `loss_of`, the others as in `forward`.
    """
    ran = forward(network, parameters, x, lengths, before)
    return backward(network, parameters, ran, x, *loss_of(network, ran, labels))


def backward(network: Network, parameters: Parameters, ran: Forward, x: Array, loss: float, g_logits: Array) -> Step:
    """Return loss and gradients of a mini-batch `x` that ran, given its loss and the gradient of `ran.logits`."""
    rows, _, _ = _read(network.readout, ran.packing)
    last = len(ran.tapes) - 1
    top = passed_on(network, last, outputs(network, ran.tapes[-1], ran.packing), ran.packing)
    g_h = np.zeros_like(top)
    g_h[rows] = g_logits @ parameters.W_out
    g_h = passed_on(network, last, g_h, ran.packing)
    layers, g_memory = [], []
    beta = network.beta / ran.packing.samples
    for number in reversed(range(len(parameters.layers))):
        layer, tape = parameters.layers[number], _read_back(network, ran.tapes[number])
        gradient, g_M = _backward_layer(network, layer, tape, g_h, beta, ran.packing)
        layers.append(gradient)
        g_memory.append(g_M)
        if number:
            g_x = _input_gradient(network, layer, tape, g_M, beta, ran.packing)
            g_h = passed_on(network, number - 1, g_x, ran.packing)
    gradients = Parameters(tuple(reversed(layers)), g_logits.T @ top[rows], g_logits.sum(axis=0))
    if network.sizes.words:
        layer, tape = parameters.layers[0], _read_back(network, ran.tapes[0])
        g_rows = _input_gradient(network, layer, tape, g_memory[-1], beta, ran.packing)
        g_rows = _kept_words(network, g_rows, ran.packing)
        gradients = _with_table(network, gradients, pack(x, ran.packing), g_rows)
    return Step(loss + regulariser(network, ran), gradients, ran, tuple(reversed(g_memory)))


def _with_table(network: Network, gradients: Parameters, words: Array, g_rows: Array) -> Parameters:
    """Return the gradients with that of the table of words, `words` being what was looked up, (N,), `g_rows` (N, I)."""
    of_table = table_gradient(words, g_rows, network.sizes.words)
    if network.sizes.tied:
        return gradients._replace(W_out=gradients.W_out + of_table)
    return gradients._replace(embedding=of_table)


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


def _forward_layer(
    network: Network, number: int, layer: Layer, x: Array, packing: Packing, state: LayerState | None
) -> LayerTape:
    if network.thresholds is None:
        return _dense.forward(network.sizes.cell, layer, x, packing, state)
    theta_x, theta_h = network.thresholds[number]
    return _recurrence.forward(network.sizes.cell, layer, x, theta_x, theta_h, packing, state)


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
