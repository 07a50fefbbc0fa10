"""How the steps of a layer are computed: as the cell states them in NumPy, or compiled, to the same bits.

Loading numba takes as long as thousands of steps in NumPy, so a process that computes few never loads it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, cast

from deltatrain.workloads.arrays.packing import Array, Packing, led_starts, rows_before
from deltatrain.workloads.cells import Cell, Streams, _delta
from deltatrain.workloads.cells._weights import blocks_of

STEPS_IN_NUMPY = 10_000
"""Steps of a layer that a process computes in NumPy first: about a CPU second, as long as compiling takes."""

_COMPILED_CELLS = ("delta_lstm", "delta_gru")  # the others are a few calls of NumPy each step

BackwardStep = Callable[[int, Array, Array, Array], None]
"""Of step t, g(h[t]), shape (n, H), and the carry: writes the step's own part of g(M), (n, A*H), and the carry."""


class Steps(NamedTuple):
    """How the steps of a layer are computed.

    Attributes
    ----------
    streams
        What the cell's streams bring.
    forward
        Of M after its products, shape (n, A*H), and the cell's ``VALUES`` of all steps, (V, B + N, H): computes the
        step whose rows of ``VALUES`` begin at the last argument, the step before having them from the third on.
    backward
        Returns what computes a step backwards, given the ``VALUES`` of all steps and the packing.
    """

    streams: Streams
    forward: Callable[[Array, Array, int, int], None]
    backward: Callable[[Array, Packing], BackwardStep]


class _Computed:
    """How many steps of a layer this process has computed."""

    steps = 0


def steps_of(cell: Cell, count: int) -> Steps:
    """Return how the next `count` steps of a layer of `cell` are computed."""
    _Computed.steps += count
    return _compiled(cell) if _Computed.steps > STEPS_IN_NUMPY else _in_numpy(cell)


def _in_numpy(cell: Cell) -> Steps:
    def forward(M: Array, values: Array, before: int, now: int) -> None:
        n = len(M)
        cell.forward(M, values[:, before : before + n], values[:, now : now + n])

    def backward(values: Array, packing: Packing) -> BackwardStep:
        factors = cell.backward_factors(values, rows_before(packing), packing)

        def step(t: int, g_h: Array, carry: Array, g_M: Array) -> None:
            n, start = len(g_h), packing.start[t]
            cell.backward(g_h, carry, factors[:, start : start + n], blocks_of(g_M, g_h.shape[1]))

        return step

    return Steps(cell.STREAMS, forward, backward)


def _compiled(cell: Cell) -> Steps:
    """Return what of the cell there is in compiled form, and the rest in NumPy."""
    stated = _in_numpy(cell)
    streams = cast(Streams, _module("delta")) if cell.STREAMS is _delta else stated.streams
    name = getattr(cell, "__name__", "").removeprefix(f"{__package__}.")
    if name not in _COMPILED_CELLS:
        return stated._replace(streams=streams)
    form = _module(name)

    def backward(values: Array, packing: Packing) -> BackwardStep:
        starts = led_starts(packing)

        def step(t: int, g_h: Array, carry: Array, g_M: Array) -> None:
            form.backward(g_h, carry, values, starts[t], starts[t + 1], g_M)

        return step

    return Steps(streams, form.forward, backward)


def _module(name: str) -> Any:
    return import_module(f"{__package__}._compiled.{name}")
