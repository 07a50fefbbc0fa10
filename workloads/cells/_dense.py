"""The same cells without thresholds: what a dense network computes, equal to the delta network at theta = 0.

Every column of every step is used, so M is a plain matrix product at each step and nothing is carried but the cell's
own state. Dense pre-training runs this because it needs neither encoder nor accumulation.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.layer import Layer, LayerState, LayerTape
from deltatrain.workloads.arrays.packing import Array, Packing, led_starts, rows_before
from deltatrain.workloads.cells import Cell
from deltatrain.workloads.cells._products import transposed
from deltatrain.workloads.cells._steps import steps_of
from deltatrain.workloads.cells._weights import gather, spread


def forward(cell: Cell, layer: Layer, x: Array, packing: Packing, state: LayerState | None = None) -> LayerTape:
    """Run one layer over all its steps; parameters as in `_recurrence.forward`.

    In the tape every element counts as fired but those of the recurrent stream into the first step of samples that
    begin, where there is no h yet.
    """
    W_x = spread(layer.W_x, cell.TARGETS_X, cell.ACCUMULATORS)
    W_h_T = transposed(spread(layer.W_h, cell.TARGETS_H, cell.ACCUMULATORS))
    width, samples = layer.W_h.shape[1], packing.samples
    memory = x @ W_x.T  # (N, A*H)
    memory += layer.bias
    values = np.zeros((len(cell.VALUES), samples + packing.rows, width), x.dtype)
    h = values[cell.VALUES.index("h")]
    if state:
        values[:, :samples] = state.values[:, packing.order]
    memory_h = np.empty((samples, memory.shape[1]), x.dtype)
    M = np.empty_like(memory_h)
    starts, steps = led_starts(packing), steps_of(cell, len(packing.active))
    for t, (n, start) in enumerate(zip(packing.active, packing.start, strict=True)):
        before, now = starts[t], starts[t + 1]
        np.dot(h[before : before + n], W_h_T, out=memory_h[:n])
        np.add(memory[start : start + n], memory_h[:n], out=M[:n])
        steps.forward(M[:n], values, before, now)
    fired_h = np.full((packing.rows, width), bool(cell.TARGETS_H))
    fired_h[:samples] &= state is not None
    fired_x = np.ones(x.shape, np.bool_)
    return LayerTape(x, fired_x, h[rows_before(packing)], fired_h, fired_x, fired_h, values, M, W_h_T)


def backward(cell: Cell, layer: Layer, tape: LayerTape, g_h: Array, packing: Packing) -> tuple[Layer, Array]:
    """Run one layer backwards; parameters and results as in `_recurrence.backward`."""
    W_h = spread(layer.W_h, cell.TARGETS_H, cell.ACCUMULATORS)
    width, samples, blocks = layer.W_h.shape[1], packing.samples, len(cell.ACCUMULATORS)
    step_back = steps_of(cell, len(packing.active)).backward(tape.values, packing)
    total = np.zeros((samples, width), g_h.dtype)
    carry = np.zeros_like(total)
    g_M = np.empty((packing.rows, blocks * width), g_h.dtype)
    for t in reversed(range(len(packing.active))):
        n, start = packing.active[t], packing.start[t]
        rows, g = slice(start, start + n), total[:n]
        step_back(t, g, g_h[rows], carry[:n], g_M[rows], None)
        np.dot(g_M[rows], W_h, out=g)
    gradients = Layer(
        gather(g_M.T @ tape.delta_x, cell.TARGETS_X, cell.ACCUMULATORS),
        gather(g_M.T @ tape.delta_h, cell.TARGETS_H, cell.ACCUMULATORS),
        g_M.sum(axis=0),
    )
    return gradients, g_M


def input_gradient(cell: Cell, layer: Layer, g_M: Array) -> Array:
    """Return the gradient of a layer's input, packed, shape (N, I), from g(M) of all steps, shape (N, A*H)."""
    return g_M @ spread(layer.W_x, cell.TARGETS_X, cell.ACCUMULATORS)
