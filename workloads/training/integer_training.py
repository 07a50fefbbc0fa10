"""One training step in the machine's integers: what the hardware must match, bit for bit.

Built of the modes of `accel.modes` alone, in the order in which a machine runs them: sample after sample, each forward
and then backward, one update at the end. Where a format saturates that order is part of the result: input deltas are
added to M before recurrent ones, and a weight gradient takes its steps from the last to the first.

The gradient of the logits is not divided by the number of samples or steps, because small numbers would lose their
bits; a mean is taken by dividing the learning rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.engine import Engine, MachineNumbers
from deltatrain.accel.modes import MODES, matvec_t, outer
from deltatrain.accel.modes.encode import Fired
from deltatrain.accel.number import Integers
from deltatrain.workloads.trace import RecordedStep
from deltatrain.workloads.training import integer_layer, tile_sums
from deltatrain.workloads.training.integer_layer import Cell, LayerStep, with_one
from deltatrain.workloads.training.integer_optimiser import PLAIN, IntegerOptimiser
from deltatrain.workloads.training.integer_parameters import IntegerLayer, IntegerParameters, zeros_like

Label = int | Integers
"""A class for all steps that are read; a class for each, shape (R,); or numbers in ``formats.memory``, (R, K)."""


class IntegerNetwork(NamedTuple):
    """What is computed and on which engine, without the parameters.

    Attributes
    ----------
    arithmetic
        A member of `accel.cells`.
    engine
        Its formats and its lanes, which give the order of sums.
    thresholds
        Least differences that fire, (input, recurrent) of each layer, from `accel.modes.encode.threshold`.
    readout
        "last" or "every": which steps are classified.
    loss
        The mode of `accel.modes` that computes the gradient of the logits.
    optimiser
        What the update does.
    code_bits
        Of the codes that the tape keeps of sigmoids and tanhs (`accel.tape_words`), None where it keeps values.
    tiles
        How many tiles make sums of their own (`accel.architecture.Architecture.summing_tiles`).
    """

    arithmetic: CellArithmetic
    engine: Engine | MachineNumbers
    thresholds: tuple[tuple[int, int], ...]
    readout: str
    loss: str = "loss"
    optimiser: IntegerOptimiser = PLAIN
    code_bits: int | None = None
    tiles: int = 1

    @property
    def cell(self) -> Cell:
        """What each layer computes with."""
        return Cell(self.arithmetic, self.engine, self.code_bits, self.tiles)


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
        dW of each matrix, summed over samples, before the update.
    updated
        The weights after the update.
    kept
        dW after it: zero where the optimiser remembers nothing.
    """

    samples: tuple[SampleRecord, ...]
    gradients: IntegerParameters
    updated: IntegerParameters
    kept: IntegerParameters


def training_step(
    network: IntegerNetwork,
    parameters: IntegerParameters,
    samples: Sequence[Integers],
    labels: Sequence[Label],
    learning_rate: int,
    before: IntegerParameters | None = None,
    exist: Sequence[NDArray[np.bool_]] | None = None,
) -> IntegerStep:
    """Run one training step of a mini-batch.

    Parameters
    ----------
    network, parameters
        What is computed and with which weights.
    samples
        Input of each, in ``formats.activation``, shape (T_b, F) with T_b at least 1.
    labels
        What is wanted of each (`Label`).
    learning_rate
        In ``formats.learning_rate``.
    before
        What dW are at first, and are added to in place; zero if not given.
    exist
        Which weights of each matrix that is stored do, without its bias column; the others, which are zero, have no
        gradient. All do if not given.
    """
    formats = network.engine.formats
    gradients, records = zeros_like(parameters) if before is None else before, []
    for x, label in zip(samples, labels, strict=True):
        ran = forward(network, parameters, x)
        logits = classify(network, parameters, ran[-1].h)
        g_logits = loss_gradients(network, logits, label)
        backward = _backward(network, parameters, ran, g_logits, gradients)
        records.append(SampleRecord(ran, backward, logits, g_logits))
    for dW, mask in zip(gradients.stored(), exist or (), strict=exist is not None):
        dW[:, : mask.shape[1]] *= mask
    memory = network.optimiser.first_memory(parameters, formats)
    after = network.optimiser.updated(parameters, gradients, learning_rate, formats, memory)
    return IntegerStep(tuple(records), gradients, after.weights, after.gradients)


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
    W = parameters.readout
    emitted = network.cell.encoder.emitted(h)
    read = (with_one(network.engine, emitted[t]) for t in read_steps(network, len(h)))
    return np.stack([tile_sums.logits(W, h_one, network.engine, network.tiles) for h_one in read])


def loss_gradients(network: IntegerNetwork, logits: Integers, label: Label) -> Integers:
    """Return the gradients of the logits, (R, classes), of what is wanted of the sample; in ``formats.gradient``."""
    mode: Any = MODES.load(network.loss)
    return np.stack(
        [
            mode.result(row, wanted, network.engine.formats)
            for row, wanted in zip(logits, wanted_rows(label, len(logits)), strict=True)
        ]
    )


def wanted_rows(label: Label, rows: int) -> list[Any]:
    """Return what is wanted of each of so many steps that are read: a class, or numbers of shape (K,)."""
    return [label] * rows if np.ndim(label) == 0 else list(np.asarray(label))


def recorded_step(step: IntegerStep, widths: Sequence[int], epoch: int = 0, number: int = 0) -> RecordedStep:
    """Return the masks of `step`; the other arguments are those of `recorded_forward`."""
    return recorded_forward([record.forward for record in step.samples], widths, epoch, number)


def recorded_forward(
    samples: Sequence[Sequence[LayerForward]], widths: Sequence[int], epoch: int = 0, number: int = 0
) -> RecordedStep:
    """Return the masks of forward passes, bias columns left out; entries of value 0 are listed and did not fire.

    Parameters
    ----------
    samples
        What `forward` returned for each.
    widths
        Width of the input and of each layer, (F, H_0, ...).
    epoch, number
        When the step took place; see `workloads.trace.RecordedStep`.
    """
    lengths = np.array([len(layers[0].fired_x) for layers in samples], dtype=np.int64)

    def masks(layer: int, stream: str, width: int, least: int) -> NDArray[np.bool_]:
        found = np.zeros((int(lengths.max()), len(lengths), width + 1), dtype=np.bool_)  # the last one for the bias
        for b, ran in enumerate(samples):
            for t, fired in enumerate(getattr(ran[layer], stream)):
                found[t, b, fired.columns[np.abs(fired.delta) >= least]] = True
        return found[:, :, :width]

    layers = range(len(widths) - 1)
    streams = (("fired_x", widths[:-1]), ("fired_h", widths[1:]))
    (fired_x, asked_x), (fired_h, asked_h) = (
        [tuple(masks(layer, name, of[layer], least) for layer in layers) for least in (1, 0)] for name, of in streams
    )
    pairs = zip((*fired_x, *fired_h), (*asked_x, *asked_h), strict=True)
    if all(np.array_equal(*pair) for pair in pairs):
        return RecordedStep(epoch, number, lengths, fired_x, fired_h)
    return RecordedStep(epoch, number, lengths, fired_x, fired_h, asked_x, asked_h)


def _forward_layer(network: IntegerNetwork, layer: IntegerLayer, least: tuple[int, int], x: Integers) -> LayerForward:
    state, steps = integer_layer.first_state(network.cell, layer), []
    for t, x_now in enumerate(x):
        state, left = integer_layer.forward(network.cell, layer, least, state, x_now, first=t == 0)
        steps.append((left.fired_x, left.fired_h, state.memory, state.cell_state, state.h, left.tape))
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
    formats, lanes, h = network.engine.formats, network.engine.lanes, network.cell.encoder.emitted(ran[-1].h)
    g_above = np.zeros_like(h)
    for t, g in reversed(list(zip(read_steps(network, len(h)), g_logits, strict=True))):
        g_above[t] = matvec_t.result(parameters.readout[:, :-1], g, lanes, formats)
        gradients.readout[:] = outer.result(gradients.readout, g, with_one(network.engine, h[t]), formats)
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
    adjoint = integer_layer.last_adjoint(network.cell, layer)
    g_hs, g_memories = np.zeros_like(ran.h), np.zeros_like(ran.memory)
    g_xs = np.zeros((len(ran.h), len(adjoint.g_x_hat)), np.int64)
    for t in reversed(range(len(ran.h))):
        step = LayerStep(ran.fired_x[t], ran.fired_h[t], ran.tape[t])
        adjoint, g_hs[t] = integer_layer.backward(network.cell, layer, step, adjoint, g_above[t], dW)
        g_memories[t] = adjoint.g_memory
        if wants_input:
            adjoint, g_xs[t] = integer_layer.input_gradient(network.cell, layer, step, adjoint)
    return LayerBackward(g_hs, g_memories, g_xs if wants_input else None)


def read_steps(network: IntegerNetwork, steps: int) -> range:
    """Return which of a sample's steps are classified."""
    return range(steps - 1, steps) if network.readout == "last" else range(steps)
