"""The long short-term memory: i, f, o = sigmoid, g = tanh of M; c[t] = f * c[t-1] + i * g; h = o * tanh(c)."""

from __future__ import annotations

from functools import cache

import numpy as np

from deltatrain.workloads.arrays.packing import Array, Packing
from deltatrain.workloads.cells import _delta
from deltatrain.workloads.cells._weights import blocks_of

ARITHMETIC = "lstm"  # its integer twin in accel.cells
STREAMS = _delta
ACCUMULATORS = ("i", "f", "g", "o")
TARGETS_X = ACCUMULATORS
TARGETS_H = ACCUMULATORS
VALUES = ("i", "f", "g", "o", "c", "tanh_c", "h")
STATE = ("c", "h")
TAPE = ("i", "f", "g", "o", "c_before", "tanh_c")
SQUASHED = {"i": "sigmoid", "f": "sigmoid", "g": "tanh", "o": "sigmoid", "tanh_c": "tanh"}
SQUARED: tuple[str, ...] = ()
FORGET = ("f",)


def forward(M: Array, before: Array, now: Array) -> None:
    """Compute one step.

    Parameters
    ----------
    M
        Delta memory, its `ACCUMULATORS` side by side, shape (n, 4H).
    before, now
        The `VALUES` of the previous step and, written here, of this step, shape (7, n, H).
    """
    i, f, g, o, c, tanh_c, h = now
    halves = _halves(now.shape[-1], M.dtype)
    squashed = M * halves  # sigmoid(v) = tanh(v / 2) / 2 + 1 / 2, so one vectorised tanh serves all four gates
    np.tanh(squashed, out=squashed)
    squashed *= halves
    blocks = blocks_of(squashed, now.shape[-1])
    np.add(blocks[:2], 0.5, out=now[:2])
    g[...] = blocks[2]
    np.add(blocks[3], 0.5, out=o)
    np.multiply(i, g, out=tanh_c)  # lent as scratch
    np.multiply(f, before[4], out=c)
    c += tanh_c
    np.tanh(c, out=tanh_c)
    np.multiply(o, tanh_c, out=h)


def backward_factors(values: Array, rows_before: Array, packing: Packing) -> Array:
    """Return what `backward` multiplies with, for all steps at once.

    Parameters
    ----------
    values
        The `VALUES` of all steps, shape (7, B + N, H).
    rows_before
        Row of each step's predecessor in `values`, shape (N,).
    packing
        Where the steps lie.

    Returns
    -------
    Array
        dc/dM of i, f and g; dh/dM of o; dh/dc; dc[t]/dc[t-1]. Shape (6, N, H).
    """
    i, f, g, o, _, tanh_c, _ = values[:, packing.samples :]
    factors = np.empty((6, *i.shape), i.dtype)
    scratch = 1 - i
    scratch *= i
    np.multiply(scratch, g, out=factors[0])
    np.subtract(1, f, out=scratch)
    scratch *= f
    np.multiply(scratch, values[4, rows_before], out=factors[1])
    np.multiply(g, g, out=scratch)
    np.subtract(1, scratch, out=scratch)
    np.multiply(scratch, i, out=factors[2])
    np.subtract(1, o, out=scratch)
    scratch *= o
    np.multiply(scratch, tanh_c, out=factors[3])
    np.multiply(tanh_c, tanh_c, out=scratch)
    np.subtract(1, scratch, out=scratch)
    np.multiply(scratch, o, out=factors[4])
    factors[5] = f
    return factors


def backward(g_h: Array, carry: Array, factors: Array, g_M: Array) -> None:
    """Write this step's own contribution to g(M) and carry g(c) to the previous step.

    Parameters
    ----------
    g_h
        Gradient of h[t], shape (n, H); changed here.
    carry
        In: gradient that step t + 1 passes to c[t]. Out: the same for c[t-1]. Shape (n, H).
    factors
        This step's block of `backward_factors`, shape (6, n, H).
    g_M
        Written: dC/dM[t] without what later steps add, shape (4, n, H).
    """
    np.multiply(g_h, factors[3], out=g_M[3])
    g_h *= factors[4]
    carry += g_h
    np.multiply(carry, factors[:3], out=g_M[:3])
    carry *= factors[5]


@cache
def _halves(width: int, dtype: np.dtype[np.floating]) -> Array:
    """Return 1/2 for the accumulators of sigmoids and 1 for that of g, each `width` times, shape (4H,)."""
    return np.repeat([0.5 if SQUASHED[name] == "sigmoid" else 1.0 for name in ACCUMULATORS], width).astype(dtype)
