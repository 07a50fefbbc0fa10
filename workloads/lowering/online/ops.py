"""What each kind of op of online learning fills into the op table, and what it waits for.

A trace may change when the lanes have taken the one before, and likewise g(u), of which one step is kept. Forward, and
from the loss to the layers, ops fill in what those of any training step do (`workloads.lowering.ops`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.arrays import of_first_columns
from deltatrain.accel.cell_arithmetic import bytes_of
from deltatrain.accel.modes import trace
from deltatrain.workloads.lowering import ops as others
from deltatrain.workloads.lowering.lists import Lists
from deltatrain.workloads.lowering.online.kinds import LIST_TRACES, SIGNAL, TRACE
from deltatrain.workloads.lowering.op_kinds import (
    CELL_BACKWARD,
    ENCODE,
    LOSS,
    MATVEC_T,
    OUTER,
    READ_OUTER,
    READ_T,
    OpKind,
)
from deltatrain.workloads.lowering.op_order import Points
from deltatrain.workloads.lowering.ops.given import Columns, StepInputs, by_layer, stacked
from deltatrain.workloads.lowering.placement import signal_matrices
from deltatrain.workloads.lowering.trace_room import LOGITS_KEPT, entry_bytes

_BACKWARD_MULTIPLIES = 1
"""Of a neuron: g(s) times the slope; no gradient comes from the step after."""


@dataclass(frozen=True, eq=False)
class OnlineInputs(StepInputs):
    """A training step whose steps learn at once; `traces` has the lists of the traces that are not zero."""

    traces: Lists

    @property
    def on_traces(self) -> StepInputs:
        """The same with the lists of traces in the place of those of spikes."""
        return replace(self, lists=self.traces)


def _trace(given: OnlineInputs, kind: OpKind, points: Points) -> Columns:
    widths = [one.width for one in given.streams(kind.stream)]
    chunks = [-(-width // given.architecture.engine.elementwise_lanes) for width in widths]
    read = np.maximum(
        given.rows(OUTER.of(kind.stream), points, step=-1), given.rows(LIST_TRACES.of(kind.stream), points, step=-1)
    )
    return given.codes(kind) | {
        "count": trace.MULTIPLIES * by_layer(widths, points),
        "words": by_layer(chunks, points),
        "depends": [given.rows(ENCODE.of(kind.stream), points), read],
    }


def _list_traces(given: OnlineInputs, kind: OpKind, points: Points) -> Columns:
    lists = given.traces.x if kind.stream == "x" else given.traces.h
    fired = stacked([one.fired for one in lists], points)
    more_bytes = entry_bytes(given.architecture, given.shape) - given.lists.entry_bytes
    return given.codes(kind) | {
        "count": fired,
        "words": stacked([one.scan_cycles for one in lists], points),
        "rows": by_layer([one.width for one in lists], points),
        "written_bytes": fired * more_bytes,
        "depends": [given.rows(TRACE.of(kind.stream), points)],
    }


def _signal(given: OnlineInputs, kind: OpKind, points: Points) -> Columns:
    """Return products with the matrices that bring a layer its signal; their columns are its neurons."""
    layers = range(len(given.shape.hidden) - 1)
    sizes = signal_matrices(given.shape, given.architecture)
    widths = [sizes["readout", layer].columns for layer in layers]
    arrays = given.architecture.engine.arrays
    return given.codes(kind) | {
        "count": by_layer(widths, points),
        "turns": by_layer([of_first_columns(width, arrays) for width in widths], points),
        "dense_count": by_layer(widths, points),
        "words": by_layer([sizes["readout", layer].words for layer in layers], points),
        "rows": by_layer([sizes["readout", layer].rows for layer in layers], points),
        "tensor": by_layer([given.placed.index("weights", "readout", layer) for layer in layers], points),
        "depends": [_last(given, LOSS, points)],
    }


def _last(given: StepInputs, kind: OpKind, points: Points) -> NDArray[np.int64]:
    """Return the rows of ops of the last layer in the same steps."""
    last = np.full_like(points[0], len(given.shape.hidden) - 1)
    return given.rows(kind, (last, *points[1:]))


def _cell_backward(given: OnlineInputs, kind: OpKind, points: Points) -> Columns:
    """Return the gradients of the potentials: of the step alone, so that neither g(u) of another nor a tape is read."""
    arithmetic, formats = given.shape.arithmetic, given.architecture.engine.formats
    width = by_layer(given.shape.hidden, points)
    above = [given.rows(READ_T, points), given.rows(SIGNAL, points), given.rows(MATVEC_T.x, points, layer=1)]
    taken = np.maximum(given.rows(OUTER.x, points, step=-1), given.rows(OUTER.h, points, step=-1))
    potential_bytes = bytes_of(arithmetic, arithmetic.TAPE, formats)
    return others.COLUMNS[kind](given, kind, points) | {
        "count": _BACKWARD_MULTIPLIES * width,
        "rows": (potential_bytes + formats.gradient.bytes) * width,
        "depends": [np.maximum.reduce(above), taken],
    }


def _outer(given: OnlineInputs, kind: OpKind, points: Points) -> Columns:
    """Return products of g(u) and traces; what an op reads of dW must have been written by the step before."""
    listed = given.rows(LIST_TRACES.of(kind.stream), points)
    return others.COLUMNS[kind](given.on_traces, kind, points) | {
        "depends": [given.rows(CELL_BACKWARD, points), given.rows(kind, points, step=-1), listed],
        "list_from": listed,
    }


def _loss(given: OnlineInputs, kind: OpKind, points: Points) -> Columns:
    columns = others.COLUMNS[kind](given, kind, points)
    taken = given.rows(READ_OUTER, points, step=-LOGITS_KEPT)
    return columns | {"depends": [*columns["depends"], taken]}


def _read_outer(given: OnlineInputs, kind: OpKind, points: Points) -> Columns:
    columns = others.COLUMNS[kind](given, kind, points)
    return columns | {"depends": [*columns["depends"], given.rows(kind, points, step=-1)]}


COLUMNS: dict[OpKind, Callable[[OnlineInputs, OpKind, Points], Columns]] = {
    **others.COLUMNS,
    TRACE.x: _trace,
    TRACE.h: _trace,
    LIST_TRACES.x: _list_traces,
    LIST_TRACES.h: _list_traces,
    SIGNAL: _signal,
    LOSS: _loss,
    CELL_BACKWARD: _cell_backward,
    OUTER.x: _outer,
    OUTER.h: _outer,
    READ_OUTER: _read_outer,
}
"""For each kind the function that gives the columns of the op table for all of its ops."""
