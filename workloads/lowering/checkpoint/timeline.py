"""Timelines: when a sample's steps are run and reversed, when states and tapes are moved, and what each waits for.

Steps that are run forward one after the other are a *pass*, and so are steps that are reversed one after the other,
whatever is kept, moved or freed meanwhile. Passes follow each other; between them the layers' skew runs empty
(`workloads.lowering.op_order` draws it). What happens between two steps belongs to the macro step of the later one,
before everything else in it, in the order of the schedule's rows.

Room is made before it is taken: whatever needs local memory waits for what was freed last before it in the schedule. So
local memory never keeps more than the schedule keeps at some row, whatever runs ahead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.lowering.op_kinds import (
    CELL,
    CELL_BACKWARD,
    COPY_STATE,
    LOAD_STATE,
    LOAD_TAPE,
    OUTER,
    RESTORE_STATE,
    STORE_STATE,
    STORE_TAPE,
    UNDO,
)

Column = NDArray[np.int64]

NONE = -1


class ForwardSteps(NamedTuple):
    """Steps run forward, in order; a step that is run again has one more row. Shape (F,) each, or (B, F) for a batch.

    Columns that name what freed room last tell for what an op has to wait.

    Attributes
    ----------
    step, stage, macro
        Which step; the number of its pass; the macro step of the first layer in that pass.
    again
        Whether the step was run before.
    restarts
        Whether the pass begins here from a state that is not the working state.
    leaves
        0 nothing, 1 its tape, 2 its residue.
    stored, saved
        The last room was freed by storing this forward step's tape, by storing this save's state.
    kept, kept_stored, kept_saved
        If the state that this step starts from is kept: the copy's place in the order of what happens before the step,
        and what freed room for it. NONE if it is not.
    restored
        If a state is brought back for this step: that copy's place in the same order.
    from_copy, from_load, undone
        The state that is brought back was kept before this forward step, or came with this load; this step was undone
        last.
    """

    step: Column
    stage: Column
    macro: Column
    again: Column
    restarts: Column
    leaves: Column
    stored: Column
    saved: Column
    kept: Column
    kept_stored: Column
    kept_saved: Column
    restored: Column
    from_copy: Column
    from_load: Column
    undone: Column


class Steps(NamedTuple):
    """What happens once to each step, shape (T,) each, or (B, T) for a batch; NONE where it does not.

    Attributes
    ----------
    made_by
        The forward step that leaves the tape.
    stage, macro
        Where the step is reversed.
    slot
        Where off-chip its tape lies, in slots.
    load_stage, load_macro, load_forward, load_order
        When it is loaded; whether that is in a pass forward.
    load_reversed, load_stored, load_saved, load_restored
        The last room for it was freed by reversing this step, by storing this forward step's tape, by storing this
        save's state, by bringing back the state before this forward step.
    undo_stage, undo_macro, undo_forward, undo_order, undo_reversed
        When the step is undone; the last room for its tape was freed by reversing this step.
    """

    made_by: Column
    stage: Column
    macro: Column
    slot: Column
    load_stage: Column
    load_macro: Column
    load_forward: Column
    load_order: Column
    load_reversed: Column
    load_stored: Column
    load_saved: Column
    load_restored: Column
    undo_stage: Column
    undo_macro: Column
    undo_forward: Column
    undo_order: Column
    undo_reversed: Column


class Saves(NamedTuple):
    """States moved off-chip: the forward step before which each was kept, its slot, and when it moves; shape (K,)."""

    kept_before: Column
    slot: Column
    stage: Column
    macro: Column
    forward: Column
    order: Column


class Loads(NamedTuple):
    """States brought back from off-chip: the save that took each there, when it comes, and what freed room last."""

    save: Column
    stage: Column
    macro: Column
    forward: Column
    order: Column
    reversed: Column
    stored: Column
    saved: Column
    restored: Column


WHAT = ("tape", "state", "residue", "loss", "gradients")
"""What local memory keeps; ``loss`` is h and the gradient of the logits of a classified step, until it is reversed,
``gradients`` g(M) of a step, until those of its group are used."""

AT = (CELL, CELL_BACKWARD, OUTER.x, STORE_TAPE, LOAD_TAPE, COPY_STATE, RESTORE_STATE, STORE_STATE, LOAD_STATE, UNDO.x)
"""Kinds of ops with which what local memory keeps changes; `UNDO.x` stands for the last op that undoes a step."""


class Changes(NamedTuple):
    """What local memory keeps more or less of, in the order of the schedule's rows.

    Attributes
    ----------
    what, step, sign
        Index into `WHAT`; whose; +1 or -1.
    at, number
        Index into `AT`, and number among the ops of that kind.
    """

    what: Column
    step: Column
    sign: Column
    at: Column
    number: Column


class Timeline(NamedTuple):
    """All of it, for one sample or a batch."""

    forward: ForwardSteps
    steps: Steps
    saves: Saves
    loads: Loads
    changes: Changes


def batch(samples: Iterable[Timeline]) -> Timeline:
    """Return the timelines of all samples in one, each column padded with NONE to shape (B, N)."""
    parts = list(zip(*samples, strict=True))
    return Timeline(*(kind(*_padded(tables)) for kind, tables in zip(_TABLES, parts, strict=True)))


_TABLES: tuple[Any, ...] = (ForwardSteps, Steps, Saves, Loads, Changes)


def _padded(tables: tuple[tuple[Column, ...], ...]) -> list[Column]:
    longest = max((len(table[0]) for table in tables), default=0)
    columns = []
    for parts in zip(*tables, strict=True):
        column = np.full((len(parts), longest), NONE, dtype=np.int64)
        for sample, part in enumerate(parts):
            column[sample, : len(part)] = part
        columns.append(column)
    return columns
