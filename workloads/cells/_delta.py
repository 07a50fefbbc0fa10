"""What the streams of a delta network bring: the elements that moved, by how much, and what that means backward.

An element fires if it has moved by at least the threshold since it last fired, and has moved at all:
|x - x_hat| >= theta and x != x_hat. The second half matters at theta = 0 only, where it keeps a zero delta from costing
a column, as EdgeDRNN's encoder does. Masks are constants of the backward pass, which therefore skips exactly what the
forward pass skipped and is the exact gradient of the thresholded network. At theta = 0 there is nothing to skip by:
every x - x_hat enters M, also where it happens to be zero, so all elements get a gradient, as in the dense network.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import Array, Packing

HELD = 1
"""Vectors that the encoder holds for each stream: x-hat, h-hat."""


def encode_step(value: Array, hat: Array, threshold: float, delta: Array, fired: Array) -> None:
    """Write one step's `delta` and `fired` and move `hat` to `value` where it fired; all of shape (n, W).

    `threshold` must be a positive number: `lowest_threshold` gives it for a theta that may be zero.
    """
    np.subtract(value, hat, out=delta)
    np.greater_equal(np.abs(delta), threshold, out=fired)
    np.multiply(delta, fired, out=delta)
    np.putmask(hat, fired, value)


def lowest_threshold(theta: float, dtype: np.dtype[np.floating]) -> float:
    """Return `theta`, or for zero the smallest positive number, so that one comparison also keeps zero deltas out."""
    return max(float(dtype.type(theta)), float(np.finfo(dtype).smallest_subnormal))


def encode(x: Array, theta: float, packing: Packing, held: Array | None = None) -> tuple[Array, Array]:
    """Return the deltas of a stream known beforehand and which of them fired, both of shape (N, W) as `x`.

    `held` is what fired before the first step, shape (B, W); nothing if left out.
    """
    hat = np.zeros((packing.samples, x.shape[1]), x.dtype) if held is None else held[packing.order]
    delta, fired = np.empty_like(x), np.empty(x.shape, np.bool_)
    threshold = lowest_threshold(theta, x.dtype)
    for n, start in zip(packing.active, packing.start, strict=True):
        rows = slice(start, start + n)
        encode_step(x[rows], hat[:n], threshold, delta[rows], fired[rows])
    return delta, fired


def asked(value: Array, fired: Array, theta: float) -> Array:
    """Return which elements get a gradient, shape (n, W), of values and what fired of them: that, or at theta 0 all."""
    return fired if theta else np.ones_like(fired)


def encode_adjoint(g_delta: Array, asked: Array, packing: Packing) -> Array:
    """Return the gradient of a stream's values given that of its deltas, both of shape (N, W).

    Where it fired, g(x[t]) = g(x_hat[t]) + g(delta[t]) and g(x_hat[t-1]) = -g(delta[t]); elsewhere g(x[t]) = 0 and
    g(x_hat) passes unchanged.
    """
    g_hat = np.zeros((packing.samples, g_delta.shape[1]), g_delta.dtype)
    g_x = g_delta  # overwritten step by step
    for n, start in zip(reversed(packing.active), reversed(packing.start), strict=True):
        rows = slice(start, start + n)
        adjoint_step(g_x[rows], g_hat[:n], asked[rows])
    return g_x


def adjoint_step(g: Array, g_hat: Array, asked: Array) -> None:
    """Turn `g` from g(delta[t]) into g(x[t]) and `g_hat` from g(x_hat[t]) into g(x_hat[t-1]); shapes (n, W)."""
    g += g_hat
    g *= asked
    g_hat -= g


def begin(M: Array, bias: Array) -> None:
    """Leave M, shape (n, A*H), as the step before left it: a step adds deltas to it."""


def accumulate(g_memory: Array, g_step: Array) -> None:
    """Turn `g_memory` from g(M[t+1]) into g(M[t]), `g_step` what step t adds: M sums up forward, g(M) backward."""
    g_memory += g_step


def bias_gradient(g_M: Array, g_first: Array) -> Array:
    """Return the gradient of the bias, shape (A*H,): M begins with it, so that of M at step 0, `g_first`, (B, A*H)."""
    gradient: Array = g_first.sum(axis=0)
    return gradient
