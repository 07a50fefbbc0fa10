"""The streams of a delta network, compiled: the functions of `_delta` that run at every step."""

from __future__ import annotations

from typing import Any

import numpy as np

from deltatrain.accel.compiling import compiled
from deltatrain.workloads.arrays.packing import Array, Packing
from deltatrain.workloads.cells._delta import HELD, asked, begin, bias_gradient, lowest_threshold
from deltatrain.workloads.cells._gathered import add
from deltatrain.workloads.cells._products import most_listed
from deltatrain.workloads.cells._steps import Recurrent

__all__ = [
    "HELD",
    "accumulate",
    "adjoint",
    "adjoint_step",
    "asked",
    "begin",
    "bias_gradient",
    "encode",
    "encode_adjoint",
    "encode_step",
    "enter",
    "lowest_threshold",
]


def encode_step(value: Array, hat: Array, threshold: float, delta: Array, fired: Array) -> None:
    """Write one step's `delta` and `fired` and move `hat` to `value` where it fired; all of shape (n, W)."""
    _encode_step(value, hat, value.dtype.type(threshold), delta, fired)


def encode(x: Array, theta: float, packing: Packing, held: Array | None = None) -> tuple[Array, Array]:
    """Return the deltas of a stream known beforehand and which of them fired, both of shape (N, W) as `x`.

    `held` is what fired before the first step, shape (B, W); nothing if left out.
    """
    hat = np.zeros((packing.samples, x.shape[1]), x.dtype) if held is None else held[packing.order]
    delta, fired = np.empty_like(x), np.empty(x.shape, np.bool_)
    threshold = x.dtype.type(lowest_threshold(theta, x.dtype))
    _encode(x, hat, threshold, delta, fired, np.array(packing.active))
    return delta, fired


def encode_adjoint(g_delta: Array, asked: Array, packing: Packing) -> Array:
    """Return the gradient of a stream's values given that of its deltas, both of shape (N, W)."""
    g_hat = np.zeros((packing.samples, g_delta.shape[1]), g_delta.dtype)
    _encode_adjoint(g_delta, g_hat, asked, np.array(packing.active))
    return g_delta


def enter(M: Array, memory_x: Array, recurrent: Recurrent, before: int, start: int) -> None:
    """Add to M what a step's streams bring; as `Steps.enter`."""
    h, hat, threshold, delta, fired, W_T, product = recurrent
    rows, step = slice(start, start + len(M)), product[: len(M)]
    count = _enter(M, memory_x, h, hat, M.dtype.type(threshold), delta, fired, before, start)
    if count <= most_listed(step.shape[0] * hat.shape[1], step.shape[1]):
        add(delta[rows], fired[rows], W_T, M)
    else:
        np.dot(delta[rows], W_T, out=step)
        accumulate(M, step)


def _enter_rows(
    M: Array,
    memory_x: Array,
    h: Array,
    hat: Array,
    threshold: Any,
    delta: Array,
    fired: Array,
    before: int,
    start: int,
) -> int:
    """Add the input's part to M, encode the recurrent stream, and return how many fired."""
    rows = slice(start, start + len(M))
    accumulate(M, memory_x[rows])
    _encode_step(h[before : before + len(M)], hat, threshold, delta[rows], fired[rows])
    count = 0
    for row in range(start, start + len(M)):
        for j in range(fired.shape[1]):
            count += fired[row, j]
    return count


def adjoint_step(g: Array, g_hat: Array, asked: Array) -> None:
    """Turn `g` from g(delta[t]) into g(x[t]) and `g_hat` from g(x_hat[t]) into g(x_hat[t-1]); shapes (n, W)."""
    adjoint(g, g_hat, asked, None)


def _encode_all(value: Array, hat: Array, threshold: Any, delta: Array, fired: Array, active: Array) -> None:
    start = 0
    for n in active:
        rows = slice(start, start + n)
        _encode_step(value[rows], hat, threshold, delta[rows], fired[rows])
        start += n


def _adjoint_all(g: Array, g_hat: Array, asked: Array, active: Array) -> None:
    end = len(g)
    for n in active[::-1]:
        rows = slice(end - n, end)
        adjoint(g[rows], g_hat, asked[rows], None)
        end -= n


def _encode_rows(value: Array, hat: Array, threshold: Any, delta: Array, fired: Array) -> None:
    for row in range(len(value)):
        for j in range(value.shape[1]):
            moved = value[row, j] - hat[row, j]
            fires = abs(moved) >= threshold
            fired[row, j] = fires
            delta[row, j] = moved * value.dtype.type(fires)
            hat[row, j] = value[row, j] if fires else hat[row, j]


def _adjoint_rows(g: Array, g_hat: Array, asked: Array, more: Array | None) -> None:
    """Turn `g`, with `more` if there is some, from g(delta[t]) into g(x[t]), and `g_hat` too; shapes (n, W)."""
    for row in range(len(g)):
        if more is not None:
            for j in range(g.shape[1]):
                g[row, j] += more[row, j]
        for j in range(g.shape[1]):
            of_value = (g[row, j] + g_hat[row, j]) * g.dtype.type(asked[row, j])
            g[row, j] = of_value
            g_hat[row, j] -= of_value


def _add_rows(total: Array, more: Array) -> None:
    """Add `more` to `total`, shape (n, A*H); so g(M[t+1]) becomes g(M[t]) with what step t adds."""
    for row in range(len(total)):
        for o in range(total.shape[1]):
            total[row, o] += more[row, o]


_encode_step = compiled(_encode_rows)
_encode = compiled(_encode_all)
_enter = compiled(_enter_rows)
adjoint = compiled(_adjoint_rows)
_encode_adjoint = compiled(_adjoint_all)
accumulate = compiled(_add_rows)
