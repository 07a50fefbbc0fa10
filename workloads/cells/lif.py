"""Leaky integrate-and-fire neurons without a recurrent matrix: what spikes bring leaks away, and too much is a spike.

u[t] = alpha * u[t-1] + I[t], or I[t] alone if u[t-1] was above the spike threshold; s[t] = 1 if u[t] is above it. The
equations, their constants and their sources are in `accel.cells.lif`, the machine's form of the same cell: the hard
reset, decided from the state of the step before; the surrogate slope; at most so many neurons listed; gradient-only
ones among them. M is the current I of one step.
"""

from __future__ import annotations

import numpy as np

from deltatrain.accel.cells.lif import ALPHA, GAIN, GRADIENT_ABOVE, SHARPNESS, SPIKES_ABOVE, listed
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


def forward(M: Array, before: Array, now: Array) -> None:
    """Compute one step.

    Parameters
    ----------
    M
        The current of this step, shape (n, H); zero afterwards, for the next one's.
    before, now
        The `VALUES` of the previous step and, written here, of this step, shape (2, n, H). h is 1 for a spike, minus
        zero for a gradient-only neuron.
    """
    u, h = now
    np.multiply(before[0], ALPHA, out=u)
    u *= before[0] <= SPIKES_ABOVE
    u += M
    spikes, near = _listed_at(u)
    h[...] = spikes
    np.negative(h, out=h, where=near)
    M[...] = 0


def backward_factors(values: Array, rows_before: Array, packing: Packing) -> Array:
    """Return what `backward` multiplies with, for all steps at once: the surrogate ds/du of those listed, (1, N, H).

    Parameters
    ----------
    values
        The `VALUES` of all steps, shape (2, B + N, H).
    rows_before
        Unused here: the reset is a constant.
    packing
        Where the steps lie.
    """
    u = values[0, packing.samples :]
    spikes, near = _listed_at(u)
    slope: Array = np.abs(u - SPIKES_ABOVE)
    slope *= SHARPNESS * GAIN
    slope += 1
    np.multiply(slope, slope, out=slope)
    np.divide(GAIN, slope, out=slope)
    slope *= spikes | near
    return slope[None]


def backward(g_h: Array, carry: Array, factors: Array, g_M: Array) -> None:
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
    """
    g_h *= factors[0]
    np.add(carry, g_h, out=g_M[0])
    np.multiply(g_M[0], ALPHA, out=carry)


def _listed_at(u: Array) -> tuple[Array, Array]:
    spiking = u > SPIKES_ABOVE
    return listed(spiking, (u > GRADIENT_ABOVE) & ~spiking)
