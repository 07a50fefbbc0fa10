"""The recurrence of any cell: streams listed, M made of them, g(M) of what comes back.

What a list is, what holds from step to step and how M adds up is the affair of the cell's `STREAMS` (`_delta` or
`_spikes`); what follows from M is the cell's own.
"""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.layer import Layer, LayerState, LayerTape
from deltatrain.workloads.arrays.packing import Array, Packing, led_starts
from deltatrain.workloads.cells import Cell
from deltatrain.workloads.cells._products import backward_product, forward_product, transposed, weight_gradient
from deltatrain.workloads.cells._steps import Recurrent, steps_of
from deltatrain.workloads.cells._weights import gather, spread


def forward(
    cell: Cell,
    layer: Layer,
    x: Array,
    theta_x: float,
    theta_h: float,
    packing: Packing,
    state: LayerState | None = None,
) -> LayerTape:
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
        Thresholds of the input and the recurrent stream, at least 0; spikes have none.
    packing
        Where the steps lie.
    state
        What it goes on from; left out, samples begin.
    """
    held = state.held if state else None
    W_x = spread(layer.W_x, cell.TARGETS_X, cell.ACCUMULATORS)
    W_h_T = transposed(spread(layer.W_h, cell.TARGETS_H, cell.ACCUMULATORS))
    width, samples = layer.W_h.shape[1], packing.samples
    steps = steps_of(cell, len(packing.active))
    streams = steps.streams
    delta_x, fired_x = streams.encode(x, theta_x, packing, held and held.x_hat)
    # x does not depend on this layer's own recurrence, so one product serves all steps
    memory_x = forward_product(delta_x, fired_x, W_x)  # (N, A*H)
    delta_h, fired_h = np.zeros((packing.rows, width), x.dtype), np.zeros((packing.rows, width), np.bool_)
    values = np.empty((len(cell.VALUES), samples + packing.rows, width), x.dtype)
    values[:, :samples] = state.values[:, packing.order] if state else 0
    h = values[cell.VALUES.index("h")]
    h_hat = held.h_hat[packing.order] if held else np.zeros((samples, width), x.dtype)
    M = held.M[packing.order] if held else np.tile(layer.bias, (samples, 1))
    threshold = streams.lowest_threshold(theta_h, x.dtype)
    recurrent = Recurrent(h, h_hat, threshold, delta_h, fired_h, W_h_T, np.empty_like(M))
    starts = led_starts(packing)
    for t, (n, start) in enumerate(zip(packing.active, packing.start, strict=True)):
        memory, before = M[:n], starts[t]
        streams.begin(memory, layer.bias)
        steps.enter(memory, memory_x, recurrent, before, start)
        steps.forward(memory, values, before, starts[t + 1])
    asked_x, asked_h = streams.asked(x, fired_x, theta_x), streams.asked(delta_h, fired_h, theta_h)
    if asked_h is not fired_h:
        asked_h[:samples] = fired_h[:samples]  # to what was before the first step, if anything, no gradient goes
    return LayerTape(delta_x, fired_x, delta_h, fired_h, asked_x, asked_h, values, M, W_h_T)


def backward(
    cell: Cell, layer: Layer, tape: LayerTape, g_h: Array, beta: float, packing: Packing
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
    back_h = backward_product(W_h, tape.asked_h, tape.W_h_T) if cell.TARGETS_H else None
    width, samples, blocks = layer.W_h.shape[1], packing.samples, len(cell.ACCUMULATORS)
    steps = steps_of(cell, len(packing.active))
    step_back = steps.backward(tape.values, packing)
    total = np.zeros((samples, width), g_h.dtype)  # g(h[t]) through the recurrent stream
    g_h_hat, carry = np.zeros_like(total), np.zeros_like(total)
    carried_M = np.zeros((samples, blocks * width), g_h.dtype)
    g_M = np.empty((packing.rows, blocks * width), g_h.dtype)
    g_regular = beta * np.sign(tape.delta_h) if beta else None
    for t in reversed(range(len(packing.active))):
        n, start = packing.active[t], packing.start[t]
        rows, g = slice(start, start + n), total[:n]
        memory = g_M[rows]
        step_back(t, g, g_h[rows], carry[:n], memory, carried_M[:n])
        if back_h is None:
            g[...] = 0
            continue
        asked = tape.asked_h[rows]
        back_h(memory, asked, g)
        steps.adjoint(g, g_h_hat[:n], asked, None if g_regular is None else g_regular[rows])
    gradients = Layer(
        gather(weight_gradient(g_M, tape.delta_x, tape.fired_x), cell.TARGETS_X, cell.ACCUMULATORS),
        gather(weight_gradient(g_M, tape.delta_h, tape.fired_h), cell.TARGETS_H, cell.ACCUMULATORS)
        if cell.TARGETS_H
        else np.zeros_like(layer.W_h),
        steps.streams.bias_gradient(g_M, carried_M),
    )
    return gradients, g_M


def input_gradient(cell: Cell, layer: Layer, tape: LayerTape, g_M: Array, beta: float, packing: Packing) -> Array:
    """Return the gradient of a layer's input, packed, shape (N, I), from g(M) of all steps, shape (N, A*H)."""
    g_delta = np.empty(tape.delta_x.shape, g_M.dtype)
    W_x = spread(layer.W_x, cell.TARGETS_X, cell.ACCUMULATORS)
    backward_product(W_x, tape.asked_x)(g_M, tape.asked_x, g_delta)
    if beta:
        g_delta += beta * np.sign(tape.delta_x)
    return steps_of(cell, 0).streams.encode_adjoint(g_delta, tape.asked_x, packing)
