"""Reading a schedule: its rows, one after the other, become a timeline."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

import numpy as np

from deltatrain.workloads.lowering.checkpoint.schedule import Action, CheckpointSchedule
from deltatrain.workloads.lowering.checkpoint.timeline import (
    AT,
    NONE,
    WHAT,
    Changes,
    Column,
    ForwardSteps,
    Loads,
    Saves,
    Steps,
    Timeline,
)
from deltatrain.workloads.lowering.groups import Groups
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
    OpKind,
)

__all__ = ["forward_only", "kept_whole", "sent_whole", "timeline"]

_EMPTY = np.zeros(0, dtype=np.int64)
_NO_CHANGES = Changes(*[_EMPTY] * len(Changes._fields))
_TAPE, _STATE, _RESIDUE, _LOSS, _GRADIENTS = range(len(WHAT))


def timeline(schedule: CheckpointSchedule) -> Timeline:
    """Return the timeline of `schedule`.

    Raises
    ------
    ValueError
        If a state is kept from which the schedule does not run on at once.
    """
    scan = _Scan(schedule.steps)
    for number, row in enumerate(schedule.rows()):
        scan.do(number, *row)
    return scan.timeline()


def kept_whole(steps: int, outer_steps: int = 1) -> Timeline:
    """Return the timeline of a sample whose tape stays in local memory: one pass forward, and one back.

    One op adds the weight gradients of `outer_steps` steps.
    """
    number = np.arange(steps, dtype=np.int64)
    never, zero, back = np.full(steps, NONE, dtype=np.int64), np.zeros(steps, dtype=np.int64), number[::-1].copy()
    forward = dict.fromkeys(ForwardSteps._fields, never) | {"step": number, "stage": zero, "macro": number}
    of_steps = dict.fromkeys(Steps._fields, never) | {"made_by": number, "stage": zero + 1, "macro": back}
    return Timeline(
        ForwardSteps(**forward | {"again": zero, "restarts": zero, "leaves": zero + 1}),
        Steps(**of_steps),
        Saves(*[_EMPTY] * len(Saves._fields)),
        Loads(*[_EMPTY] * len(Loads._fields)),
        _kept_until_reversed(number, back, outer_steps),
    )


def _kept_until_reversed(number: Column, back: Column, outer_steps: int) -> Changes:
    """Return the changes of tapes and of what the loss keeps: each comes in order, and goes in the order `back`.

    Delta gradients are kept of all steps of a group but the last.
    """
    ends = Groups(np.array([len(number)]), outer_steps).end(np.zeros_like(back), back)
    more, until = back[back != ends], ends[back != ends]
    parts = [
        *((kept, 1, CELL, number, number) for kept in (_TAPE, _LOSS)),
        (_GRADIENTS, 1, CELL_BACKWARD, more, more),
        (_GRADIENTS, -1, OUTER.x, more, until),
        *((kept, -1, OUTER.x, back, ends) for kept in (_TAPE, _LOSS)),
    ]
    whats, signs, kinds, steps, numbers = zip(*parts, strict=True)
    sizes = [len(of_part) for of_part in steps]
    what, sign, at = (np.repeat(of, sizes) for of in (whats, signs, [AT.index(kind) for kind in kinds]))
    return Changes(what, np.concatenate(steps), sign, at, np.concatenate(numbers))


def forward_only(steps: int) -> Timeline:
    """Return the timeline of a sample that is run forward and never back."""
    whole, never = kept_whole(steps), np.full(steps, NONE, dtype=np.int64)
    return whole._replace(steps=whole.steps._replace(made_by=never), changes=_NO_CHANGES)


def sent_whole(steps: int, on_way: int = 2) -> Timeline:
    """Return the timeline of a sample whose tape goes off-chip step by step, through a buffer of n = `on_way` steps.

    Step t + n is run when step t has been stored, and loaded when step t + 2 n has been reversed.
    """
    whole, number = kept_whole(steps), np.arange(steps)
    zero = np.zeros(steps, dtype=np.int64)
    return whole._replace(
        forward=whole.forward._replace(stored=np.maximum(number - on_way, NONE)),
        steps=whole.steps._replace(
            slot=number,
            load_stage=whole.steps.stage,
            load_macro=whole.steps.macro,
            load_forward=zero,
            load_order=zero,
            load_reversed=np.where(number + on_way < steps, number + on_way, NONE),
        ),
        changes=_NO_CHANGES,
    )


_LOAD, _UNDO = Steps._fields.index("load_stage"), Steps._fields.index("undo_stage")
_SLOT, _MADE_BY, _STAGE = (Steps._fields.index(name) for name in ("slot", "made_by", "stage"))
_RESTARTS, _KEPT, _RESTORED = (ForwardSteps._fields.index(name) for name in ("restarts", "kept", "restored"))
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
        self._forward_steps: list[list[int]] = []
        self._saves: list[list[int]] = []
        self._loads: list[list[int]] = []
        self._changes: list[tuple[int, int, int, int, int]] = []
        self._tape_slots, self._state_slots = _Slots(), _Slots()
        self._stage, self._is_forward, self._origin, self._reversed_here = NONE, False, 0, 0
        self._reached = 0
        self._undone = NONE
        # What freed the last room: reversing this step, storing this forward step's tape, storing this save's state,
        # or bringing back the state before this forward step.
        self._room = [NONE, NONE, NONE, NONE]
        # Rows that lack the macro step of the step that they precede, and where (stage, macro, forward) stand in them.
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
            ForwardSteps(*_columns(self._forward_steps, len(ForwardSteps._fields))),
            Steps(*self._steps.T.copy()),
            Saves(*_columns(self._saves, len(Saves._fields))),
            Loads(*_columns(self._loads, len(Loads._fields))),
            Changes(*_columns(self._changes, len(Changes._fields))),
        )

    # --- passes

    def _run(self, start: int, stop: int) -> None:
        if not self._is_forward or self._restart is not None:
            self._stage, self._is_forward, self._origin = self._stage + 1, True, start
        self._seat(start - self._origin)
        place = len(self._forward_steps)
        _, stored, saved, _ = self._room
        rest = [0, self._leaves, stored, saved, *[NONE] * 7]
        self._forward_steps += [
            [t, self._stage, t - self._origin, int(t < self._reached), *rest] for t in range(start, stop)
        ]
        first = self._forward_steps[place]
        first[_KEPT : _KEPT + 3] = self._kept
        if self._restart is not None:
            first[_RESTARTS] = 1
            first[_RESTORED:] = [*self._restart, self._undone]
        self._kept, self._restart, self._undone = [NONE, NONE, NONE], None, NONE
        self._reached = max(self._reached, stop)
        if self._leaves:
            places = range(place, place + stop - start)
            self._steps[start:stop, _MADE_BY] = places
            self._change(_TAPE if self._leaves == 1 else _RESIDUE, range(start, stop), 1, CELL, places)
            self._change(_LOSS, range(start, stop), 1, CELL, places)

    def _reverse(self, start: int, stop: int) -> None:
        self._none_kept()
        if self._is_forward:
            self._stage, self._is_forward, self._reversed_here = self._stage + 1, False, 0
        self._seat(self._reversed_here)
        steps = range(stop - 1, start - 1, -1)
        for macro, t in enumerate(steps, self._reversed_here):
            self._steps[t, _STAGE : _STAGE + 2] = self._stage, macro
        self._reversed_here += stop - start
        self._room[0] = start
        self._change(_TAPE, steps, -1, OUTER.x, steps)
        self._change(_LOSS, steps, -1, OUTER.x, steps)

    def _undo(self, start: int, stop: int) -> None:
        steps = range(stop - 1, start - 1, -1)
        for sub, t in enumerate(steps):
            row = self._steps[t]
            row[_UNDO + 3 : _UNDO + 5] = self._order + sub, self._room[0]
            self._waiting.append((row, _UNDO))
        self._undone = start
        self._change(_RESIDUE, steps, -1, UNDO.x, steps)
        self._change(_TAPE, steps, 1, UNDO.x, steps)

    def _seat(self, macro: int) -> None:
        """Give the rows that lack it their macro step."""
        for row, at in self._waiting:
            row[at : at + 3] = [self._stage, macro, int(self._is_forward)]
        self._waiting.clear()

    def _none_kept(self) -> None:
        if self._kept[0] != NONE:
            raise ValueError("a state that is kept must be run on from at once")

    # --- states

    def _keep_state(self, t: int, _: int) -> None:
        self._none_kept()
        place = len(self._forward_steps)
        self._here[t], self._kept = (place, NONE), [self._order, *self._room[1:3]]
        self._change(_STATE, [t], 1, COPY_STATE, [place])

    def _restart_from(self, t: int, _: int) -> None:
        self._none_kept()
        self._restart = (self._order, *self._here[t]) if t else (NONE, NONE, NONE)
        self._restored_at[t] = len(self._forward_steps)

    def _free_state(self, t: int, _: int) -> None:
        copy, _ = self._here.pop(t)
        at, number = COPY_STATE, copy
        if t in self._saved_from_here:
            at, number = STORE_STATE, self._saved_from_here.pop(t)
            self._room[2] = number
        if t in self._restored_at:
            at, number = RESTORE_STATE, self._restored_at.pop(t)
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
        self._change(_STATE, [t], 1, LOAD_STATE, [len(self._loads)])
        self._loads.append([self._there[t], NONE, NONE, NONE, self._order, *self._room])
        self._waiting.append((self._loads[-1], 1))

    def _free_remote_state(self, t: int, _: int) -> None:
        self._state_slots.give_back(self._saves[self._there.pop(t)][1])

    # --- tapes

    def _send_tape(self, start: int, stop: int) -> None:
        self._steps[start:stop, _SLOT] = [self._tape_slots.take() for _ in range(start, stop)]

    def _free_tape(self, start: int, stop: int) -> None:
        runs = self._steps[start:stop, _MADE_BY].tolist()
        self._room[1] = max(self._room[1], runs[-1])
        self._change(_TAPE, range(start, stop), -1, STORE_TAPE, runs)

    def _load_tape(self, start: int, stop: int) -> None:
        steps = range(stop - 1, start - 1, -1)
        for sub, t in enumerate(steps):
            row = self._steps[t]
            row[_LOAD + 3 : _LOAD + 8] = self._order + sub, *self._room
            self._waiting.append((row, _LOAD))
        self._change(_TAPE, steps, 1, LOAD_TAPE, steps)

    def _free_remote_tape(self, start: int, stop: int) -> None:
        for slot in self._steps[start:stop, _SLOT].tolist():
            self._tape_slots.give_back(slot)

    def _change(self, what: int, steps: Iterable[int], sign: int, at: OpKind, numbers: Iterable[int]) -> None:
        kind = AT.index(at)
        self._changes += [(what, t, sign, kind, number) for t, number in zip(steps, numbers, strict=True)]


def _columns(rows: list[list[int]] | list[tuple[int, int, int, int, int]], width: int) -> list[Column]:
    return list(np.array(rows, dtype=np.int64).reshape(-1, width).T.copy())
