"""What rules of online training share: steps forward with traces of what came in, and products of both at each step.

Every presynaptic neuron leaves a trace a[t] = decay * a[t-1] + s[t], which is all that remembers. A rule says what the
gradients at the potentials of a step are; of each, the weights learn dW += g(u[t]) a[t]^T. Memory does not grow with T.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array, Packing, pack, packing_of, sample_of_rows
from deltatrain.workloads.cells import SpikingCell
from deltatrain.workloads.network.fired import Fired, nothing_fired, spikes_in
from deltatrain.workloads.network.network import Network, Parameters, Sizes, row_weights
from deltatrain.workloads.rules import Learned
from deltatrain.workloads.tasks._losses import softmax_loss

Signals = Callable[[Parameters, Array, Sequence[Array]], Sequence[Array]]
"""From the parameters, the gradients of the logits of a step, shape (n, C), and the slope of each layer's spikes, shape
(n, H): the gradient at the potentials of each layer, shape (n, H)."""


class _LayerNow(NamedTuple):
    """What a layer carries from step to step, changed in place: its `VALUES`, (V, B, H), and its traces, (B, ...)."""

    values: Array
    trace_x: Array
    trace_h: Array
    trace_one: Array


def online_step(
    network: Network, parameters: Parameters, x: Array, lengths: NDArray[np.int64], labels: Array, signals: Signals
) -> Learned:
    """Return the loss and the gradients of a rule, of one mini-batch of a spiking network, whose samples begin.

    Beta is not looked at.
    """
    packing, cell = packing_of(lengths), cast(SpikingCell, network.sizes.cell)  # `SPIKES_ONLY`
    packed = pack(x, packing).astype(parameters.W_out.dtype, copy=False)
    owner = sample_of_rows(packing)
    weights = (row_weights(network.readout, packing) * network.weights_of(labels[owner])).astype(packed.dtype)
    layers = [_first(network.sizes, layer, packing) for layer in parameters.layers]
    gradients = Parameters(
        tuple(Layer(*map(np.zeros_like, layer)) for layer in parameters.layers),
        np.zeros_like(parameters.W_out),
        np.zeros_like(parameters.bias_out),
    )
    loss, fired = 0.0, nothing_fired(network.sizes)
    for t, (n, start) in enumerate(zip(packing.active, packing.start, strict=True)):
        below, slopes = packed[start : start + n], []
        for layer, now in zip(parameters.layers, layers, strict=True):
            before_h = now.values[cell.VALUES.index("h"), :n].copy()
            slopes.append(_forward(cell, layer, now, below, before_h))
            spikes = spikes_in(cell, now.values[:, :n])
            fired += _fired(network.sizes, len(slopes) - 1, below, before_h, spikes, first=t == 0)
            below = now.values[cell.VALUES.index("h"), :n]
        rows = np.flatnonzero(weights[start : start + n])
        at = start + rows
        logits = below[rows] @ parameters.W_out.T + parameters.bias_out
        of_step, of_rows = softmax_loss(logits, labels[owner[at]], weights[at])
        loss += of_step
        gradients.W_out[...] += of_rows.T @ below[rows]
        gradients.bias_out[...] += of_rows.sum(axis=0)
        g_logits = np.zeros((n, len(parameters.W_out)), packed.dtype)
        g_logits[rows] = of_rows
        for gradient, now, g_u in zip(gradients.layers, layers, signals(parameters, g_logits, slopes), strict=True):
            _learn(gradient, now, g_u)
    return Learned(loss, gradients, fired)


def _first(sizes: Sizes, layer: Layer, packing: Packing) -> _LayerNow:
    width, samples, dtype = layer.W_h.shape[1], packing.samples, layer.bias.dtype
    shapes = ((len(sizes.cell.VALUES), samples, width), (samples, layer.W_x.shape[1]), (samples, width), (samples, 1))
    return _LayerNow(*(np.zeros(shape, dtype) for shape in shapes))


def _forward(cell: SpikingCell, layer: Layer, now: _LayerNow, below: Array, before_h: Array) -> Array:
    """Move one layer on by a step and return the slope of each of its spikes, shape (n, H)."""
    n = len(below)
    M = below @ layer.W_x.T
    if cell.TARGETS_H:
        M += before_h @ layer.W_h.T
    M += layer.bias
    for trace, seen in ((now.trace_x, below), (now.trace_h, before_h), (now.trace_one, 1.0)):
        trace[:n] *= cell.NEURON.decay
        trace[:n] += seen
    after = np.zeros((len(cell.VALUES), 2 * n, M.shape[1]), M.dtype)
    cell.forward(M, now.values[:, :n], after[:, n:])
    now.values[:, :n] = after[:, n:]
    factors: Array = cell.backward_factors(after, np.arange(n), packing_of(np.ones(n, np.int64)))
    slope: Array = factors[0]
    return slope


def _learn(gradient: Layer, now: _LayerNow, g_u: Array) -> None:
    """Add the products of gradients at the potentials, shape (n, H), and traces."""
    n = len(g_u)
    gradient.W_x[...] += g_u.T @ now.trace_x[:n]
    if len(gradient.W_h):
        gradient.W_h[...] += g_u.T @ now.trace_h[:n]
    gradient.bias[...] += (g_u * now.trace_one[:n]).sum(axis=0)


def _fired(sizes: Sizes, number: int, below: Array, before_h: Array, spikes: tuple[int, ...], *, first: bool) -> Fired:
    """Return the counts of one layer at one step, those of the other layers zero."""
    returning = before_h if sizes.cell.TARGETS_H else before_h[:0]
    counts: tuple[int | np.integer[Any], ...] = (
        np.count_nonzero(below),
        np.count_nonzero(returning),
        below.size,
        0 if first else before_h.size,
        np.count_nonzero(below) + np.count_nonzero(np.signbit(below) & (below == 0)),
        np.count_nonzero(returning) + np.count_nonzero(np.signbit(returning) & (returning == 0)),
        *spikes,
    )
    layers = range(len(sizes.hidden))
    return Fired(*(tuple(int(count) if layer == number else 0 for layer in layers) for count in counts))
