"""Ops that compute the recurrent cells of a layer: forward, backward, and again where a step is undone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.modes import cell_backward, cell_forward
from deltatrain.accel.op_table import NO_OP
from deltatrain.workloads.lowering.grid import at, numbered
from deltatrain.workloads.lowering.op_kinds import (
    CELL,
    CELL_BACKWARD,
    LOAD_TAPE,
    MATVEC,
    MATVEC_T,
    OUTER,
    READ_T,
    REDUCE,
    UNDO_CELL,
    OpKind,
)
from deltatrain.workloads.lowering.op_order import Points
from deltatrain.workloads.lowering.ops.given import Columns, ColumnsOf, StepInputs, by_layer
from deltatrain.workloads.lowering.placement import own_most


def _cell(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    forward = given.grid.timeline.forward
    stored = given.grid.stored_before(points, at(forward.stored, points), at(forward.saved, points))
    room = np.where(at(forward.leaves, points) > 0, stored, NO_OP)
    before = np.maximum(given.rows(MATVEC.h, points), given.rows_without_recurrence(CELL, points, step=-1))
    depends = [given.rows(MATVEC.x, points), before, room]
    return _forward(given, kind, points) | given.grid.phase(points) | {"depends": depends}


def _undo_cell(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    freed = given.rows(OUTER.x, numbered(points, at(given.grid.timeline.steps.undo_reversed, points)))
    depends = [given.grid.undone(numbered(points, points[2] + 1)), freed]
    return _forward(given, kind, points) | {"depends": depends}


def _cell_backward(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    arithmetic, product = given.shape.arithmetic, REDUCE if given.tiles > 1 else MATVEC_T
    above = np.maximum(given.rows(READ_T, points), given.rows(product.x, points, layer=1))
    after = given.rows_without_recurrence(CELL_BACKWARD, points, step=1)
    slots = cell_backward.neuron_slots(arithmetic)
    moved = cell_backward.neuron_bytes(arithmetic, given.architecture.engine.formats, given.shape.code_bits)
    together, freed = given.architecture.engine.outer_steps, given.freed_gradients(points)
    return _elementwise(given, kind, points, slots, arithmetic.BACKWARD_MULTIPLIES, moved) | {
        "depends": [
            # What comes from above follows the weight gradients of two steps later, so one place holds either.
            np.maximum(above, freed) if together == 1 else above,
            np.maximum(given.rows(product.h, points, step=1), after),
            # Where weight gradients are grouped, no tape is brought back.
            _tape_left(given, points) if together == 1 else freed,
        ]
    }


def _tape_left(given: StepInputs, points: Points) -> NDArray[np.int64]:
    """Return what left the tape of each step last: its load, what undid the step, or its cells if it was run again.

    The cells of a step that is run once are done, because what its gradients come from waited for them.
    """
    brought, made = np.maximum(given.rows(LOAD_TAPE, points), given.rows(UNDO_CELL, points)), given.grid.made_by(points)
    again = at(given.grid.timeline.forward.again, made) > 0
    return np.where(brought == NO_OP, np.where(again, given.rows(CELL, made), NO_OP), brought)


def _forward(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    arithmetic = given.shape.arithmetic
    slots = given.architecture.engine.neuron_cycles or cell_forward.neuron_slots(arithmetic)
    moved = cell_forward.neuron_bytes(arithmetic, given.architecture.engine.formats, given.shape.code_bits)
    columns = _elementwise(given, kind, points, slots, arithmetic.FORWARD_MULTIPLIES, moved)
    return columns | {"written_bytes": columns["written_bytes"] + given.tape.code_bytes[points[0]]}


def _elementwise(
    given: StepInputs, kind: OpKind, points: Points, slots: int, multiplies: int, moved: cell_forward.NeuronBytes
) -> Columns:
    """Return the columns of ops on all neurons of a layer.

    Each neuron takes a lane for `slots` cycles, multiplies so often, and reads and writes so many bytes.
    """
    hidden, lanes = given.shape.hidden, given.architecture.engine.elementwise_lanes
    width = by_layer(hidden, points)
    own = by_layer([own_most(given.architecture, one) for one in hidden], points)
    return given.codes(kind) | {
        "count": multiplies * width,
        "words": slots * -(-own // lanes),
        "rows": moved.read * width,
        "written_bytes": moved.written * width,
    }


COLUMNS: dict[OpKind, ColumnsOf] = {CELL: _cell, UNDO_CELL: _undo_cell, CELL_BACKWARD: _cell_backward}
