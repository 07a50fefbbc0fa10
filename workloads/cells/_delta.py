"""The delta network: both streams thresholded, M accumulated forward, g(M) accumulated backward, any cell.

An element fires if it has moved by at least the threshold since it last fired, and has moved at all:
|x - x_hat| >= theta and x != x_hat. The second half matters at theta = 0 only, where it keeps a zero delta from costing
a column, as EdgeDRNN's encoder does. Masks are constants of the backward pass, which therefore skips exactly what the
forward pass skipped and is the exact gradient of the thresholded network.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from workloads.cells._weights import blocks_of, gather, spread
from workloads.layer import Layer, LayerTape
from workloads.packing import Array, Packing, led_starts, rows_before


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


def encode(x: Array, theta: float, packing: Packing) -> tuple[Array, Array]:
    """Return the deltas of a stream known beforehand and which of them fired, both of shape (N, W) as `x`."""
    hat = np.zeros((packing.samples, x.shape[1]), x.dtype)
    delta, fired = np.empty_like(x), np.empty(x.shape, np.bool_)
    threshold = lowest_threshold(theta, x.dtype)
    for n, start in zip(packing.active, packing.start, strict=True):
        rows = slice(start, start + n)
        encode_step(x[rows], hat[:n], threshold, delta[rows], fired[rows])
    return delta, fired


def encode_adjoint(g_delta: Array, fired: Array, packing: Packing) -> Array:
    """Return the gradient of a stream's values given that of its deltas, both of shape (N, W).

    Where it fired, g(x[t]) = g(x_hat[t]) + g(delta[t]) and g(x_hat[t-1]) = -g(delta[t]); elsewhere g(x[t]) = 0 and
    g(x_hat) passes unchanged.
    """
    g_hat = np.zeros((packing.samples, g_delta.shape[1]), g_delta.dtype)
    g_x = g_delta  # overwritten step by step
    for n, start in zip(reversed(packing.active), reversed(packing.start), strict=True):
        rows = slice(start, start + n)
        adjoint_step(g_x[rows], g_hat[:n], fired[rows])
    return g_x


def adjoint_step(g: Array, g_hat: Array, fired: Array) -> None:
    """Turn `g` from g(delta[t]) into g(x[t]) and `g_hat` from g(x_hat[t]) into g(x_hat[t-1]); shapes (n, W)."""
    g += g_hat
    g *= fired
    g_hat -= g


def forward(cell: ModuleType, layer: Layer, x: Array, theta_x: float, theta_h: float, packing: Packing) -> LayerTape:
    """Run one layer over all its steps.

    Parameters
    ----------
    cell
        A member of `workloads.cells`.
    layer
        Parameters.
    x
        Input of all steps, packed, shape (N, I).
    theta_x, theta_h
        Thresholds of the input and the recurrent stream, at least 0.
    packing
        Where the steps lie.
    """
    W_x = spread(layer.W_x, cell.TARGETS_X, cell.ACCUMULATORS)
    W_h_T = np.ascontiguousarray(spread(layer.W_h, cell.TARGETS_H, cell.ACCUMULATORS).T)  # BLAS is twice as fast on it
    width, samples = layer.W_h.shape[1], packing.samples
    delta_x, fired_x = encode(x, theta_x, packing)
    # x does not depend on this layer's own recurrence, so one product serves all steps
    memory_x = delta_x @ W_x.T  # (N, A*H)
    delta_h, fired_h = np.empty((packing.rows, width), x.dtype), np.empty((packing.rows, width), np.bool_)
    values = np.zeros((len(cell.VALUES), samples + packing.rows, width), x.dtype)
    h = values[cell.VALUES.index("h")]
    h_hat = np.zeros((samples, width), x.dtype)
    M = np.tile(layer.bias, (samples, 1))
    memory_h = np.empty_like(M)
    threshold = lowest_threshold(theta_h, x.dtype)
    starts = led_starts(packing)
    for t, (n, start) in enumerate(zip(packing.active, packing.start, strict=True)):
        rows = slice(start, start + n)
        before, now = slice(starts[t], starts[t] + n), slice(starts[t + 1], starts[t + 1] + n)
        encode_step(h[before], h_hat[:n], threshold, delta_h[rows], fired_h[rows])
        np.dot(delta_h[rows], W_h_T, out=memory_h[:n])
        M[:n] += memory_x[rows]
        M[:n] += memory_h[:n]
        cell.forward(M[:n], values[:, before], values[:, now])
    return LayerTape(delta_x, fired_x, delta_h, fired_h, values, M)


def backward(
    cell: ModuleType, layer: Layer, tape: LayerTape, g_h: Array, beta: float, packing: Packing
) -> tuple[Layer, Array]:
    """Run one layer backwards over all its steps.

    Parameters
    ----------
    cell, layer, packing
        As in `forward`.
    tape
        What `forward` returned.
    g_h
        Gradient of every h[t] from above (readout or next layer), packed, shape (N, H).
    beta
        Weight of sum|delta| in what is differentiated.

    Returns
    -------
    tuple[Layer, Array]
        Gradients of the parameters, and g(M) of all steps, shape (N, A*H), from which `input_gradient` goes on.
    """
    W_h = spread(layer.W_h, cell.TARGETS_H, cell.ACCUMULATORS)
    width, samples, blocks = layer.W_h.shape[1], packing.samples, len(cell.ACCUMULATORS)
    factors = cell.backward_factors(tape.values, rows_before(packing), packing)
    fired = tape.fired_h.astype(g_h.dtype)
    total = np.zeros((samples, width), g_h.dtype)  # g(h[t]) through the recurrent stream
    g_h_hat, carry = np.zeros_like(total), np.zeros_like(total)
    step_M = np.empty((samples, blocks * width), g_h.dtype)
    carried_M = np.zeros((samples, blocks * width), g_h.dtype)
    g_M = np.empty((packing.rows, blocks * width), g_h.dtype)
    for n, start in zip(reversed(packing.active), reversed(packing.start), strict=True):
        rows = slice(start, start + n)
        g, memory = total[:n], carried_M[:n]
        g += g_h[rows]
        cell.backward(g, carry[:n], factors[:, rows], blocks_of(step_M[:n], width))
        memory += step_M[:n]  # M accumulates forward, so g(M) accumulates backward
        g_M[rows] = memory
        np.dot(memory, W_h, out=g)
        if beta:
            g += beta * np.sign(tape.delta_h[rows])
        adjoint_step(g, g_h_hat[:n], fired[rows])
    gradients = Layer(
        gather(g_M.T @ tape.delta_x, cell.TARGETS_X, cell.ACCUMULATORS),
        gather(g_M.T @ tape.delta_h, cell.TARGETS_H, cell.ACCUMULATORS),
        carried_M.sum(axis=0),
    )
    return gradients, g_M


def input_gradient(cell: ModuleType, layer: Layer, tape: LayerTape, g_M: Array, beta: float, packing: Packing) -> Array:
    """Return the gradient of a layer's input, packed, shape (N, I), from g(M) of all steps, shape (N, A*H)."""
    g_delta = g_M @ spread(layer.W_x, cell.TARGETS_X, cell.ACCUMULATORS)
    if beta:
        g_delta += beta * np.sign(tape.delta_x)
    return encode_adjoint(g_delta, tape.fired_x, packing)
