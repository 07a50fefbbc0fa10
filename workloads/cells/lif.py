"""Leaky integrate-and-fire neurons without a recurrent matrix: what spikes bring leaks away, and too much is a spike.

Their equations and constants, with sources, stand in `accel.leaky_neuron`; `accel.cells.lif` is the machine's form of
the same cell. M is the current I of one step, the bias in it at every step, as of `torch.nn.Linear` before a leaky
neuron.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.workloads.arrays.packing import Array, Packing
from deltatrain.workloads.cells import _spikes as streams

ARITHMETIC = "lif"  # its integer twin in accel.cells
STREAMS = streams
ACCUMULATORS = ("I",)
TARGETS_X: tuple[str, ...] = ("I",)
TARGETS_H: tuple[str, ...] = ()
VALUES = ("u", "h")
STATE = ("u", "h")
TAPE = ("u",)
SQUASHED: dict[str, str] = {}
SQUARED: tuple[str, ...] = ()
FORGET: tuple[str, ...] = ()

NEURON = LeakyNeuron()
"""The neuron of whoever gives none (`accel.family.given`)."""


def forward(M: Array, before: Array, now: Array, neuron: LeakyNeuron = NEURON) -> None:
    """Compute one step.

    Parameters
    ----------
    M
        The current of this step, shape (n, H).
    before, now
        The `VALUES` of the previous step and, written here, of this step, shape (2, n, H). h is 1 for a spike, minus
        zero for a gradient-only neuron.
    neuron
        What a neuron is.
    """
    u, h = now
    np.multiply(before[0], neuron.decay, out=u)
    if neuron.reset == "zero":
        u *= before[0] <= neuron.threshold
    else:
        u -= neuron.threshold * (before[0] > neuron.threshold)
    u += M
    spikes, near = _listed_at(u, neuron)
    h[...] = spikes
    np.negative(h, out=h, where=near)


def backward_factors(values: Array, rows_before: Array, packing: Packing, neuron: LeakyNeuron = NEURON) -> Array:
    """Return what `backward` multiplies with, for all steps at once: the surrogate ds/du of those listed, (1, N, H).

    Parameters
    ----------
    values
        The `VALUES` of all steps, shape (2, B + N, H).
    rows_before
        Unused here: the reset is a constant.
    packing
        Where the steps lie.
    neuron
        As in `forward`.
    """
    u = values[0, packing.samples :]
    spikes, near = _listed_at(u, neuron)
    distance: Array = np.abs(u - neuron.threshold)
    distance *= 1 / neuron.threshold
    slope = neuron.spike_slope.slope(distance, neuron.sharpness)
    slope *= 1 / neuron.threshold
    slope *= spikes | near
    return slope[None]


def backward(g_h: Array, carry: Array, factors: Array, g_M: Array, neuron: LeakyNeuron = NEURON) -> None:
    """Write g(M) of this step, which is g(u), and carry what leaks through to the previous step.

    Parameters
    ----------
    g_h
        Gradient of h[t], shape (n, H); changed here.
    carry
        In: gradient that step t + 1 passes to u[t]. Out: the same for u[t-1]. Shape (n, H).
    factors
        This step's block of `backward_factors`, shape (1, n, H).
    g_M
        Written: dC/dM[t], shape (1, n, H).
    neuron
        As in `forward`.
    """
    g_h *= factors[0]
    np.add(carry, g_h, out=g_M[0])
    np.multiply(g_M[0], neuron.decay, out=carry)


def _listed_at(u: Array, neuron: LeakyNeuron) -> tuple[Array, Array]:
    spiking = u > neuron.threshold
    return neuron.listed(spiking, (u > neuron.near) & ~spiking)
