"""A training step on numbers that no training has made: what gates run of a synthetic workload, which has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.number import Integers, NumberFormat
from deltatrain.sim.gates.step import NumberedStep
from deltatrain.workloads.network.network import initial_parameters
from deltatrain.workloads.tasks import Wanted
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.training.integer_layer import one
from deltatrain.workloads.training.integer_parameters import quantised
from deltatrain.workloads.training.integer_recorded import (
    integer_labels,
    integer_learning_rate,
    integer_network,
    optimiser_of,
)
from deltatrain.workloads.training.integer_training import recorded_step

__all__ = ["drawn_step", "drawn_trace"]

_PARAMETERS, _INPUTS, _LABELS = range(3)  # what is drawn, each from a stream of random numbers of its own


def drawn_step(architecture: Architecture, trace: Trace, recorded: RecordedStep, seed: int) -> NumberedStep:
    """Return a training step of a trace's network, on weights as training begins with.

    The input of the first layer fires exactly as recorded; everything behind it fires as the network makes it, and not
    as the statistics say. So it is another workload than other fidelities simulate (`accel.origin.ANOTHER_WORKLOAD`).

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
    of_step = workload, trace.classes, recorded.lengths, architecture.engine
    network = integer_network(workload, architecture.engine)
    network = network._replace(optimiser=optimiser_of(*of_step), tiles=architecture.summing_tiles)
    rng = np.random.default_rng([seed, _PARAMETERS])
    initial = initial_parameters(trace.sizes, rng, workload.dtype, workload.training.forget_bias)
    fired, least = recorded.fired_x[0], network.thresholds[0][0]
    if fired.any() and least > formats.activation.highest:
        raise ConfigError(
            f"workload.theta_x must be at most the largest activation, "
            f"{np.ldexp(formats.activation.highest, -formats.activation.fraction_bits)}, for an input to fire, "
            f"not {workload.thresholds[0][0]}"
        )
    if network.cell.encoder.HELD:
        x = firing_inputs(fired, least, formats.activation, np.random.default_rng([seed, _INPUTS]))
    else:
        x = fired * np.int64(one(architecture.engine))
    wants, steps = workload.wants, int(recorded.lengths.max())
    labels = drawn_labels(wants, steps, len(recorded.lengths), trace.classes, np.random.default_rng([seed, _LABELS]))
    parameters, exist = quantised(initial, network.arithmetic, formats), recorded.weights or None
    for matrix, mask in zip(parameters.stored(), exist or (), strict=exist is not None):
        matrix[:, : mask.shape[1]] *= mask
    return NumberedStep(
        architecture,
        network,
        parameters,
        tuple(x[:steps, sample] for sample, steps in enumerate(recorded.lengths.tolist())),
        integer_labels(labels, wants, recorded.lengths, architecture.engine),
        integer_learning_rate(workload.training.highest_rate, *of_step),
        exist=exist,
    )


def drawn_trace(architecture: Architecture, trace: Trace, recorded: RecordedStep, seed: int) -> Trace:
    """Return a trace of the masks that a drawn step has, which every fidelity simulates; errors as of `drawn_step`."""
    widths = trace.inputs, *trace.workload.hidden
    masks = recorded_step(drawn_step(architecture, trace, recorded, seed).golden, widths)
    return replace(trace, recorded=(replace(masks, weights=recorded.weights),))


def drawn_labels(
    wants: Wanted, steps: int, samples: int, outputs: int, random: np.random.Generator
) -> NDArray[np.generic]:
    """Return what could be wanted of a batch, of the shape of `StepNumbers.labels`: any classes, or numbers near 0."""
    shape = (steps, samples) if wants.startswith("step") else (samples,)
    if wants.endswith("numbers"):
        return random.standard_normal((*shape, outputs))
    return random.integers(0, outputs, shape)


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
