"""The gated recurrent unit, reset after the matrix product (as in torch.nn.GRU).

r = sigmoid(M_r), z = sigmoid(M_z), n = tanh(M_nx + r * M_nh), h[t] = (1 - z) * n + z * h[t-1]. The candidate's
recurrent part M_nh has an accumulator of its own because r gates it (Neil et al., Delta Networks, ICML 2017).
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array, Packing
from deltatrain.workloads.cells import _delta
from deltatrain.workloads.cells._weights import blocks_of

ARITHMETIC = "gru"  # its integer twin in accel.cells
STREAMS = _delta
ACCUMULATORS = ("r", "z", "nx", "nh")
TARGETS_X = ("r", "z", "nx")
TARGETS_H = ("r", "z", "nh")
VALUES = ("r", "z", "n", "nh", "h")
STATE = ("h",)
TAPE = ("r", "z", "n", "nh", "h_before")
SQUASHED = {"r": "sigmoid", "z": "sigmoid", "n": "tanh"}
SQUARED: tuple[str, ...] = ()
FORGET: tuple[str, ...] = ()


def forward(M: Array, before: Array, now: Array) -> None:
    """Compute one step.

    Parameters
    ----------
    M
        Delta memory, its `ACCUMULATORS` side by side, shape (n, 4H).
    before, now
        The `VALUES` of the previous step and, written here, of this step, shape (5, n, H).
    """
    blocks = blocks_of(M, now.shape[-1])
    r, z, n, nh, h = now
    gates = now[:2]
    np.multiply(blocks[:2], 0.5, out=gates)  # sigmoid(v) = tanh(v / 2) / 2 + 1 / 2; tanh is vectorised, exp is not
    np.tanh(gates, out=gates)
    gates *= 0.5
    gates += 0.5
    nh[...] = blocks[3]
    np.multiply(r, nh, out=n)
    n += blocks[2]
    np.tanh(n, out=n)
    np.subtract(before[4], n, out=h)
    h *= z
    h += n


def backward_factors(values: Array, rows_before: Array, packing: Packing) -> Array:
    """Return what `backward` multiplies with, for all steps at once.

    Parameters
    ----------
    values
        The `VALUES` of all steps, shape (5, B + N, H).
    rows_before
        Row of each step's predecessor in `values`, shape (N,).
    packing
        Where the steps lie.

    Returns
    -------
    Array
        dh/dM of the four accumulators, then dh[t]/dh[t-1] outside M, shape (5, N, H).
    """
    r, z, n, nh, _ = values[:, packing.samples :]
    h_before = values[4, rows_before]
    factors = np.empty((5, *r.shape), r.dtype)
    np.multiply(1 - z, 1 - n * n, out=factors[2])
    np.multiply(factors[2], r, out=factors[3])
    np.multiply(factors[3], nh * (1 - r), out=factors[0])
    np.multiply(h_before - n, z * (1 - z), out=factors[1])
    factors[4] = z
    return factors


def backward(g_h: Array, carry: Array, factors: Array, g_M: Array) -> None:
    """Write this step's own contribution to g(M) and carry the rest of g(h) to the previous step.

    Parameters
    ----------
    g_h
        Gradient of h[t] without what `carry` brings, shape (n, H); changed here.
    carry
        In: gradient that step t + 1 passes to h[t] outside M. Out: the same for h[t-1]. Shape (n, H).
    factors
        This step's block of `backward_factors`, shape (5, n, H).
    g_M
        Written: dC/dM[t] without what later steps add, shape (4, n, H).
    """
    g_h += carry
    np.multiply(g_h, factors[:4], out=g_M)
    np.multiply(g_h, factors[4], out=carry)
