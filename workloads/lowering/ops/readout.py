"""Ops of the read-out and the loss, and the updates of all matrices at the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.modes import loss
from deltatrain.accel.op_table import MODE_NAMES, NO_OP, PHASES, STREAMS
from deltatrain.accel.tensor import TensorKind
from deltatrain.workloads.lowering.op_kinds import CELL, LOSS, READ, READ_OUTER, READ_REDUCE, READ_T, OpKind
from deltatrain.workloads.lowering.op_order import Points
from deltatrain.workloads.lowering.ops.given import Columns, ColumnsOf, StepInputs


def _read(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    return _on_readout(given, kind) | {"depends": [given.rows(CELL, points)]}


def _loss(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    return given.codes(kind) | {
        "count": given.shape.classes,
        "other_count": given.shape.classes * (given.tiles - 1),  # every tile computes it for itself
        "words": loss.class_cycles(given.architecture.engine.formats),
        "depends": [given.rows(READ_REDUCE if given.tiles > 1 else READ, points)],
    }


def _after_loss(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    return _on_readout(given, kind) | {"depends": [given.rows(LOSS, given.grid.made_by(points))]}


def _on_readout(given: StepInputs, kind: OpKind) -> Columns:
    """Return the columns of ops on the read-out, which is dense: it multiplies h as a step leaves it, not a delta."""
    last = len(given.shape.hidden) - 1
    rows, words, columns = given.matrices["readout", last]
    other_words, other_columns = given.beside("readout", last)
    without_bias = int(kind is READ_T)
    tensor: TensorKind = "gradients" if kind is READ_OUTER else "weights"
    return given.codes(kind) | {
        "count": columns - without_bias,
        "dense_count": given.shape.hidden[-1] + 1 - without_bias,
        "other_count": other_columns,
        "words": words,
        "other_words": other_words,
        "rows": rows,
        "tensor": given.placed.index(tensor, "readout", last),
    }


def enter_updates(given: StepInputs, table: dict[str, NDArray[np.signedinteger]]) -> None:
    """Enter one update for each matrix behind everything else, each after the last op on its gradient."""
    for row, ((stream, layer), (rows, words, columns)) in enumerate(given.matrices.items(), given.grid.order.size):
        gradient = given.placed.index("gradients", stream, layer)
        on_it = np.flatnonzero(table["tensor"][:row] == gradient)
        other_words, other_columns = given.beside(stream, layer)
        values = {
            "mode": MODE_NAMES.index("update"),
            "phase": PHASES.index("WU"),
            "stream": STREAMS.index(stream),
            "count": columns,
            "dense_count": given.whole_matrices[stream, layer].columns,
            "other_count": other_columns,
            "words": words,
            "other_words": other_words,
            "rows": rows,
            "tensor": given.placed.index("weights", stream, layer),
            "second_tensor": gradient,
        }
        for column, value in values.items():
            table[column][row] = value
        table["depends"][row, 0] = on_it[-1] if len(on_it) else NO_OP


COLUMNS: dict[OpKind, ColumnsOf] = {READ: _read, LOSS: _loss, READ_T: _after_loss, READ_OUTER: _after_loss}
