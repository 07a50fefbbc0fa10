"""Running a schedule on a real network: states and tapes are kept, moved, dropped and made again as its rows say."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from deltatrain.accel.errors import FitError
from deltatrain.workloads.lowering.checkpoint.schedule import Action, CheckpointSchedule


class Replay(Protocol):
    """A network on one mini-batch, step by step; what states, tapes and residues are is its own affair."""

    def first_state(self) -> Any:
        """Return the state before step 0."""

    def forward(self, t: int, state: Any) -> tuple[Any, Any]:
        """Return the state after step t, and the tape; `state` stays as it is."""

    def residue(self, tape: Any) -> Any:
        """Return what of a tape cannot be made by running the step backwards."""

    def backtrack(self, t: int, state: Any, residue: Any) -> tuple[Any, Any]:
        """Return the state before step t and the tape of step t, from the state after it."""

    def reverse(self, t: int, tape: Any) -> None:
        """Back-propagate step t, the step after the one reversed last, and add to the gradients."""

    def state_bytes(self, state: Any) -> int:
        """Return the bytes that a kept state takes."""

    def tape_bytes(self, tape: Any) -> int:
        """Return the bytes that a kept tape, or a residue, takes."""


class Ran(NamedTuple):
    """What running a schedule took, counted while it ran.

    Attributes
    ----------
    forward_steps, undone_steps
        Steps run forward, and backwards by their residues.
    local_bytes, remote_bytes
        Most that was kept at any time.
    moved_bytes
        Through the port, both ways.
    """

    forward_steps: int
    undone_steps: int
    local_bytes: int
    remote_bytes: int
    moved_bytes: int


def execute(schedule: CheckpointSchedule, replay: Replay, *, local_bytes: int | None = None) -> Ran:
    """Run `schedule` on `replay`, which then has the gradients.

    Parameters
    ----------
    schedule
        What is done in which order.
    replay
        What it is done to.
    local_bytes
        Room in local memory; None if it has no end.

    Raises
    ------
    FitError
        If what is kept outgrows `local_bytes`: the lists of a step are as long as what fired.
    """
    run = _Run(replay, local_bytes)
    for action, start, stop in schedule.rows():
        run.do(Action(action), start, stop)
    return run.ran()


class _Run:
    """What is where, while a schedule runs."""

    def __init__(self, replay: Replay, room: int | None) -> None:
        self._replay = replay
        self._room = room
        self._working = replay.first_state()
        self._held: dict[tuple[str, str], dict[int, Any]] = {
            (what, level): {} for what in ("state", "tape", "residue") for level in ("local", "remote")
        }
        self._bytes = {"local": 0, "remote": 0}
        self._most = {"local": 0, "remote": 0}
        self._moved = self._forward_steps = self._undone = 0

    def do(self, action: Action, start: int, stop: int) -> None:
        """Do one row."""
        if action in (Action.REVERSE, Action.BACKTRACK):
            for t in reversed(range(start, stop)):
                (self._reverse if action == Action.REVERSE else self._backtrack)(t)
        elif action in (Action.FORWARD, Action.FORWARD_TAPE, Action.FORWARD_RESIDUE):
            for t in range(start, stop):
                self._forward(action, t)
        elif action == Action.SAVE_STATE_LOCAL:
            self._put("state", "local", start, self._working)
        elif action == Action.LOAD_STATE_LOCAL:
            self._working = self._held["state", "local"][start] if start else self._replay.first_state()
        else:
            for t in range(start, stop):
                self._move(action, t)

    def ran(self) -> Ran:
        """Return the counts."""
        return Ran(self._forward_steps, self._undone, self._most["local"], self._most["remote"], self._moved)

    def _forward(self, action: Action, t: int) -> None:
        self._working, tape = self._replay.forward(t, self._working)
        self._forward_steps += 1
        if action == Action.FORWARD_TAPE:
            self._put("tape", "local", t, tape)
        elif action == Action.FORWARD_RESIDUE:
            self._put("residue", "local", t, self._replay.residue(tape))

    def _backtrack(self, t: int) -> None:
        residue = self._take("residue", "local", t)
        self._working, tape = self._replay.backtrack(t, self._working, residue)
        self._put("tape", "local", t, tape)
        self._undone += 1

    def _reverse(self, t: int) -> None:
        self._replay.reverse(t, self._take("tape", "local", t))

    def _move(self, action: Action, t: int) -> None:
        verb, what, level = action.name.lower().split("_")
        if verb == "free":
            self._take(what, level, t)
            return
        origin, target = ("local", "remote") if verb == "save" else ("remote", "local")
        item = self._held[what, origin][t]
        self._put(what, target, t, item)
        self._moved += self._size(what, item)

    def _put(self, what: str, level: str, t: int, item: Any) -> None:
        self._held[what, level][t] = item
        self._bytes[level] += self._size(what, item)
        self._most[level] = max(self._most[level], self._bytes[level])
        if level == "local" and self._room is not None and self._bytes[level] > self._room:
            raise FitError(
                f"local memory overflows at step {t} with its {what} of {self._size(what, item):,} bytes: "
                f"{self._bytes[level]:,} bytes, {self._room:,} there, {self._bytes[level] - self._room:,} missing"
            )

    def _take(self, what: str, level: str, t: int) -> Any:
        item = self._held[what, level].pop(t)
        self._bytes[level] -= self._size(what, item)
        return item

    def _size(self, what: str, item: Any) -> int:
        return self._replay.state_bytes(item) if what == "state" else self._replay.tape_bytes(item)
