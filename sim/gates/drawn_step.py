"""A training step of a described workload; numbers that no training has made are drawn at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.modes.encode import threshold
from deltatrain.accel.number import Integers, NumberFormat, quantise
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.lowering.placement import Shape
from deltatrain.workloads.network.network import Sizes, initial_parameters
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.training.integer_parameters import quantised
from deltatrain.workloads.training.integer_training import IntegerNetwork
from deltatrain.workloads.workload import Workload

__all__ = ["drawn_step"]

_PARAMETERS, _INPUTS, _LABELS = range(3)  # what is drawn, each from a stream of random numbers of its own


def drawn_step(architecture: Architecture, trace: Trace, recorded: RecordedStep, seed: int) -> NumberedStep:
    """Return a training step of a trace's network, on weights as training begins with.

    The input of the first layer fires exactly as recorded; everything behind it fires as the network makes it.

    Parameters
    ----------
    architecture
        The machine, whose formats the numbers are in.
    trace
        Whose workload it is: cell, sizes, thresholds, learning rate.
    recorded
        One of its recorded steps.
    seed
        Of weights, inputs and labels.

    Raises
    ------
    ConfigError
        If an input cannot fire because no activation reaches its threshold.
    """
    workload, formats = trace.workload, architecture.engine.formats
    shape = Shape.of(workload.cell, trace.inputs, workload.hidden, trace.classes)
    sizes = Sizes(CELLS.load(workload.cell), trace.inputs, workload.hidden, trace.classes)
    rng = np.random.default_rng([seed, _PARAMETERS])
    initial = initial_parameters(sizes, rng, workload.dtype, workload.training.forget_bias)
    thresholds = tuple((threshold(x, formats), threshold(h, formats)) for x, h in workload.thresholds)
    fired, least = recorded.fired_x[0], thresholds[0][0]
    if fired.any() and least > formats.activation.highest:
        raise ConfigError(
            f"workload.theta_x must be at most the largest activation, "
            f"{np.ldexp(formats.activation.highest, -formats.activation.fraction_bits)}, for an input to fire, "
            f"not {workload.thresholds[0][0]}"
        )
    x = firing_inputs(fired, least, formats.activation, np.random.default_rng([seed, _INPUTS]))
    samples = len(recorded.lengths)
    labels = np.random.default_rng([seed, _LABELS]).integers(0, trace.classes, samples)
    return NumberedStep(
        architecture,
        IntegerNetwork(shape.arithmetic, architecture.engine, thresholds, workload.readout),
        quantised(initial, shape.arithmetic, formats),
        tuple(x[:steps, sample] for sample, steps in enumerate(recorded.lengths.tolist())),
        tuple(labels.tolist()),
        _learning_rate(workload, recorded.lengths, formats.learning_rate),
    )


def firing_inputs(
    fired: NDArray[np.bool_], least: int, activation: NumberFormat, random: np.random.Generator
) -> Integers:
    """Return inputs that fire where `fired` is true and nowhere else, in the format `activation`, of the same shape.

    Where an element fires it moves by its threshold and up to 1.0 more, in either direction but not far from zero;
    elsewhere it stays closer to its held value than the threshold.

    Parameters
    ----------
    fired
        Mask of shape (T, B, F).
    least
        Least difference that fires, from `accel.modes.encode.threshold`; at most ``activation.highest``.
    """
    one, least = 1 << activation.fraction_bits, max(least, 1)
    moves = np.minimum(least + random.integers(0, one, fired.shape), activation.highest)
    signs = np.where(random.random(fired.shape) < 0.5, -1, 1)
    rests = random.integers(1 - least, least, fired.shape)
    furthest = min(max(2 * one, least + one), activation.highest)
    held, x = np.zeros(fired.shape[1:], np.int64), np.zeros(fired.shape, np.int64)
    for t, mask in enumerate(fired):
        far = np.abs(held + signs[t] * moves[t]) > furthest
        moved = held + np.where(far, -np.sign(held), signs[t]) * moves[t]
        x[t] = np.where(mask, moved, np.clip(held + rests[t], activation.lowest, activation.highest))
        held = np.where(mask, moved, held)
    return x


def _learning_rate(workload: Workload, lengths: NDArray[np.int64], number: NumberFormat) -> int:
    """Return the workload's learning rate, divided because the machine sums the loss where training takes a mean."""
    classified = int(lengths.sum()) if workload.readout == "every" else len(lengths)
    return max(int(quantise(np.array(workload.training.learning_rate / classified), number)), 1)
