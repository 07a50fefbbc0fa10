"""Random training steps of any shape, with any numbers that the formats hold: what gates are compared on."""

from __future__ import annotations

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.family import given
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.modes import encoder_mode
from deltatrain.accel.number import Integers, NumberFormat
from deltatrain.sim.gates.drawn_step import drawn_labels
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.training.integer_parameters import IntegerLayer, IntegerParameters
from deltatrain.workloads.training.integer_recorded import integer_labels
from deltatrain.workloads.training.integer_training import IntegerNetwork

__all__ = ["random_step"]


def random_step(
    architecture: Architecture,
    cell: str,
    *,
    seed: int | list[int],
    features: int = 4,
    hidden: tuple[int, ...] = (6, 5),
    classes: int = 3,
    lengths: tuple[int, ...] = (3, 2),
    thresholds: tuple[int, int] = (8, 8),
    readout: str = "last",
    task: str = "classification",
    scale: float = 0.5,
    updates: bool = True,
    density: float = 1.0,
    code_bits: int | None = None,
    neuron: LeakyNeuron | None = None,
) -> NumberedStep:
    """Return a step on random weights and inputs.

    Parameters
    ----------
    architecture
        The machine.
    cell
        A member of `accel.cells`.
    seed
        Of all that is drawn.
    features, hidden, classes, lengths
        Sizes of the network, and steps of each sample.
    thresholds
        Least differences that fire, of inputs and of h, in every layer; not looked at where neurons spike.
    readout
        "last" or "every": which steps are classified.
    task
        A member of `workloads.tasks`: what is wanted of them.
    scale
        Share of the range of their format that weights use; at 1 sums saturate.
    updates
        See `NumberedStep`.
    density
        Share of the weights that exist; below 1 columns are compressed.
    code_bits
        Of the codes on its tape, None where that keeps values.
    neuron
        What a neuron of a spiking cell is, the cell's own if left out.
    """
    rng, engine, arithmetic = np.random.default_rng(seed), architecture.engine, CELL_ARITHMETIC.load(cell)
    arithmetic = arithmetic if neuron is None else given(arithmetic, neuron=neuron)
    formats = engine.formats

    def values(number: NumberFormat, *shape: int) -> Integers:
        return rng.integers(int(number.lowest * scale), int(number.highest * scale), shape, endpoint=True)

    layers = []
    for inputs, width in zip((features, *hidden[:-1]), hidden, strict=True):
        W_x = values(formats.weight, len(arithmetic.BLOCKS_X) * width, inputs + arithmetic.BIAS_X)
        W_h = values(formats.weight, len(arithmetic.BLOCKS_H) * width, width + arithmetic.BIAS_H)
        layers.append(IntegerLayer(W_x, W_h))
    parameters = IntegerParameters(tuple(layers), values(formats.weight, classes, hidden[-1] + 1))
    exist = None
    if density < 1:
        widths = [width for inputs, own in zip((features, *hidden), hidden, strict=False) for width in (inputs, own)]
        pairs = zip(parameters.matrices(), (*widths, hidden[-1]), strict=True)
        exist = tuple(rng.random((len(matrix), width)) < density for matrix, width in pairs)
        for matrix, mask in zip(parameters.matrices(), exist, strict=True):
            matrix[:, : mask.shape[1]] *= mask
    one = 1 << formats.activation.fraction_bits
    spikes = not encoder_mode(arithmetic.ENCODER).HELD
    samples = tuple(
        np.where(rng.random((steps, features)) < 0.7, one if spikes else rng.integers(-one, one, (steps, features)), 0)
        for steps in lengths
    )
    learned = TASKS.load(task)
    wanted = drawn_labels(learned.wanted(readout), max(lengths), len(lengths), classes, rng)
    labels = integer_labels(wanted, learned.wanted(readout), np.array(lengths), engine)
    least = ((0, 0) if spikes else thresholds,) * len(hidden)
    network = IntegerNetwork(arithmetic, engine, least, readout, learned.MODE, code_bits=code_bits)
    rate = int(rng.integers(1, 1 << (formats.learning_rate.bits - 2)))
    return NumberedStep(architecture, network, parameters, samples, labels, rate, updates, exist=exist)
