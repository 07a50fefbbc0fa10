"""What the parameters and gradients of one recurrent layer are, whichever cell and whichever way it runs."""

from __future__ import annotations

from typing import NamedTuple

from deltatrain.workloads.arrays.packing import Array


class Layer(NamedTuple):
    """Parameters of one layer, or gradients of the same shapes.

    Attributes
    ----------
    W_x
        Input weights, one block of H rows for each of the cell's `TARGETS_X`, shape (len(TARGETS_X) * H, I).
    W_h
        Recurrent weights, likewise for `TARGETS_H`, shape (len(TARGETS_H) * H, H).
    bias
        One vector for the cell's `ACCUMULATORS`: the delta memory before the first step, shape
        (len(ACCUMULATORS) * H,).
    """

    W_x: Array
    W_h: Array
    bias: Array


class LayerTape(NamedTuple):
    """What one layer's forward pass leaves for its backward pass and for the trace; N packed rows, B samples.

    Attributes
    ----------
    delta_x, delta_h
        What enters the matrix products, shapes (N, I) and (N, H); zero where nothing fired. Row r of `delta_h` is the
        recurrent delta into that step. In a dense pass they are x[t] and h[t-1] themselves.
    fired_x, fired_h
        Which of them fired, boolean, same shapes.
    asked_x, asked_h
        Which of them get a gradient in the backward pass: what fired, and gradient-only neurons; boolean, same shapes.
    values
        The cell's `VALUES` led by B zero rows for the time before the first step, shape (len(VALUES), B + N, H).
    M
        Delta memory of each sample after its last step, in packed order, shape (B, len(ACCUMULATORS) * H).
    W_h_T
        The recurrent matrix that the step was computed with, transposed, shape (H, len(ACCUMULATORS) * H).
    """

    delta_x: Array
    fired_x: Array
    delta_h: Array
    fired_h: Array
    asked_x: Array
    asked_h: Array
    values: Array
    M: Array
    W_h_T: Array


class Held(NamedTuple):
    """What a delta layer holds beside its cells: all that it needs to go on as if it had never stopped.

    Attributes
    ----------
    x_hat, h_hat
        What last fired of each element, shapes (B, I) and (B, H).
    M
        Delta memory, shape (B, len(ACCUMULATORS) * H).
    """

    x_hat: Array
    h_hat: Array
    M: Array


class LayerState(NamedTuple):
    """What one layer goes on from, B samples in the caller's order.

    Attributes
    ----------
    values
        The cell's `VALUES` after the last step, shape (len(VALUES), B, H).
    held
        None begins the deltas anew, from x-hat = h-hat = 0 and M = bias. So it must be after weights have changed, as
        M is a sum of products with the weights that there were.
    """

    values: Array
    held: Held | None = None

    def take(self, samples: Array) -> LayerState:
        """Return the state of some samples, integer, shape (n,)."""
        held = None if self.held is None else Held(*(one[samples] for one in self.held))
        return LayerState(self.values[:, samples], held)


State = tuple[LayerState, ...]
"""A state for each layer; empty where samples begin."""
