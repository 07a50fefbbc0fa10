"""What the streams of a spiking network bring: spikes, and marks of neurons that say nothing and want a gradient.

A spike is an entry of value 1. A gradient-only neuron hands on minus zero: it adds nothing to any sum, and its sign
says that `matvec_t` is to work out its gradient (in the machine's integers the same is a mark of its own,
`accel.modes.encode_spikes`). All other neurons get no gradient. A network's own input may be of any values; those that
are not zero are listed. Nothing is held from step to step and there is no threshold theta.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array, Packing

HELD = 0
"""Vectors that the encoder holds for each stream."""


def encode_step(value: Array, hat: Array, threshold: float, delta: Array, fired: Array) -> None:
    """Write one step's `delta`, which is `value`, and `fired`; `hat` and `threshold` are not read; shapes (n, W)."""
    delta[...] = value
    np.not_equal(value, 0, out=fired)


def lowest_threshold(theta: float, dtype: np.dtype[np.floating]) -> float:
    """Return `theta`, which nobody reads."""
    return theta


def encode(x: Array, theta: float, packing: Packing, held: Array | None = None) -> tuple[Array, Array]:
    """Return a stream known beforehand, itself, and which of its elements are listed with a value; shapes (N, W)."""
    return x, x != 0


def asked(value: Array, fired: Array, theta: float) -> Array:
    """Return which elements get a gradient, shape (n, W), of values and what fired of them; `theta` is not read."""
    wanted: Array = fired | np.signbit(value)
    return wanted


def encode_adjoint(g_delta: Array, asked: Array, packing: Packing) -> Array:
    """Return the gradient of a stream's values given that of its entries, both of shape (N, W)."""
    g_delta *= asked
    return g_delta


def adjoint_step(g: Array, g_hat: Array, asked: Array) -> None:
    """Turn `g` from the gradient of the entries into that of the values; `g_hat` stays; shapes (n, W)."""
    g *= asked


def begin(M: Array, bias: Array) -> None:
    """Turn M, shape (n, A*H), into what a step adds its products to: the bias alone."""
    M[...] = bias


def accumulate(g_memory: Array, g_step: Array) -> None:
    """Turn `g_memory` from g(M[t+1]) into g(M[t]): M of a step is no part of the next one's, so it is `g_step`."""
    g_memory[...] = g_step


def bias_gradient(g_M: Array, g_first: Array) -> Array:
    """Return the gradient of the bias, which acts in every step, shape (A*H,), from g(M) of all steps, (N, A*H)."""
    gradient: Array = g_M.sum(axis=0)
    return gradient
