"""How the steps of a layer are computed: as the cell states them in NumPy, or compiled, to the same bits.

Loading numba takes as long as thousands of steps in NumPy, so a process that computes few never loads it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, cast

from deltatrain.workloads.arrays.packing import Array, Packing, led_starts, rows_before
from deltatrain.workloads.cells import Cell, Streams, _delta
from deltatrain.workloads.cells._products import add_forward_product
from deltatrain.workloads.cells._weights import blocks_of

STEPS_IN_NUMPY = 10_000
"""Steps of a layer that a process computes in NumPy first: about a CPU second, as long as compiling takes."""

_COMPILED_CELLS = ("delta_lstm", "delta_gru")  # the others are a few calls of NumPy each step

BackwardStep = Callable[[int, Array, Array, Array, Array, Array | None], None]
"""Of step t, g(h[t]) through the recurrent stream and from above, shape (n, H), the carry, g(M) to be written, shape
(n, A*H), and g(M[t+1]) of the same shape.

It writes the step's own part of g(M) and the carry. The last argument becomes g(M[t]), which is then written instead;
without it the own part is all. The first array of the two that make up g(h[t]) may be changed.
"""


class Recurrent(NamedTuple):
    """The recurrent stream of a layer, all steps: N packed rows, B samples.

    Attributes
    ----------
    h
        What it brings, led by B rows for the time before the first step, shape (B + N, H).
    hat, threshold
        As of `Streams.encode_step`, shape (B, H).
    delta, fired
        Written step by step, shape (N, H).
    W_T
        The recurrent matrix, transposed, shape (H, A*H).
    product
        Room for a step's product, shape (B, A*H).
    """

    h: Array
    hat: Array
    threshold: float
    delta: Array
    fired: Array
    W_T: Array
    product: Array


class Steps(NamedTuple):
    """How the steps of a layer are computed.

    Attributes
    ----------
    streams
        What the cell's streams bring.
    enter
        Adds to M, shape (n, A*H), the step's rows of what the input brings, shape (N, A*H), and then what the recurrent
        stream does. The last arguments: where h of the step before begins, and where the step's packed rows do.
    forward
        Of M after its products, and the cell's ``VALUES`` of all steps, (V, B + N, H): computes the step whose rows
        of ``VALUES`` begin at the last argument, the step before having them from the third on.
    backward
        Returns what computes a step backwards, given the ``VALUES`` of all steps and the packing.
    adjoint
        As `Streams.adjoint_step`, after the last argument, if there is one, is added to the first.
    """

    streams: Streams
    enter: Callable[[Array, Array, Recurrent, int, int], None]
    forward: Callable[[Array, Array, int, int], None]
    backward: Callable[[Array, Packing], BackwardStep]
    adjoint: Callable[[Array, Array, Array, Array | None], None]


class _Computed:
    """How many steps of a layer this process has computed."""

    steps = 0


def steps_of(cell: Cell, count: int) -> Steps:
    """Return how the next `count` steps of a layer of `cell` are computed."""
    _Computed.steps += count
    return _compiled(cell) if _Computed.steps > STEPS_IN_NUMPY else _in_numpy(cell)


def _in_numpy(cell: Cell) -> Steps:
    streams = cell.STREAMS

    def enter(M: Array, memory_x: Array, recurrent: Recurrent, before: int, start: int) -> None:
        n, rows = len(M), slice(start, start + len(M))
        M += memory_x[rows]
        if cell.TARGETS_H:
            delta, fired, hat = recurrent.delta[rows], recurrent.fired[rows], recurrent.hat[:n]
            streams.encode_step(recurrent.h[before : before + n], hat, recurrent.threshold, delta, fired)
            add_forward_product(M, delta, fired, recurrent.W_T, recurrent.product[:n])

    def forward(M: Array, values: Array, before: int, now: int) -> None:
        n = len(M)
        cell.forward(M, values[:, before : before + n], values[:, now : now + n])

    def backward(values: Array, packing: Packing) -> BackwardStep:
        factors = cell.backward_factors(values, rows_before(packing), packing)

        def step(t: int, g_h: Array, g_above: Array, carry: Array, g_M: Array, memory: Array | None) -> None:
            n, start = len(g_h), packing.start[t]
            g_h += g_above
            cell.backward(g_h, carry, factors[:, start : start + n], blocks_of(g_M, g_h.shape[1]))
            if memory is not None:
                streams.accumulate(memory, g_M)
                g_M[...] = memory

        return step

    def adjoint(g: Array, g_hat: Array, asked: Array, more: Array | None) -> None:
        if more is not None:
            g += more
        streams.adjoint_step(g, g_hat, asked)

    return Steps(streams, enter, forward, backward, adjoint)


def _compiled(cell: Cell) -> Steps:
    """Return what of the cell there is in compiled form, and the rest in NumPy."""
    steps = _in_numpy(cell)
    if cell.STREAMS is _delta:
        streams = _module("delta")
        enter = streams.enter if cell.TARGETS_H else steps.enter
        steps = steps._replace(streams=cast(Streams, streams), enter=enter, adjoint=streams.adjoint)
    name = getattr(cell, "__name__", "").removeprefix(f"{__package__}.")
    if name not in _COMPILED_CELLS:
        return steps
    form = _module(name)

    def backward(values: Array, packing: Packing) -> BackwardStep:
        starts = led_starts(packing)

        def step(t: int, g_h: Array, g_above: Array, carry: Array, g_M: Array, memory: Array | None) -> None:
            form.backward(g_h, g_above, carry, values, starts[t], starts[t + 1], g_M, memory)

        return step

    return steps._replace(forward=form.forward, backward=backward)


@cache
def _module(name: str) -> Any:
    return import_module(f"{__package__}._compiled.{name}")
