"""Family: the recurrent cells, one file each; `Cell` says what a member has, README.md how they work together."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from deltatrain.accel.family import ModuleFamily
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.workloads.arrays.few_bit import Coded
from deltatrain.workloads.arrays.packing import Array, Packing

__all__ = ["CELLS", "Cell", "SpikingCell", "Streams"]


class Streams(Protocol):
    """What the input and the recurrent stream of a cell bring, and what that means backward.

    Attributes
    ----------
    HELD
        Vectors that each stream holds, x-hat and h-hat; without any there are no thresholds.
    """

    HELD: int

    def encode_step(self, value: Array, hat: Array, threshold: float, delta: Array, fired: Array) -> None:
        """Write one step's `delta` and `fired`, and move `hat`; all of shape (n, W)."""

    def lowest_threshold(self, theta: float, dtype: np.dtype[np.floating]) -> float:
        """Return the threshold that `encode_step` takes for `theta`."""

    def encode(self, x: Array, theta: float, packing: Packing, held: Array | None = None) -> tuple[Array, Array]:
        """Return the deltas of a stream known beforehand and which of them fired, (N, W); `held` before, (B, W)."""

    def asked(self, value: Array, fired: Array, theta: float) -> Array:
        """Return which elements get a gradient, shape (n, W), of values and what fired of them at this theta."""

    def encode_adjoint(self, g_delta: Array, asked: Array, packing: Packing) -> Array:
        """Return the gradient of a stream's values given that of its deltas, both of shape (N, W)."""

    def adjoint_step(self, g: Array, g_hat: Array, asked: Array) -> None:
        """Turn `g` from g(delta[t]) into g(x[t]), and `g_hat` into that of the step before; shapes (n, W)."""

    def begin(self, M: Array, bias: Array) -> None:
        """Turn M after a step, shape (n, A*H), into what the next one adds its products to."""

    def accumulate(self, g_memory: Array, g_step: Array) -> None:
        """Turn `g_memory` from g(M[t+1]) into g(M[t]), to which step t adds `g_step`."""

    def bias_gradient(self, g_M: Array, g_first: Array) -> Array:
        """Return the gradient of the bias, shape (A*H,), from g(M) of all steps, (N, A*H), and of step 0, (B, A*H)."""


class Cell(Coded, Protocol):
    """A recurrent cell in floating point. Arrays hold packed rows (`workloads.arrays.packing`).

    Attributes
    ----------
    ARITHMETIC
        Its integer twin, a member of `accel.cells`.
    STREAMS
        What its streams bring: `_delta` or `_spikes`.
    ACCUMULATORS
        The H-wide blocks of M, in order; the bias has one vector for each.
    TARGETS_X, TARGETS_H
        Into which accumulator each row block of W_x and W_h adds, in the order of the blocks; without any in
        ``TARGETS_H`` the cell has no recurrent matrix.
    STATE
        Those of its ``VALUES`` that the next step reads; with M, x-hat and h-hat they restart it.
    FORGET
        Those of its ``ACCUMULATORS`` that belong to a forget gate, whose bias begins apart from the others.
    """

    ARITHMETIC: str
    STREAMS: Streams
    ACCUMULATORS: tuple[str, ...]
    TARGETS_X: tuple[str, ...]
    TARGETS_H: tuple[str, ...]
    STATE: tuple[str, ...]
    FORGET: tuple[str, ...]

    def forward(self, M: Array, before: Array, now: Array) -> None:
        """Compute one step: from M, shape (n, A*H), and `before`, its ``VALUES`` `now`, both of shape (V, n, H)."""

    def backward_factors(self, values: Array, rows_before: Array, packing: Packing) -> Array:
        """Return what `backward` multiplies with, for all steps at once, shape (..., N, H)."""

    def backward(self, g_h: Array, carry: Array, factors: Array, g_M: Array) -> None:
        """Write this step's own part of `g_M`, shape (A, n, H), and `carry` the rest of g(h), shape (n, H)."""


@runtime_checkable
class SpikingCell(Cell, Protocol):
    """A cell of leaky neurons. Among its ``VALUES`` are u, the potential, and h, which is 1 for a spike.

    Attributes
    ----------
    NEURON
        What a neuron is; its functions take another one as an argument `neuron` (`accel.family.given`).
    """

    NEURON: LeakyNeuron


CELLS = ModuleFamily[Cell]("deltatrain.workloads.cells", "cell", Cell)
