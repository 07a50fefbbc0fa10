"""One training step in the machine's integers: what the hardware must match, bit for bit.

Built of the modes of `accel.modes` alone, in the order in which a machine runs them: sample after sample, each forward
and then backward, one update at the end. Where a format saturates that order is part of the result: input deltas are
added to M before recurrent ones, and a weight gradient takes its steps from the last to the first.

The gradient of the logits is not divided by the number of samples or steps, because small numbers would lose their
bits; a mean is taken by dividing the learning rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accel.engine import Engine
from accel.gates import accumulator_rows
from accel.modes import encode, gates_backward, gates_forward, loss, matvec, matvec_t, outer, update
from accel.modes.encode import Fired
from accel.number import Integers, fit
from workloads.integer_parameters import IntegerLayer, IntegerParameters, zeros_like
from workloads.trace import RecordedStep


class IntegerNetwork(NamedTuple):
    """What is computed and on which engine, without the parameters.

    Attributes
    ----------
    gates
        A member of `accel.gates`.
    engine
        Its formats and its lanes, which give the order of sums.
    thresholds
        Least differences that fire, (input, recurrent) of each layer, from `accel.modes.encode.threshold`.
    readout
        "last" or "every": which steps are classified.
    """

    gates: ModuleType
    engine: Engine
    thresholds: tuple[tuple[int, int], ...]
    readout: str


class LayerForward(NamedTuple):
    """One layer's forward pass over one sample of T steps.

    Attributes
    ----------
    fired_x, fired_h
        The list of each step, the bias column its last entry where it fires; entry t of `fired_h` is the list into
        step t.
    memory
        M after each step, in ``formats.memory``, shape (T, A*H).
    state, h, tape
        What the gates made of it, shapes (T, S, H), (T, H), (T, K, H).
    """

    fired_x: tuple[Fired, ...]
    fired_h: tuple[Fired, ...]
    memory: Integers
    state: Integers
    h: Integers
    tape: Integers


class LayerBackward(NamedTuple):
    """One layer's backward pass over one sample; all in ``formats.gradient``.

    Attributes
    ----------
    g_h
        Gradient of h from above and from the step after, what the gates were given, shape (T, H).
    g_memory
        g(M) at each step, shape (T, A*H).
    g_x
        Gradient of the layer's input, shape (T, I); None for layer 0, where nobody asks for it.
    """

    g_h: Integers
    g_memory: Integers
    g_x: Integers | None


class SampleRecord(NamedTuple):
    """Everything one sample did.

    Attributes
    ----------
    forward, backward
        One for each layer.
    logits, g_logits
        Readout of the steps that are classified, shape (R, classes), in ``formats.memory`` and ``formats.gradient``.
    """

    forward: tuple[LayerForward, ...]
    backward: tuple[LayerBackward, ...]
    logits: Integers
    g_logits: Integers


class IntegerStep(NamedTuple):
    """Everything one training step did.

    Attributes
    ----------
    samples
        In the order in which they were run.
    gradients
        dW of each matrix, summed over samples, before the update cleared it.
    updated
        The weights after the update.
    """

    samples: tuple[SampleRecord, ...]
    gradients: IntegerParameters
    updated: IntegerParameters


def training_step(
    network: IntegerNetwork,
    parameters: IntegerParameters,
    samples: Sequence[Integers],
    labels: Sequence[int],
    learning_rate: int,
) -> IntegerStep:
    """Run one training step of a mini-batch.

    Parameters
    ----------
    network, parameters
        What is computed and with which weights.
    samples
        Input of each, in ``formats.activation``, shape (T_b, F) with T_b at least 1.
    labels
        The wanted class of each.
    learning_rate
        In ``formats.learning_rate``.
    """
    gradients, records = zeros_like(parameters), []
    for x, label in zip(samples, labels, strict=True):
        ran = forward(network, parameters, x)
        logits = classify(network, parameters, ran[-1].h)
        g_logits = np.stack([loss.result(row, label, network.engine.formats) for row in logits])
        backward = _backward(network, parameters, ran, g_logits, gradients)
        records.append(SampleRecord(ran, backward, logits, g_logits))
    updated = _update(network, parameters, gradients, learning_rate)
    return IntegerStep(tuple(records), gradients, updated)


def forward(network: IntegerNetwork, parameters: IntegerParameters, x: Integers) -> tuple[LayerForward, ...]:
    """Return the forward pass of each layer for one sample, `x` of shape (T, F) in ``formats.activation``."""
    below, ran = x, []
    for layer, least in zip(parameters.layers, network.thresholds, strict=True):
        ran.append(_forward_layer(network, layer, least, below))
        below = ran[-1].h
    return tuple(ran)


def classify(network: IntegerNetwork, parameters: IntegerParameters, h: Integers) -> Integers:
    """Return the logits of the steps that are classified, in ``formats.memory``, shape (R, classes).

    Parameters
    ----------
    network, parameters
        As in `training_step`.
    h
        Of the last layer, in ``formats.activation``, shape (T, H).
    """
    formats, W = network.engine.formats, parameters.readout
    start = np.zeros(len(W), dtype=np.int64)
    return np.stack([matvec.result(start, W, _with_one(network, h[t]), formats) for t in _read_steps(network, len(h))])


def recorded_step(step: IntegerStep, widths: Sequence[int], epoch: int = 0, number: int = 0) -> RecordedStep:
    """Return the fired masks of `step`, bias columns left out.

    Parameters
    ----------
    step
        What `training_step` returned.
    widths
        Width of the input and of each layer, (F, H_0, ...).
    epoch, number
        When the step took place; see `workloads.trace.RecordedStep`.
    """
    lengths = np.array([len(record.forward[0].fired_x) for record in step.samples], dtype=np.int64)

    def masks(layer: int, stream: str, width: int) -> NDArray[np.bool_]:
        found = np.zeros((int(lengths.max()), len(lengths), width + 1), dtype=np.bool_)  # the last one for the bias
        for b, record in enumerate(step.samples):
            for t, fired in enumerate(getattr(record.forward[layer], stream)):
                found[t, b, fired.columns] = True
        return found[:, :, :width]

    layers = range(len(widths) - 1)
    fired_x = tuple(masks(layer, "fired_x", widths[layer]) for layer in layers)
    fired_h = tuple(masks(layer, "fired_h", widths[layer + 1]) for layer in layers)
    return RecordedStep(epoch, number, lengths, fired_x, fired_h)


def _forward_layer(network: IntegerNetwork, layer: IntegerLayer, least: tuple[int, int], x: Integers) -> LayerForward:
    gates, formats = network.gates, network.engine.formats
    width = len(layer.W_h) // len(gates.BLOCKS_H)
    rows_x, rows_h = accumulator_rows(gates.BLOCKS_X, width), accumulator_rows(gates.BLOCKS_H, width)
    memory = np.zeros(gates.ACCUMULATORS * width, dtype=np.int64)
    state, h = np.zeros((len(gates.STATE), width), dtype=np.int64), np.zeros(width, dtype=np.int64)
    x_hat, h_hat = np.zeros(x.shape[1], dtype=np.int64), np.zeros(width, dtype=np.int64)
    steps = []
    for t, x_now in enumerate(x):
        listed_x, x_hat = encode.result(x_now, x_hat, least[0], formats)
        listed_h, h_hat = encode.result(h, h_hat, least[1], formats)
        if t == 0:
            listed_x = _with_bias(network, listed_x, x.shape[1]) if gates.BIAS_X else listed_x
            listed_h = _with_bias(network, listed_h, width) if gates.BIAS_H else listed_h
        memory = memory.copy()
        memory[rows_x] = matvec.result(memory[rows_x], layer.W_x[:, listed_x.columns], listed_x.delta, formats)
        memory[rows_h] = matvec.result(memory[rows_h], layer.W_h[:, listed_h.columns], listed_h.delta, formats)
        state, h, tape = gates_forward.result(gates, memory, state, formats)
        steps.append((listed_x, listed_h, memory, state, h, tape))
    lists_x, lists_h, *arrays = zip(*steps, strict=True)
    return LayerForward(lists_x, lists_h, *(np.stack(array) for array in arrays))


def _backward(
    network: IntegerNetwork,
    parameters: IntegerParameters,
    ran: tuple[LayerForward, ...],
    g_logits: Integers,
    gradients: IntegerParameters,
) -> tuple[LayerBackward, ...]:
    """Run one sample backward and add to `gradients`."""
    formats, lanes, h = network.engine.formats, network.engine.lanes, ran[-1].h
    g_above = np.zeros_like(h)
    for t, g in reversed(list(zip(_read_steps(network, len(h)), g_logits, strict=True))):
        g_above[t] = matvec_t.result(parameters.readout[:, :-1], g, 1, lanes, formats)
        gradients.readout[:] = outer.result(gradients.readout, g, _with_one(network, h[t]), formats)
    found: list[LayerBackward] = []
    for number in reversed(range(len(ran))):
        layer, dW = parameters.layers[number], gradients.layers[number]
        found.insert(0, _backward_layer(network, layer, ran[number], g_above, dW, wants_input=number > 0))
        below = found[0].g_x
        g_above = below if below is not None else g_above
    return tuple(found)


def _backward_layer(
    network: IntegerNetwork,
    layer: IntegerLayer,
    ran: LayerForward,
    g_above: Integers,
    dW: IntegerLayer,
    *,
    wants_input: bool,
) -> LayerBackward:
    """Run one layer backward and add to `dW`; `g_above` is the gradient of each h from above, shape (T, H)."""
    gates, formats, lanes = network.gates, network.engine.formats, network.engine.lanes
    width, inputs = ran.h.shape[1], layer.W_x.shape[1] - gates.BIAS_X
    rows_x, rows_h = accumulator_rows(gates.BLOCKS_X, width), accumulator_rows(gates.BLOCKS_H, width)
    g_recurrent, g_h_hat, carry = np.zeros((3, width), dtype=np.int64)
    g_x_hat, g_memory = np.zeros(inputs, dtype=np.int64), np.zeros(ran.memory.shape[1], dtype=np.int64)
    g_hs, g_memories, g_xs = np.zeros_like(ran.h), np.zeros_like(ran.memory), np.zeros((len(ran.h), inputs), np.int64)
    for t in reversed(range(len(ran.h))):
        g_hs[t] = fit(g_above[t] + g_recurrent, formats.gradient)
        g_memory, carry = gates_backward.result(gates, g_hs[t], carry, ran.tape[t], g_memory, formats)
        g_memories[t] = g_memory
        g_rows_x, g_rows_h = g_memory[rows_x], g_memory[rows_h]
        fired_h = ran.fired_h[t].columns[ran.fired_h[t].columns < width]
        s = matvec_t.result(layer.W_h[:, fired_h], g_rows_h, len(gates.BLOCKS_H), lanes, formats)
        g_recurrent, g_h_hat = encode.adjoint(g_h_hat, fired_h, s, formats)
        if wants_input:
            fired_x = ran.fired_x[t].columns[ran.fired_x[t].columns < inputs]
            s = matvec_t.result(layer.W_x[:, fired_x], g_rows_x, len(gates.BLOCKS_X), lanes, formats)
            g_xs[t], g_x_hat = encode.adjoint(g_x_hat, fired_x, s, formats)
        for matrix, g, listed in ((dW.W_h, g_rows_h, ran.fired_h[t]), (dW.W_x, g_rows_x, ran.fired_x[t])):
            matrix[:, listed.columns] = outer.result(matrix[:, listed.columns], g, listed.delta, formats)
    return LayerBackward(g_hs, g_memories, g_xs if wants_input else None)


def _update(
    network: IntegerNetwork, parameters: IntegerParameters, gradients: IntegerParameters, learning_rate: int
) -> IntegerParameters:
    def moved(W: Integers, dW: Integers) -> Integers:
        return update.result(W, dW, learning_rate, network.engine.formats)[0]

    layers = tuple(
        IntegerLayer(moved(W.W_x, dW.W_x), moved(W.W_h, dW.W_h))
        for W, dW in zip(parameters.layers, gradients.layers, strict=True)
    )
    return IntegerParameters(layers, moved(parameters.readout, gradients.readout))


def _read_steps(network: IntegerNetwork, steps: int) -> range:
    """Return which of a sample's steps are classified."""
    return range(steps - 1, steps) if network.readout == "last" else range(steps)


def _with_one(network: IntegerNetwork, h: Integers) -> Integers:
    """Return `h` with the 1.0 of the bias column behind it, shape (H + 1,)."""
    return np.append(h, _one(network))


def _with_bias(network: IntegerNetwork, fired: Fired, column: int) -> Fired:
    """Return the list with the bias column, which fires with the value 1.0, as its last entry."""
    return Fired(np.append(fired.columns, column), np.append(fired.delta, _one(network)))


def _one(network: IntegerNetwork) -> int:
    """Return 1.0 in ``formats.activation``."""
    activation = network.engine.formats.activation
    return min(1 << activation.fraction_bits, activation.highest)
