"""Ops on the matrices of the layers: products forward, products backward, weight gradients, and products undone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.op_table import NO_OP
from deltatrain.accel.tensor_kind import TensorKind
from deltatrain.workloads.lowering.grid import numbered
from deltatrain.workloads.lowering.op_kinds import (
    BROADCAST,
    CELL_BACKWARD,
    ENCODE,
    LOAD_TAPE,
    MATVEC,
    MATVEC_T,
    OUTER,
    OUTER_WORDS,
    REDUCE,
    RESEND,
    SEND_UNDO,
    UNDO,
    UNDO_CELL,
    OpKind,
)
from deltatrain.workloads.lowering.op_order import Points
from deltatrain.workloads.lowering.ops.given import Columns, ColumnsOf, StepInputs, by_layer, stacked
from deltatrain.workloads.lowering.placement import GRADIENTS_OF_WORDS


def _matvec(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    listed = given.rows((BROADCAST if given.tiles > 1 else ENCODE).of(kind.stream), points)
    columns = _fired_columns(given, kind, given.grid.in_steps(points))
    return columns | given.grid.phase(points) | {"depends": [listed], "list_from": listed}


def _outer(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    resent = given.rows(RESEND.of(kind.stream), points)
    first = numbered(points, given.grid.groups.first(points[1], points[2]))
    before = given.rows(kind, numbered(points, first[2] + 1))
    of_groups = _of_groups(given, kind, points) if given.architecture.engine.outer_steps > 1 else {}
    return (
        _fired_columns(given, kind, points)
        | of_groups
        | {
            # Lanes do not pass dW on from one op to the next: what an op reads must have been written.
            "depends": [given.rows(CELL_BACKWARD, points), before, resent],
            "list_from": np.maximum(_list_from(given, kind, points), _list_from(given, kind, first)),
        }
    )


def _of_groups(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    """Return the columns of ops that work through what fired in the groups that end at `points`."""
    groups = [one.groups for one in given.streams(kind.stream) if one.groups is not None]
    return {
        "count": stacked([one.count for one in groups], points),
        "dense_count": stacked([one.dense_count for one in groups], points),
        "list_start": stacked([one.start for one in groups], points),
    }


def _matvec_t(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    lists = given.streams(kind.stream)
    made = given.rows(CELL_BACKWARD, points), given.rows(RESEND.of(kind.stream), points)
    return _on_matrix(given, kind, points) | {
        "count": stacked([one.asked for one in lists], points),  # the bias column has no gradient to give
        "list_start": stacked([one.asked_start for one in lists], points),
        "turns": stacked([one.asked_turns for one in lists], points),
        "dense_count": by_layer([one.width for one in lists], points),
        "depends": [*made, room_for_words(given, kind, points)],
        "list_from": _list_from(given, kind, points),
    }


def room_for_words(given: StepInputs, kind: OpKind, points: Points) -> NDArray[np.int64]:
    """Return what freed the room for the gradient of a looked up word, of the ops that leave it; NO_OP of others."""
    product = REDUCE if given.tiles > 1 else MATVEC_T
    freed = given.rows(OUTER_WORDS, points, step=GRADIENTS_OF_WORDS)
    return freed if kind is product.x else np.full_like(freed, NO_OP)


def _outer_words(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    """Return ops that add to the gradient of one word each; they multiply by 1."""
    words, product = given.lists.words, REDUCE if given.tiles > 1 else MATVEC_T
    assert words is not None, "there is an embedding"
    size, whole = given.word_table, given.whole_word_table
    return given.codes(kind) | {
        "count": 1,
        "turns": 1,
        "dense_count": 1,
        "words": size.words,
        "other_words": whole.words - size.words,
        "rows": size.rows,
        "tensor": given.placed.index("gradients", "words", 0),
        "list_start": words.start[points[1], points[2]],
        # what it reads must have been written by the step before
        "depends": [given.rows(product.x, points), given.rows(kind, points, step=1)],
    }


def _undo(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    made = given.rows(ENCODE.of(kind.stream), given.grid.made_by(points))
    sent = given.rows(SEND_UNDO.of(kind.stream), points)
    return _fired_columns(given, kind, points) | {
        "depends": [given.rows(UNDO_CELL, points), sent],
        "list_from": np.where(sent == NO_OP, made, sent),
    }


def kept_list(given: StepInputs, kind: OpKind, points: Points) -> NDArray[np.int64]:
    """Return after which op a tile has the list that it made: its load, or its making if it stayed in local memory."""
    loaded = given.rows(LOAD_TAPE, points)
    made = given.rows(ENCODE.of(kind.stream), given.grid.made_by(points))
    return np.where(loaded == NO_OP, made, loaded)


def _list_from(given: StepInputs, kind: OpKind, points: Points) -> NDArray[np.int64]:
    """Return after which op the lanes have a list for the backward pass: if tiles send it again, after that."""
    resent = given.rows(RESEND.of(kind.stream), points)
    return np.where(resent == NO_OP, kept_list(given, kind, points), resent)


def _fired_columns(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    """Return the columns of ops that work through what fired in the steps `points`, and the bias."""
    lists = given.streams(kind.stream)
    return _on_matrix(given, kind, points) | {
        "count": stacked([one.columns() for one in lists], points),
        "turns": stacked([one.turns for one in lists], points),
        "dense_count": stacked([one.dense_columns() for one in lists], points),
    }


def _on_matrix(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    """Return the columns that tell which matrix ops work on, and where their lists begin."""
    layers, stream = range(len(given.shape.hidden)), kind.stream
    sizes = [given.matrices[stream, layer] for layer in layers]
    tensor: TensorKind = "gradients" if kind.mode == "outer" else "weights"
    return given.codes(kind) | {
        "words": by_layer([size.words for size in sizes], points),
        "other_words": by_layer([given.beside(stream, layer)[0] for layer in layers], points),
        "rows": by_layer([size.rows for size in sizes], points),
        "tensor": by_layer([given.placed.index(tensor, stream, layer) for layer in layers], points),
        "list_start": stacked([one.start for one in given.streams(stream)], points),
    }


COLUMNS: dict[OpKind, ColumnsOf] = {
    MATVEC.x: _matvec,
    MATVEC.h: _matvec,
    MATVEC_T.x: _matvec_t,
    MATVEC_T.h: _matvec_t,
    OUTER.x: _outer,
    OUTER.h: _outer,
    OUTER_WORDS: _outer_words,
    UNDO.x: _undo,
    UNDO.h: _undo,
}
