"""Ops that move tapes and states: between local and off-chip memory, and within local memory.

A store waits for what it stores. A load waits for its store, and for whatever freed room for it last. What fills local
memory otherwise waits for the stores that freed it (`workloads.lowering.checkpoint.timeline`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.lowering.grid import at, numbered
from deltatrain.workloads.lowering.op_kinds import (
    CELL,
    COPY_STATE,
    LOAD_STATE,
    LOAD_TAPE,
    OUTER,
    RESTORE_STATE,
    STORE_STATE,
    STORE_TAPE,
    OpKind,
)
from deltatrain.workloads.lowering.op_order import Points
from deltatrain.workloads.lowering.ops.given import Columns, ColumnsOf, StepInputs

Freed = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""What freed room last, for each op: a step reversed, a tape stored, a state stored, a state brought back."""


def _store_tape(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    moved = _move_tape(given, kind, given.grid.in_steps(points))
    return moved | given.grid.phase(points) | {"depends": [given.rows(CELL, points)]}


def _load_tape(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    steps = given.grid.timeline.steps
    columns = steps.load_reversed, steps.load_stored, steps.load_saved, steps.load_restored
    own = given.rows(STORE_TAPE, given.grid.made_by(points))
    return _move_tape(given, kind, points) | {"depends": _after_room(given, points, own, columns)}


def _move_tape(given: StepInputs, kind: OpKind, steps: Points) -> Columns:
    offset = given.tape.offset(steps[0], at(given.grid.timeline.steps.slot, steps))
    return transfer(given, kind, given.tape.bytes[steps], given.placed.tape_address + offset)


def _copy_state(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    """Return copies that keep the working state before a forward step."""
    forward = given.grid.timeline.forward
    before, restored = given.rows(CELL, points, step=-1), given.rows(RESTORE_STATE, points)
    room = given.grid.stored_before(points, at(forward.kept_stored, points), at(forward.kept_saved, points))
    depends = [np.where(at(forward.restarts, points) > 0, restored, before), room]
    return _copy(given, kind, points) | given.grid.phase(points) | {"depends": depends}


def _restore_state(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    """Return copies that make a kept state the working state."""
    forward = given.grid.timeline.forward
    kept = given.rows(COPY_STATE, numbered(points, at(forward.from_copy, points)))
    loaded = given.rows(LOAD_STATE, numbered(points, at(forward.from_load, points)))
    undone = given.grid.undone(numbered(points, at(forward.undone, points)))
    left = np.maximum(kept, loaded)
    return _copy(given, kind, points) | {"depends": [left, undone], "list_from": left}


def _copy(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    return given.codes(kind) | {"count": given.state.bytes[points[0]], "words": given.state.copy_words[points[0]]}


def _store_state(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    kept = numbered(points, at(given.grid.timeline.saves.kept_before, points))
    moved = _move_state(given, kind, points, points[2])
    return moved | given.grid.phase(kept) | {"depends": [given.rows(COPY_STATE, kept)]}


def _load_state(given: StepInputs, kind: OpKind, points: Points) -> Columns:
    loads = given.grid.timeline.loads
    save = at(loads.save, points)
    own = given.rows(STORE_STATE, numbered(points, save))
    columns = loads.reversed, loads.stored, loads.saved, loads.restored
    return _move_state(given, kind, points, save) | {"depends": _after_room(given, points, own, columns)}


def _move_state(given: StepInputs, kind: OpKind, points: Points, save: NDArray[np.int64]) -> Columns:
    layer, slot = points[0], given.grid.timeline.saves.slot[points[1], save]
    address = given.placed.state_address + given.state.offset(layer, slot)
    return transfer(given, kind, given.state.bytes[layer], address)


def _after_room(given: StepInputs, points: Points, own: NDArray[np.int64], freed: Freed) -> list[NDArray[np.int64]]:
    """Return what a load waits for: its own store, and whatever freed room for it last; stores are in order."""
    back, stored, saved, restored = (at(column, points) for column in freed)
    return [
        np.maximum(own, given.grid.stored_before(points, stored, saved)),
        given.rows(OUTER.x, numbered(points, back)),
        given.rows(RESTORE_STATE, numbered(points, restored)),
    ]


def transfer(
    given: StepInputs, kind: OpKind, size_bytes: NDArray[np.int64] | int, address: NDArray[np.int64]
) -> Columns:
    """Return the columns of loads or stores of so many bytes at an off-chip address."""
    beats = -(-size_bytes // given.architecture.dma.bytes_per_cycle)
    return given.codes(kind) | {"count": size_bytes, "words": beats, "address": address}


COLUMNS: dict[OpKind, ColumnsOf] = {
    STORE_TAPE: _store_tape,
    LOAD_TAPE: _load_tape,
    COPY_STATE: _copy_state,
    RESTORE_STATE: _restore_state,
    STORE_STATE: _store_state,
    LOAD_STATE: _load_state,
}
