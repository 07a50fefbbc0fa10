"""Leaky integrate-and-fire neurons in layers, without a recurrent matrix.

Their equations stand in `accel.leaky_neuron`. I is the sum over the spikes of the layer below and the bias: M of this
step, which no later step keeps, so the bias column fires at every step. A neuron above the lower, gradient threshold
alone is gradient-only: it does not spike, but its weights learn.

Backward the reset is a constant, and the leak passes through it at every step: for a neuron that was listed
g(u[t]) = decay * g(u[t+1]) + g(s[t]) sg(u[t]), and for all others g(s[t]) = 0. These are the equations of the public
code of Finkbeiner et al. (AAAI 2024, arXiv 2311.04386; jrfinkbeiner/graphcore_snn, branch aaai24,
custom_lif_multi_layer), but for two things. Potentials have the unit of the current, which saves a multiplication:
theirs are u' = u / threshold. And there is no delay of a step between layers: the skew of the op order takes its place.

What a neuron is (`NEURON`) is an argument of the functions, so that another one can be given (`accel.family.given`).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.activation import LineTable, from_corners
from deltatrain.accel.engine import Formats
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.modes.encode_spikes import MARK
from deltatrain.accel.number import Integers, NumberFormat, quantise, rescale, round_sum

ACCUMULATORS = 1  # the current I
KEPT = 0
ENCODER = "encode_spikes"
BLOCKS_X: tuple[int, ...] = (0,)
BLOCKS_H: tuple[int, ...] = ()
BIAS_X = True
BIAS_H = False
STATE = ("u",)
TAPE = ("u",)
WIDE = ("u",)
SQUASHED: dict[str, str] = {}
SQUARED: tuple[str, ...] = ()
CARRIES = False
LOOKUPS = 0  # forward; backward one, the surrogate
FORWARD_MULTIPLIES = 1  # decay * u
BACKWARD_MULTIPLIES = 2  # decay * g(u); g(s) times the slope

NEURON = LeakyNeuron()
"""The neuron of whoever gives none."""

DISTANCE = NumberFormat(bits=13, fraction_bits=10)
"""The format of the surrogate table's argument, |u - threshold| up to 4; beyond, the slope stays at its last."""

_SEGMENT_BITS = 8
ENTRY_FRACTION_BITS = 16
"""Fraction bits of the entries of the surrogate's table."""


@cache
def surrogate_table(neuron: LeakyNeuron) -> LineTable:
    """Return the table of the slope of a spike at distances 0 <= d < 4 from the threshold: 256 segments."""
    corners = np.arange((1 << _SEGMENT_BITS) + 1) * 2.0 ** (DISTANCE.bits - 1 - DISTANCE.fraction_bits - _SEGMENT_BITS)
    slopes = neuron.spike_slope.slope(corners / neuron.threshold, neuron.sharpness) / neuron.threshold
    return from_corners(slopes.astype(np.float64), ENTRY_FRACTION_BITS, DISTANCE.bits - 1 - _SEGMENT_BITS)


def surrogate(u: Integers, formats: Formats, neuron: LeakyNeuron = NEURON) -> Integers:
    """Return the slope of a spike at potential `u`, from ``formats.state`` to ``formats.gate``."""
    distance = np.abs(u - quantise(np.array(neuron.threshold), formats.state))
    table = surrogate_table(neuron)
    at = table.at(rescale(distance, formats.state.fraction_bits, DISTANCE))
    return rescale(at, ENTRY_FRACTION_BITS + table.step_bits, formats.gate)


def forward(
    M: Integers, state: Integers, formats: Formats, neuron: LeakyNeuron = NEURON
) -> tuple[Integers, Integers, Integers]:
    """Return the new state, h and the tape of one step.

    Parameters
    ----------
    M
        The current of this step, in ``formats.memory``, shape (1, ..., H).
    state
        u of the step before, in ``formats.state``, shape (1, ..., H).
    formats
        The engine's formats.
    neuron
        What a neuron is.

    Returns
    -------
    tuple[Integers, Integers, Integers]
        ``STATE``; h, shape (..., H): 1.0 in ``formats.activation`` for a spike, `accel.modes.encode_spikes.MARK` for a
        gradient-only neuron, else 0; ``TAPE``, which is the state, shape (1, ..., H).
    """
    gate, wide = formats.gate, formats.state
    (before,) = state
    threshold = quantise(np.array(neuron.threshold), wide)
    leaking = quantise(np.array(neuron.decay), gate) * before
    reset = 0 if neuron.reset == "zero" else leaking - (threshold << gate.fraction_bits)
    leaking = np.where(before > threshold, reset, leaking)
    u = round_sum(wide, (leaking, gate.fraction_bits + wide.fraction_bits), (M[0], formats.memory.fraction_bits))
    spikes, near = _listed_at(u, formats, neuron)
    one = min(1 << formats.activation.fraction_bits, formats.activation.highest)
    return np.stack([u]), np.where(spikes, one, np.where(near, MARK, 0)), np.stack([u])


def backward(
    g_h: Integers,
    carry: Integers,
    tape: Integers,
    g_M: Integers,
    formats: Formats,
    neuron: LeakyNeuron = NEURON,
) -> tuple[Integers, Integers]:
    """Return g(M) = g(u) of this step and the carry, which this cell hands on as it is.

    Parameters
    ----------
    g_h
        Gradient of h in ``formats.gradient``, shape (..., H).
    carry
        Not read, shape (..., H).
    tape
        What `forward` returned.
    g_M
        g(u) of the step after in ``formats.gradient``, shape (1, ..., H).
    formats, neuron
        As in `forward`.
    """
    gate, gradient = formats.gate.fraction_bits, formats.gradient.fraction_bits
    (u,) = tape
    spikes, near = _listed_at(u, formats, neuron)
    slope = np.where(spikes | near, surrogate(u, formats, neuron), 0)
    leaking = quantise(np.array(neuron.decay), formats.gate) * g_M[0]
    stepped = round_sum(formats.gradient, (leaking, gradient + gate), (g_h * slope, gradient + gate))
    return np.stack([stepped]), carry


def _listed_at(u: Integers, formats: Formats, neuron: LeakyNeuron) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    above, near_above = (quantise(np.array(value), formats.state) for value in (neuron.threshold, neuron.near))
    return neuron.listed(u > above, (u > near_above) & (u <= above))
