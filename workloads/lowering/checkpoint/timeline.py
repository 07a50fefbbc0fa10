"""A sample's way through its steps, as a schedule's rows tell it: where in the program everything it does belongs.

Steps that are run forward one after the other are a *pass*, and so are steps that are reversed one after the other,
whatever is kept, moved or freed meanwhile. Passes follow each other; between them the layers' skew runs empty
(`workloads.lowering.op_order` draws it). What happens between two runs belongs to the macro step of the later one,
before everything else in it, in the order of the schedule's rows.

Room is made before it is taken: whatever needs local memory waits for what was freed last before it in the schedule. So
at no time more is held than the schedule holds at some row, whatever runs ahead.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.lowering.checkpoint.schedule import Action, Schedule

Column = NDArray[np.int64]

NONE = -1


class Runs(NamedTuple):
    """Steps run forward, in order: a run's number is its *place*. Shape (F,) each, or (B, F) for a batch.

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
        Room was freed last by storing this run's tape, by storing this state.
    kept, kept_stored, kept_saved
        Order among what precedes the run of keeping the state that it starts from, or NONE; and what freed room for it.
    restored
        Likewise of bringing it back.
    from_copy, from_load, undone
        The state brought back was kept before this run, or came with this load; this step was undone last.
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
    run
        The place of the run that leaves the tape.
    stage, macro
        Where the step is reversed.
    slot
        Where off-chip its tape lies, in slots.
    load_stage, load_macro, load_forward, load_order
        When it is loaded; whether that is in a pass forward.
    load_reversed, load_stored, load_saved, load_restored
        Room for it was freed last by reversing this step, storing this run's tape, storing this state, bringing back
        the state before this run.
    undo_stage, undo_macro, undo_forward, undo_order, undo_reversed
        When the step is undone; room for its tape was freed last by reversing this step.
    """

    run: Column
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
    """States moved off-chip: the run before which each was kept, its slot there, and when; shape (K,) each."""

    kept_before: Column
    slot: Column
    stage: Column
    macro: Column
    forward: Column
    order: Column


class Loads(NamedTuple):
    """States brought back from off-chip: the save that took each there, when, and what freed room for it last."""

    save: Column
    stage: Column
    macro: Column
    forward: Column
    order: Column
    reversed: Column
    stored: Column
    saved: Column
    restored: Column


WHAT = ("tape", "state", "residue", "loss")
"""What local memory holds; ``loss`` is h and the gradient of the logits of a classified step, until it is reversed."""

AT = ("cell", "outer_x", "store_tape", "load_tape", "copy_state", "restore_state", "store_state", "load_state", "undo")
"""Kinds of ops with which what local memory holds changes."""


class Changes(NamedTuple):
    """What local memory holds more or less of, in the order of the schedule's rows.

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

    runs: Runs
    steps: Steps
    saves: Saves
    loads: Loads
    changes: Changes


def timeline(schedule: Schedule) -> Timeline:
    """Return the timeline of `schedule`.

    Raises
    ------
    ValueError
        If the schedule does what this cannot express: a state kept that is not run on from at once.
    """
    scan = _Scan(schedule.steps)
    for number, row in enumerate(schedule.rows()):
        scan.do(number, *row)
    return scan.timeline()


def kept_whole(steps: int) -> Timeline:
    """Return the timeline of a sample whose tape stays in local memory."""
    return timeline(Schedule.of(steps, [(Action.FORWARD_TAPE, 0, steps), (Action.REVERSE, 0, steps)]))


def sent_whole(steps: int, on_way: int = 2) -> Timeline:
    """Return the timeline of a sample whose tape goes off-chip step by step, through a buffer of n = `on_way` steps.

    Step t + n is run when step t has been stored, and loaded when step t + 2 n has been reversed.
    """
    whole, number = kept_whole(steps), np.arange(steps)
    zero, nothing = np.zeros(steps, dtype=np.int64), Changes(*[np.zeros(0, dtype=np.int64)] * len(Changes._fields))
    return whole._replace(
        runs=whole.runs._replace(stored=np.maximum(number - on_way, NONE)),
        steps=whole.steps._replace(
            slot=number,
            load_stage=whole.steps.stage,
            load_macro=whole.steps.macro,
            load_forward=zero,
            load_order=zero,
            load_reversed=np.where(number + on_way < steps, number + on_way, NONE),
        ),
        changes=nothing,
    )


def batch(samples: Iterable[Timeline]) -> Timeline:
    """Return the timelines of all samples in one, each column padded with NONE to shape (B, N)."""
    parts = list(zip(*samples, strict=True))
    return Timeline(*(kind(*_padded(tables)) for kind, tables in zip(_TABLES, parts, strict=True)))


_TABLES: tuple[Any, ...] = (Runs, Steps, Saves, Loads, Changes)


def _padded(tables: tuple[tuple[Column, ...], ...]) -> list[Column]:
    longest = max((len(table[0]) for table in tables), default=0)
    columns = []
    for parts in zip(*tables, strict=True):
        column = np.full((len(parts), longest), NONE, dtype=np.int64)
        for sample, part in enumerate(parts):
            column[sample, : len(part)] = part
        columns.append(column)
    return columns


_LOAD, _UNDO = Steps._fields.index("load_stage"), Steps._fields.index("undo_stage")
_SLOT, _RUN, _STAGE = (Steps._fields.index(name) for name in ("slot", "run", "stage"))
_RUN_RESTARTS, _RUN_KEPT, _RUN_RESTORED = (Runs._fields.index(name) for name in ("restarts", "kept", "restored"))
_TAPE, _STATE, _RESIDUE, _LOSS = range(len(WHAT))
_LEAVES = {Action.FORWARD: 0, Action.FORWARD_TAPE: 1, Action.FORWARD_RESIDUE: 2}


class _Slots:
    """Places off-chip, the lowest free one first."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._next = 0

    def take(self) -> int:
        if self._free:
            return heappop(self._free)
        self._next += 1
        return self._next - 1

    def give_back(self, slot: int) -> None:
        heappush(self._free, slot)


class _Scan:
    """One reading of a schedule, row by row."""

    def __init__(self, steps: int) -> None:
        self._steps = np.full((steps, len(Steps._fields)), NONE, dtype=np.int64)
        self._runs: list[list[int]] = []
        self._saves: list[list[int]] = []
        self._loads: list[list[int]] = []
        self._changes: list[tuple[int, int, int, int, int]] = []
        self._tape_slots, self._state_slots = _Slots(), _Slots()
        self._stage, self._forward, self._origin, self._reversed_here = NONE, False, 0, 0
        self._reached = 0
        self._undone = NONE
        # Room was freed last by: reversing this step, storing this run's tape, this state, bringing a state back.
        self._room = [NONE, NONE, NONE, NONE]
        # What waits for the run that it precedes: the place of (stage, macro, forward) in each row.
        self._waiting: list[tuple[list[int] | Column, int]] = []
        self._kept = [NONE, NONE, NONE]
        self._restart: tuple[int, int, int] | None = None  # order, copy, load
        self._here: dict[int, tuple[int, int]] = {}  # of each state in local memory: its copy, its load
        self._saved_from_here: dict[int, int] = {}
        self._restored_at: dict[int, int] = {}
        self._there: dict[int, int] = {}  # of each state off-chip, its save
        self._do = {
            Action.FORWARD: self._run,
            Action.FORWARD_TAPE: self._run,
            Action.FORWARD_RESIDUE: self._run,
            Action.BACKTRACK: self._undo,
            Action.REVERSE: self._reverse,
            Action.SAVE_STATE_LOCAL: self._keep_state,
            Action.LOAD_STATE_LOCAL: self._restart_from,
            Action.FREE_STATE_LOCAL: self._free_state,
            Action.SAVE_STATE_REMOTE: self._save_state,
            Action.LOAD_STATE_REMOTE: self._load_state,
            Action.FREE_STATE_REMOTE: self._free_remote_state,
            Action.SAVE_TAPE_REMOTE: self._send_tape,
            Action.LOAD_TAPE_REMOTE: self._load_tape,
            Action.FREE_TAPE_LOCAL: self._free_tape,
            Action.FREE_TAPE_REMOTE: self._free_remote_tape,
        }

    def do(self, number: int, action: int, start: int, stop: int) -> None:
        """Read one row."""
        verb = Action(action)
        self._order = number * (len(self._steps) + 1)
        self._leaves = _LEAVES.get(verb, 0)
        self._do[verb](start, stop)

    def timeline(self) -> Timeline:
        """Return what was read."""
        return Timeline(
            Runs(*_columns(self._runs, len(Runs._fields))),
            Steps(*self._steps.T.copy()),
            Saves(*_columns(self._saves, len(Saves._fields))),
            Loads(*_columns(self._loads, len(Loads._fields))),
            Changes(*_columns(self._changes, len(Changes._fields))),
        )

    # --- passes

    def _run(self, start: int, stop: int) -> None:
        if not self._forward or self._restart is not None:
            self._stage, self._forward, self._origin = self._stage + 1, True, start
        self._seat(start - self._origin)
        place = len(self._runs)
        _, stored, saved, _ = self._room
        rest = [0, self._leaves, stored, saved, *[NONE] * 7]
        self._runs += [[t, self._stage, t - self._origin, int(t < self._reached), *rest] for t in range(start, stop)]
        first = self._runs[place]
        first[_RUN_KEPT : _RUN_KEPT + 3] = self._kept
        if self._restart is not None:
            first[_RUN_RESTARTS] = 1
            first[_RUN_RESTORED:] = [*self._restart, self._undone]
        self._kept, self._restart, self._undone = [NONE, NONE, NONE], None, NONE
        self._reached = max(self._reached, stop)
        if self._leaves:
            places = range(place, place + stop - start)
            self._steps[start:stop, _RUN] = places
            self._change(_TAPE if self._leaves == 1 else _RESIDUE, range(start, stop), 1, "cell", places)
            self._change(_LOSS, range(start, stop), 1, "cell", places)

    def _reverse(self, start: int, stop: int) -> None:
        self._none_kept()
        if self._forward:
            self._stage, self._forward, self._reversed_here = self._stage + 1, False, 0
        self._seat(self._reversed_here)
        steps = range(stop - 1, start - 1, -1)
        for macro, t in enumerate(steps, self._reversed_here):
            self._steps[t, _STAGE : _STAGE + 2] = self._stage, macro
        self._reversed_here += stop - start
        self._room[0] = start
        self._change(_TAPE, steps, -1, "outer_x", steps)
        self._change(_LOSS, steps, -1, "outer_x", steps)

    def _undo(self, start: int, stop: int) -> None:
        steps = range(stop - 1, start - 1, -1)
        for sub, t in enumerate(steps):
            row = self._steps[t]
            row[_UNDO + 3 : _UNDO + 5] = self._order + sub, self._room[0]
            self._waiting.append((row, _UNDO))
        self._undone = start
        self._change(_RESIDUE, steps, -1, "undo", steps)
        self._change(_TAPE, steps, 1, "undo", steps)

    def _seat(self, macro: int) -> None:
        """Give what waited its macro step."""
        for row, at in self._waiting:
            row[at : at + 3] = [self._stage, macro, int(self._forward)]
        self._waiting.clear()

    def _none_kept(self) -> None:
        if self._kept[0] != NONE:
            raise ValueError("a state that is kept must be run on from at once")

    # --- states

    def _keep_state(self, t: int, _: int) -> None:
        self._none_kept()
        place = len(self._runs)
        self._here[t], self._kept = (place, NONE), [self._order, *self._room[1:3]]
        self._change(_STATE, [t], 1, "copy_state", [place])

    def _restart_from(self, t: int, _: int) -> None:
        self._none_kept()
        self._restart = (self._order, *self._here[t]) if t else (NONE, NONE, NONE)
        self._restored_at[t] = len(self._runs)

    def _free_state(self, t: int, _: int) -> None:
        copy, _ = self._here.pop(t)
        at, number = "copy_state", copy
        if t in self._saved_from_here:
            at, number = "store_state", self._saved_from_here.pop(t)
            self._room[2] = number
        if t in self._restored_at:
            at, number = "restore_state", self._restored_at.pop(t)
            self._room[3] = number
        self._change(_STATE, [t], -1, at, [number])

    def _save_state(self, t: int, _: int) -> None:
        copy, _ = self._here[t]
        self._there[t] = self._saved_from_here[t] = len(self._saves)
        self._saves.append([copy, self._state_slots.take(), NONE, NONE, NONE, self._order])
        self._waiting.append((self._saves[-1], 2))

    def _load_state(self, t: int, _: int) -> None:
        self._here[t] = NONE, len(self._loads)
        self._saved_from_here.pop(t, None)
        self._restored_at.pop(t, None)
        self._change(_STATE, [t], 1, "load_state", [len(self._loads)])
        self._loads.append([self._there[t], NONE, NONE, NONE, self._order, *self._room])
        self._waiting.append((self._loads[-1], 1))

    def _free_remote_state(self, t: int, _: int) -> None:
        self._state_slots.give_back(self._saves[self._there.pop(t)][1])

    # --- tapes

    def _send_tape(self, start: int, stop: int) -> None:
        self._steps[start:stop, _SLOT] = [self._tape_slots.take() for _ in range(start, stop)]

    def _free_tape(self, start: int, stop: int) -> None:
        runs = self._steps[start:stop, _RUN].tolist()
        self._room[1] = max(self._room[1], runs[-1])
        self._change(_TAPE, range(start, stop), -1, "store_tape", runs)

    def _load_tape(self, start: int, stop: int) -> None:
        steps = range(stop - 1, start - 1, -1)
        for sub, t in enumerate(steps):
            row = self._steps[t]
            row[_LOAD + 3 : _LOAD + 8] = self._order + sub, *self._room
            self._waiting.append((row, _LOAD))
        self._change(_TAPE, steps, 1, "load_tape", steps)

    def _free_remote_tape(self, start: int, stop: int) -> None:
        for slot in self._steps[start:stop, _SLOT].tolist():
            self._tape_slots.give_back(slot)

    def _change(self, what: int, steps: Iterable[int], sign: int, at: str, numbers: Iterable[int]) -> None:
        kind = AT.index(at)
        self._changes += [(what, t, sign, kind, number) for t, number in zip(steps, numbers, strict=True)]


def _columns(rows: list[list[int]] | list[tuple[int, int, int, int, int]], width: int) -> list[Column]:
    return list(np.array(rows, dtype=np.int64).reshape(-1, width).T.copy())
