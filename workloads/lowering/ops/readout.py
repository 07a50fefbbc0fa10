"""Ops of the read-out and the loss."""

from __future__ import annotations

from typing import Any

from deltatrain.accel.arrays import of_first_columns
from deltatrain.accel.modes import MODES
from deltatrain.accel.op_table import MODE_NAMES
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.workloads.lowering.op_kinds import CELL, LOSS, READ, READ_OUTER, READ_REDUCE, READ_T, OpKind
from deltatrain.workloads.lowering.op_order import Points
from deltatrain.workloads.lowering.ops.given import Columns, ColumnsOf, StepInputs


def _read(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    return _on_readout(given, kind) | {"depends": [given.rows(CELL, points)]}


def _loss(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    mode: Any = MODES.load(given.shape.loss)
    return given.codes(kind) | {
        "mode": MODE_NAMES.index(given.shape.loss),
        "count": given.shape.classes,
        "other_count": given.shape.classes * (given.tiles - 1),  # every tile computes it for itself
        "words": mode.class_cycles(given.architecture.engine.formats),
        "depends": [given.rows(READ_REDUCE if given.tiles > 1 else READ, points)],
    }


def _after_loss(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    return _on_readout(given, kind) | {"depends": [given.rows(LOSS, given.grid.made_by(points))]}


def _on_readout(given: StepInputs, kind: OpKind) -> Columns:
    """Return the columns of ops on the read-out, which is dense: it multiplies h as a step leaves it, not a delta."""
    last = len(given.shape.hidden) - 1
    rows, words, columns = given.matrices["readout", last]
    other_words, other_columns = given.beside("readout", last)
    count = columns - int(kind is READ_T)  # the bias column has no gradient to give
    tensor: TensorKind = "gradients" if kind is READ_OUTER else "weights"
    return given.codes(kind) | {
        "count": count,
        "turns": of_first_columns(count, given.architecture.engine.arrays),
        "dense_count": given.shape.hidden[-1] + 1 - int(kind is READ_T),
        "other_count": other_columns,
        "words": words,
        "other_words": other_words,
        "rows": rows,
        "tensor": given.placed.index(tensor, "readout", last),
    }


COLUMNS: dict[OpKind, ColumnsOf] = {READ: _read, LOSS: _loss, READ_T: _after_loss, READ_OUTER: _after_loss}
