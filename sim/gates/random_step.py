"""Random training steps of any shape, with any numbers that the formats hold: what gates are compared on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC, CellArithmetic
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


class _Sizes(NamedTuple):
    """Sizes of a network."""

    features: int
    hidden: tuple[int, ...]
    classes: int

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Inputs and neurons of each layer."""
        return list(zip((self.features, *self.hidden[:-1]), self.hidden, strict=True))


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
    sizes = _Sizes(features, hidden, classes)
    parameters = _parameters(rng, arithmetic, sizes, engine.formats.weight, scale)
    exist = _existing(rng, parameters, sizes, density) if density < 1 else None
    spikes = not encoder_mode(arithmetic.ENCODER).HELD
    samples = _samples(rng, features, lengths, 1 << engine.formats.activation.fraction_bits, spikes=spikes)
    learned = TASKS.load(task)
    wanted = drawn_labels(learned.wanted(readout), max(lengths), len(lengths), classes, rng)
    labels = integer_labels(wanted, learned.wanted(readout), np.array(lengths), engine)
    least = ((0, 0) if spikes else thresholds,) * len(hidden)
    network = IntegerNetwork(arithmetic, engine, least, readout, learned.MODE, code_bits=code_bits)
    network = network._replace(tiles=architecture.summing_tiles)
    rate = int(rng.integers(1, 1 << (engine.formats.learning_rate.bits - 2)))
    return NumberedStep(architecture, network, parameters, samples, labels, rate, updates, exist=exist)


def _parameters(
    rng: np.random.Generator, arithmetic: CellArithmetic, sizes: _Sizes, weight: NumberFormat, scale: float
) -> IntegerParameters:
    """Return weights in `scale` of the range of their format."""

    def values(*shape: int) -> Integers:
        return rng.integers(int(weight.lowest * scale), int(weight.highest * scale), shape, endpoint=True)

    layers = []
    for inputs, width in sizes.layers:
        W_x = values(len(arithmetic.BLOCKS_X) * width, inputs + arithmetic.BIAS_X)
        W_h = values(len(arithmetic.BLOCKS_H) * width, width + arithmetic.BIAS_H)
        layers.append(IntegerLayer(W_x, W_h))
    return IntegerParameters(tuple(layers), values(sizes.classes, sizes.hidden[-1] + 1))


def _existing(
    rng: np.random.Generator, parameters: IntegerParameters, sizes: _Sizes, density: float
) -> tuple[NDArray[np.bool_], ...]:
    """Return which weights exist, bias columns apart, by matrix; the others become zero."""
    widths = [width for layer in sizes.layers for width in layer]
    pairs = zip(parameters.matrices(), (*widths, sizes.hidden[-1]), strict=True)
    exist = tuple(rng.random((len(matrix), width)) < density for matrix, width in pairs if len(matrix))
    for matrix, mask in zip(parameters.stored(), exist, strict=True):
        matrix[:, : mask.shape[1]] *= mask
    return exist


def _samples(
    rng: np.random.Generator, features: int, lengths: tuple[int, ...], one: int, *, spikes: bool
) -> tuple[Integers, ...]:
    """Return inputs between -1 and 1, or spikes, of which 0.7 are not zero."""
    return tuple(
        np.where(rng.random((steps, features)) < 0.7, one if spikes else rng.integers(-one, one, (steps, features)), 0)
        for steps in lengths
    )
