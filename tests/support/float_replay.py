"""The float network step by step: restarted from any state, reversed from any tape.

The same equations as `workloads.network.network`, whose products take all steps at once. Sums are made step by step
here, so the two agree to rounding, while all checkpoint policies agree with each other bit for bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.few_bit import KeptValues, keep, value_codes
from deltatrain.workloads.arrays.layer import Layer
from deltatrain.workloads.arrays.packing import Array, pack, packing_of, sample_of_rows
from deltatrain.workloads.cells._weights import blocks_of, gather, spread
from deltatrain.workloads.network.network import Network, Parameters, row_weights
from deltatrain.workloads.tasks._losses import softmax_loss


class LayerState(NamedTuple):
    """What restarts a layer, for B samples: M, shape (B, A*H); x-hat, (B, I); h-hat, (B, H); ``STATE``, (S, B, H)."""

    M: Array
    x_hat: Array
    h_hat: Array
    values: Array


class FiredList(NamedTuple):
    """What is listed of one stream at one step: places in the n rows laid end to end, and the values there."""

    places: NDArray[np.int32]
    delta: Array


class LayerStep(NamedTuple):
    """A layer's tape of one step: two lists, and the cell's ``TAPE``, each of shape (n, H)."""

    fired_x: FiredList
    fired_h: FiredList
    values: KeptValues


class StepTape(NamedTuple):
    """The tape of one step.

    Attributes
    ----------
    layers
        One for each.
    rows, h, g_logits
        Which of the step's rows the read-out reads; their h, shape (R, H), and the gradient of their logits, (R, C).
    loss
        What the step adds to the loss.
    """

    layers: tuple[LayerStep, ...]
    rows: NDArray[np.int64]
    h: Array
    g_logits: Array
    loss: float


class _Adjoint(NamedTuple):
    """What a layer carries backwards, changed in place: g(h), g(h-hat), the cell's carry, g(M), g(x-hat)."""

    g_h: Array
    g_h_hat: Array
    carry: Array
    g_memory: Array
    g_x_hat: Array


class FloatReplay:
    """A network on one mini-batch; a `checkpoint_execution.Replay`.

    Parameters
    ----------
    network, parameters, x, lengths, labels
        As in `workloads.network.network.training_step`; the network has thresholds.
    """

    def __init__(
        self, network: Network, parameters: Parameters, x: Array, lengths: NDArray[np.int64], labels: NDArray[np.int64]
    ) -> None:
        if network.thresholds is None:
            raise ValueError("only a delta network is replayed; thresholds of 0 make the dense one")
        self._cell, self._parameters, self._packing = network.sizes.cell, parameters, packing_of(lengths)
        dtype = parameters.W_out.dtype
        self._x = pack(x, self._packing).astype(dtype, copy=False)
        self._thetas = network.thresholds
        self._beta = network.beta / self._packing.samples
        cell = self._cell
        self._W_x = [spread(layer.W_x, cell.TARGETS_X, cell.ACCUMULATORS) for layer in parameters.layers]
        self._W_h = [spread(layer.W_h, cell.TARGETS_H, cell.ACCUMULATORS) for layer in parameters.layers]
        self._owner, self._labels = sample_of_rows(self._packing), labels
        self._weights = row_weights(network.readout, self._packing).astype(dtype)
        self._codes = value_codes(cell, network.few_bit)
        self._adjoints = [self._no_adjoint(layer) for layer in parameters.layers]
        self._dbias = [np.zeros_like(layer.bias) for layer in parameters.layers]
        self._dW_x = [np.zeros_like(W) for W in self._W_x]
        self._dW_h = [np.zeros_like(W) for W in self._W_h]
        self._dW_out, self._dbias_out = np.zeros_like(parameters.W_out), np.zeros_like(parameters.bias_out)
        self._loss = 0.0

    @property
    def steps(self) -> int:
        """T, the longest sample's."""
        return len(self._packing.active)

    @property
    def loss(self) -> float:
        """The loss of what was reversed so far."""
        return self._loss

    def gradients(self) -> Parameters:
        """Return the gradients of what was reversed so far."""
        cell = self._cell
        layers = tuple(
            Layer(
                gather(dW_x, cell.TARGETS_X, cell.ACCUMULATORS),
                gather(dW_h, cell.TARGETS_H, cell.ACCUMULATORS),
                adjoint.g_memory.sum(axis=0) if cell.STREAMS.HELD else dbias,
            )
            for dW_x, dW_h, dbias, adjoint in zip(self._dW_x, self._dW_h, self._dbias, self._adjoints, strict=True)
        )
        return Parameters(layers, self._dW_out, self._dbias_out)

    def first_state(self) -> tuple[LayerState, ...]:
        """Return the state before step 0: M is the bias, all else zero."""
        return tuple(self._first(layer) for layer in self._parameters.layers)

    def forward(self, t: int, state: tuple[LayerState, ...]) -> tuple[tuple[LayerState, ...], StepTape]:
        """Return the state after step t and its tape."""
        begin, n = self._packing.start[t], self._packing.active[t]
        below, after, steps = self._x[begin : begin + n], [], []
        for number, layer_state in enumerate(state):
            moved, step, below = self._forward_layer(number, layer_state, below)
            after.append(moved)
            steps.append(step)
        return tuple(after), self._read(t, tuple(steps), below)

    def reverse(self, t: int, tape: StepTape) -> None:
        """Back-propagate step t."""
        n = self._packing.active[t]
        g_above = np.zeros((n, self._parameters.W_out.shape[1]), self._x.dtype)
        g_above[tape.rows] = tape.g_logits @ self._parameters.W_out
        self._dW_out += tape.g_logits.T @ tape.h
        self._dbias_out += tape.g_logits.sum(axis=0)
        self._loss += tape.loss
        for number in reversed(range(len(tape.layers))):
            g_above = self._reverse_layer(number, tape.layers[number], g_above, n)

    def residue(self, tape: StepTape) -> StepTape:
        """Refuse: floating-point sums cannot be undone."""
        raise ValueError("a float network cannot be run backwards: its sums round")

    def backtrack(self, t: int, state: tuple[LayerState, ...], residue: StepTape) -> tuple[object, StepTape]:
        """Refuse: floating-point sums cannot be undone."""
        raise ValueError("a float network cannot be run backwards: its sums round")

    def state_bytes(self, state: tuple[LayerState, ...]) -> int:
        """Return the bytes of all layers' arrays."""
        return sum(array.nbytes for layer in state for array in layer)

    def tape_bytes(self, tape: StepTape) -> int:
        """Return the bytes of lists and values of all layers; the read-out's own rows are no tape."""
        return sum(
            layer.values.nbytes + sum(part.nbytes for fired in layer[:2] for part in fired) for layer in tape.layers
        )

    def _forward_layer(self, number: int, state: LayerState, x: Array) -> tuple[LayerState, LayerStep, Array]:
        cell, n = self._cell, len(x)
        M, x_hat, h_hat, carried = (array.copy() for array in state)
        theta_x, theta_h = self._thetas[number]
        h = carried[cell.STATE.index("h"), :n]
        delta_x, list_x = self._listed(x, x_hat[:n], theta_x)
        cell.STREAMS.begin(M[:n], self._parameters.layers[number].bias)
        M[:n] += delta_x @ self._W_x[number].T
        delta_h, list_h = self._listed(h if cell.TARGETS_H else np.zeros_like(h), h_hat[:n], theta_h)
        M[:n] += delta_h @ self._W_h[number].T
        before, now = np.zeros((2, len(cell.VALUES), *h.shape), h.dtype)
        for name, values in zip(cell.STATE, carried, strict=True):
            before[cell.VALUES.index(name)] = values[:n]
        cell.forward(M[:n], before, now)
        tape = keep({name: _named(name, before, now, cell.VALUES) for name in cell.TAPE}, self._codes)
        for name, values in zip(cell.STATE, carried, strict=True):
            values[:n] = now[cell.VALUES.index(name)]
        left = LayerStep(list_x, list_h, tape)
        return LayerState(M, x_hat, h_hat, carried), left, now[cell.VALUES.index("h")]

    def _listed(self, value: Array, hat: Array, theta: float) -> tuple[Array, FiredList]:
        """Return what enters the product, shape (n, W), and the same as a list; `hat` is moved."""
        streams = self._cell.STREAMS
        delta, fired = np.empty_like(value), np.empty(value.shape, np.bool_)
        streams.encode_step(value, hat, streams.lowest_threshold(theta, value.dtype), delta, fired)
        places = np.flatnonzero(streams.asked(value, fired, theta))
        return delta, FiredList(places.astype(np.int32), delta.ravel()[places])

    def _reverse_layer(self, number: int, step: LayerStep, g_above: Array, n: int) -> Array:
        """Reverse one layer by one step and return the gradient of its input, shape (n, I)."""
        cell, W_x, W_h = self._cell, self._W_x[number], self._W_h[number]
        g, g_h_hat, carry, memory, g_x_hat = (array[:n] for array in self._adjoints[number])
        delta_x, asked_x = _dense(step.fired_x, (n, W_x.shape[1]), g.dtype)
        delta_h, asked_h = _dense(step.fired_h, (n, W_h.shape[1]), g.dtype)
        values = np.zeros((len(cell.VALUES), 2 * n, g.shape[1]), g.dtype)
        for name, array in step.values.read(self._codes, g.dtype).items():
            base = name.removesuffix("_before")
            values[cell.VALUES.index(base), slice(0, n) if base != name else slice(n, None)] = array
        factors = cell.backward_factors(values, np.arange(n), packing_of(np.ones(n, np.int64)))
        g += g_above
        step_M = np.empty_like(memory)
        cell.backward(g, carry, factors, blocks_of(step_M, g.shape[1]))
        cell.STREAMS.accumulate(memory, step_M)
        self._dbias[number] += memory.sum(axis=0)
        self._dW_x[number] += memory.T @ delta_x
        self._dW_h[number] += memory.T @ delta_h
        g_x = memory @ W_x
        np.dot(memory, W_h, out=g)
        for g_delta, delta, asked, g_hat in ((g_x, delta_x, asked_x, g_x_hat), (g, delta_h, asked_h, g_h_hat)):
            if self._beta:
                g_delta += self._beta * np.sign(delta)
                self._loss += self._beta * float(np.abs(delta).sum())
            cell.STREAMS.adjoint_step(g_delta, g_hat, asked)
        return g_x

    def _read(self, t: int, steps: tuple[LayerStep, ...], h: Array) -> StepTape:
        """Return the tape of step t with the loss of the rows that are read."""
        begin = self._packing.start[t]
        weights = self._weights[begin : begin + len(h)]
        rows = np.flatnonzero(weights)
        read, weights = h[rows], weights[rows]
        logits = read @ self._parameters.W_out.T + self._parameters.bias_out
        loss, g_logits = softmax_loss(logits, self._labels[self._owner[begin + rows]], weights)
        return StepTape(steps, rows, read, g_logits, loss)

    def _first(self, layer: Layer) -> LayerState:
        samples, dtype, width = self._packing.samples, layer.bias.dtype, layer.W_h.shape[1]
        held = self._cell.STREAMS.HELD
        return LayerState(
            np.tile(layer.bias, (samples, 1)),
            np.zeros((samples, held * layer.W_x.shape[1]), dtype),
            np.zeros((samples, held * width), dtype),
            np.zeros((len(self._cell.STATE), samples, width), dtype),
        )

    def _no_adjoint(self, layer: Layer) -> _Adjoint:
        samples, width = self._packing.samples, layer.W_h.shape[1]
        sizes = (width, width, width, len(layer.bias), layer.W_x.shape[1])
        return _Adjoint(*(np.zeros((samples, size), layer.bias.dtype) for size in sizes))


def _named(name: str, before: Array, now: Array, names: tuple[str, ...]) -> Array:
    """Return the value called `name` of this step, or with ``_before`` behind it of the step before."""
    base = name.removesuffix("_before")
    value: Array = (before if base != name else now)[names.index(base)]
    return value


def _dense(fired: FiredList, shape: tuple[int, int], dtype: np.dtype[np.floating]) -> tuple[Array, Array]:
    """Return the listed values and which elements are listed, both of `shape`."""
    delta, asked = np.zeros(shape, dtype), np.zeros(shape, np.bool_)
    delta.ravel()[fired.places] = fired.delta
    asked.ravel()[fired.places] = True
    return delta, asked
