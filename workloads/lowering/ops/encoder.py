"""Ops that load input vectors and list what fired."""

from __future__ import annotations

import numpy as np

from deltatrain.accel.op_table import NO_OP
from deltatrain.workloads.lowering.grid import at
from deltatrain.workloads.lowering.keeping import input_bytes
from deltatrain.workloads.lowering.op_kinds import CELL, COPY_STATE, ENCODE, LOAD_X, RESTORE_STATE, OpKind
from deltatrain.workloads.lowering.op_order import Points
from deltatrain.workloads.lowering.ops.given import Columns, ColumnsOf, StepInputs, by_layer, stacked
from deltatrain.workloads.lowering.ops.transfers import transfer
from deltatrain.workloads.lowering.placement import inputs_on_way


def _load(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    """Return loads of input vectors, or of words; each waits until one of the places is free."""
    step = at(given.grid.timeline.forward.step, points)
    if given.lists.words is None:
        lengths, size_bytes = given.lists.lengths, input_bytes(given.architecture, given.shape)
        before = np.cumsum(lengths) - lengths
        address = given.placed.input_address + (before[points[1]] + step) * size_bytes
    else:
        table = given.placed.tensors[given.placed.index("weights", "words", 0)]
        size_bytes = table.bytes // table.columns
        address = table.address + given.lists.words.words[points[1], step] * size_bytes
    # Others may be on their way, of the next sample too, while one is in use.
    places = 1 + inputs_on_way(given.architecture)
    used = np.full(len(step), NO_OP)
    used[places:] = given.rows(ENCODE.x, points)[:-places]
    return transfer(given, kind, size_bytes, address) | given.grid.phase(points) | {"depends": [used]}


def _encode(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    """Return ops that list what fired; x waits for what makes the vector, h for the cells of the step before."""
    lists, steps = given.streams(kind.stream), given.grid.in_steps(points)
    restored = given.rows(RESTORE_STATE, points)
    if kind is ENCODE.x:
        kept = np.maximum(restored, given.rows(COPY_STATE, points))
        made = [given.rows(LOAD_X, points), given.rows(CELL, points, layer=-1)]  # one or the other
        depends = [*made, kept]
        if not given.shape.arithmetic.BLOCKS_H:
            depends = [np.maximum(*made), kept, given.rows_without_recurrence(CELL, points, step=-2)]
    else:
        restarts = at(given.grid.timeline.forward.restarts, points) > 0
        depends = [np.where(restarts, restored, given.rows(CELL, points, step=-1))]
    return (
        given.codes(kind)
        | given.grid.phase(points)
        | {
            "count": stacked([one.asked for one in lists], steps),
            "words": stacked([one.scan_cycles for one in lists], steps),
            "rows": by_layer([one.width for one in lists], points),
            "depends": depends,
        }
    )


COLUMNS: dict[OpKind, ColumnsOf] = {LOAD_X: _load, ENCODE.x: _encode, ENCODE.h: _encode}
