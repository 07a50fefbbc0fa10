"""Ops of the exchange between tiles: lists that are sent to all of them, and sums over their parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.lowering.op_kinds import (
    BROADCAST,
    ENCODE,
    MATVEC_T,
    READ,
    READ_REDUCE,
    REDUCE,
    RESEND,
    SEND_UNDO,
    OpKind,
)
from deltatrain.workloads.lowering.op_order import Points
from deltatrain.workloads.lowering.ops.given import Columns, ColumnsOf, StepInputs, stacked
from deltatrain.workloads.lowering.ops.matrices import kept_list, room_for_words


def _broadcast(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    fired = [one.fired for one in given.streams(kind.stream)]
    sent = _passed(given, kind, stacked(fired, given.grid.in_steps(points)), given.lists.entry_bytes)
    return sent | given.grid.phase(points) | {"depends": [given.rows(ENCODE.of(kind.stream), points)]}


def _send_undo(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    fired = [one.fired for one in given.streams(kind.stream)]
    sent = _passed(given, kind, stacked(fired, points), given.lists.entry_bytes)
    return sent | {"depends": [kept_list(given, kind, points)]}


def _resend(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    sent = _passed(given, kind, _asked(given, kind, points), given.lists.entry_bytes)
    return sent | {"depends": [kept_list(given, kind, points)]}


def _reduce(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    sum_bytes = given.architecture.engine.formats.backward_sum.bytes
    added = _passed(given, kind, _asked(given, kind, points), sum_bytes)
    room = room_for_words(given, kind, points)
    return added | {"depends": [given.rows(MATVEC_T.of(kind.stream), points), room]}


def _read_reduce(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    sum_bytes = given.architecture.engine.formats.memory.bytes
    return _passed(given, kind, given.shape.classes, sum_bytes) | {"depends": [given.rows(READ, points)]}


def _asked(given: StepInputs, kind: OpKind, points: Points) -> NDArray[np.int64]:
    return stacked([one.asked for one in given.streams(kind.stream)], points)


def _passed(given: StepInputs, kind: OpKind, count: NDArray[np.int64] | int, item_bytes: int) -> Columns:
    """Return the columns of ops that pass `count` items of so many bytes between the tiles."""
    return given.codes(kind) | {
        "count": count,
        "words": given.architecture.tiles.beats(item_bytes),
        "rows": given.tiles,
    }


COLUMNS: dict[OpKind, ColumnsOf] = {
    BROADCAST.x: _broadcast,
    BROADCAST.h: _broadcast,
    RESEND.x: _resend,
    RESEND.h: _resend,
    SEND_UNDO.x: _send_undo,
    SEND_UNDO.h: _send_undo,
    REDUCE.x: _reduce,
    REDUCE.h: _reduce,
    READ_REDUCE: _read_reduce,
}
