"""Leaky integrate-and-fire neurons in layers, without a recurrent matrix.

u[t] = alpha * u[t-1] + I[t], or I[t] alone if u[t-1] was above the spike threshold (hard reset, decided from the state
of the step before); s[t] = 1 if u[t] is above it. I is the sum over the spikes of the layer below: M of this step,
which no later step keeps. A neuron above the lower, gradient threshold alone is gradient-only: it does not spike, but
its weights learn.

Backward the reset is a constant, and the leak passes through it at every step: for a neuron that was listed
g(u[t]) = alpha * g(u[t+1]) + g(s[t]) sg(u[t]), and for all others g(s[t]) = 0. These are the equations of the public
code of Finkbeiner et al. (AAAI 2024, arXiv 2311.04386; jrfinkbeiner/graphcore_snn, branch aaai24,
custom_lif_multi_layer), but for two things. Potentials have one unit, which saves a multiplication: theirs are
u' = `GAIN` * u, so thresholds are divided by `GAIN` here, and the slope of the surrogate is multiplied by it. And
there is no delay of a step between layers: the skew of the op order takes its place.

At most `listed_most` neurons of a layer are listed: spikes before gradient-only ones, low numbers before high ones. The
published code begins at a random neuron, which a checkpoint schedule that runs steps again could not repeat.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.activation import LineTable, from_corners
from deltatrain.accel.engine import Formats
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
CARRIES = False
LOOKUPS = 0  # forward; backward one, the surrogate
FORWARD_MULTIPLIES = 1  # alpha * u
BACKWARD_MULTIPLIES = 2  # alpha * g(u); g(s) times the slope

ALPHA = 0.95
"""The share of a potential that a step leaves (graphcore_snn aaai24: benchmarks)."""

GAIN = 10 * (1 - ALPHA)
"""k of the published equations, by which they multiply the current (graphcore_snn aaai24)."""

SPIKES_ABOVE = 1.0 / GAIN
"""theta_1 = 1 (graphcore_snn aaai24: benchmarks), in units of u."""

GRADIENT_ABOVE = 0.9 / GAIN
"""theta_2 = 0.9 (graphcore_snn aaai24: benchmarks), in units of u."""

SHARPNESS = 10.0
"""beta of the surrogate 1 / (beta |u' - theta_1| + 1)^2 (graphcore_snn aaai24: codelets)."""

LISTED_SHARE = 0.25
"""Share of a layer that is listed at most. Published ones are 0.01 to 0.1 (graphcore_snn aaai24), for layers ten times
wider than those that train here in minutes."""

DISTANCE = NumberFormat(bits=13, fraction_bits=10)
"""The format of the surrogate table's argument, |u - threshold| up to 4; beyond, the slope stays at its last, 1/900."""

_SEGMENT_BITS = 8
_ENTRY_FRACTION_BITS = 16


def listed_most(width: int) -> int:
    """Return how many of `width` neurons are listed at most: an even number, at least 2 (graphcore_snn aaai24)."""
    return max(2, int(LISTED_SHARE * width) // 2 * 2)


def listed(spiking: NDArray[np.bool_], near: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which neurons are listed as spikes and as gradient-only, with at most `listed_most`; shapes (..., H)."""
    most = listed_most(spiking.shape[-1])
    wanted = np.count_nonzero(spiking | near, axis=-1)
    if wanted.max(initial=0) <= most:
        return spiking, near
    spikes = spiking & (np.cumsum(spiking, axis=-1) <= most)
    room = most - np.count_nonzero(spikes, axis=-1)
    return spikes, near & (np.cumsum(near, axis=-1) <= room[..., None])


@cache
def surrogate_table() -> LineTable:
    """Return the table of `GAIN` / (beta * GAIN * d + 1)^2 on distances 0 <= d < 4: 256 segments."""
    corners = np.arange((1 << _SEGMENT_BITS) + 1) * 2.0 ** (DISTANCE.bits - 1 - DISTANCE.fraction_bits - _SEGMENT_BITS)
    return from_corners(
        np.asarray(GAIN / (SHARPNESS * GAIN * corners + 1) ** 2, np.float64),
        _ENTRY_FRACTION_BITS,
        DISTANCE.bits - 1 - _SEGMENT_BITS,
    )


def surrogate(u: Integers, formats: Formats) -> Integers:
    """Return the slope of a spike at potential `u`, from ``formats.state`` to ``formats.gate``."""
    distance = np.abs(u - quantise(np.array(SPIKES_ABOVE), formats.state))
    table = surrogate_table()
    at = table.at(rescale(distance, formats.state.fraction_bits, DISTANCE))
    return rescale(at, _ENTRY_FRACTION_BITS + table.step_bits, formats.gate)


def forward(M: Integers, state: Integers, formats: Formats) -> tuple[Integers, Integers, Integers]:
    """Return the new state, h and the tape of one step.

    Parameters
    ----------
    M
        The current of this step, in ``formats.memory``, shape (1, ..., H).
    state
        u of the step before, in ``formats.state``, shape (1, ..., H).
    formats
        The engine's formats.

    Returns
    -------
    tuple[Integers, Integers, Integers]
        ``STATE``; h, shape (..., H): 1.0 in ``formats.activation`` for a spike, `accel.modes.encode_spikes.MARK` for a
        gradient-only neuron, else 0; ``TAPE``, which is the state, shape (1, ..., H).
    """
    gate, wide = formats.gate, formats.state
    (before,) = state
    leaking = np.where(before > quantise(np.array(SPIKES_ABOVE), wide), 0, quantise(np.array(ALPHA), gate) * before)
    u = round_sum(wide, (leaking, gate.fraction_bits + wide.fraction_bits), (M[0], formats.memory.fraction_bits))
    spikes, near = _listed_at(u, formats)
    one = min(1 << formats.activation.fraction_bits, formats.activation.highest)
    return np.stack([u]), np.where(spikes, one, np.where(near, MARK, 0)), np.stack([u])


def backward(
    g_h: Integers, carry: Integers, tape: Integers, g_M: Integers, formats: Formats
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
    formats
        The engine's formats.
    """
    gate, gradient = formats.gate.fraction_bits, formats.gradient.fraction_bits
    (u,) = tape
    spikes, near = _listed_at(u, formats)
    slope = np.where(spikes | near, surrogate(u, formats), 0)
    leaking = quantise(np.array(ALPHA), formats.gate) * g_M[0]
    stepped = round_sum(formats.gradient, (leaking, gradient + gate), (g_h * slope, gradient + gate))
    return np.stack([stepped]), carry


def _listed_at(u: Integers, formats: Formats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    above, near_above = (quantise(np.array(value), formats.state) for value in (SPIKES_ABOVE, GRADIENT_ABOVE))
    return listed(u > above, (u > near_above) & (u <= above))
