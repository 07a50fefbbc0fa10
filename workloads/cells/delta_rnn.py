"""The plain recurrent cell: h = tanh(M)."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array, Packing
from deltatrain.workloads.cells import _delta

ARITHMETIC = "rnn"  # its integer twin in accel.cells
STREAMS = _delta
ACCUMULATORS = ("h",)
TARGETS_X = ("h",)
TARGETS_H = ("h",)
VALUES = ("h",)
STATE = ("h",)
TAPE = ("h",)
SQUASHED = {"h": "tanh"}
SQUARED = ("h",)
FORGET: tuple[str, ...] = ()


def forward(M: Array, before: Array, now: Array) -> None:
    """Compute one step.

    Parameters
    ----------
    M
        Delta memory, shape (n, H).
    before, now
        The `VALUES` of the previous step and, written here, of this step, shape (1, n, H).
    """
    np.tanh(M, out=now[0])


def backward_factors(values: Array, rows_before: Array, packing: Packing) -> Array:
    """Return what `backward` multiplies with, for all steps at once: dh/dM, shape (1, N, H).

    Parameters
    ----------
    values
        The `VALUES` of all steps, shape (1, B + N, H).
    rows_before
        Unused here: nothing of the previous step enters but through M.
    packing
        Where the steps lie.
    """
    h = values[0, packing.samples :]
    return (1 - h * h)[None]


def backward(g_h: Array, carry: Array, factors: Array, g_M: Array) -> None:
    """Write this step's own contribution to g(M).

    Parameters
    ----------
    g_h
        Gradient of h[t], shape (n, H).
    carry
        Unused here: no path to the previous step but through M. Shape (n, H).
    factors
        This step's block of `backward_factors`, shape (1, n, H).
    g_M
        Written: dC/dM[t] without what later steps add, shape (1, n, H).
    """
    np.multiply(g_h, factors[0], out=g_M[0])
