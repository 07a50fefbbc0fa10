"""The check of a checkpoint schedule: what a row needs is there, nothing is left behind, and both memories hold it."""

from __future__ import annotations

from deltatrain.accel.errors import FitError
from deltatrain.workloads.lowering.checkpoint.schedule import (
    RUNS_FORWARD,
    Action,
    Budget,
    CheckpointSchedule,
    Demand,
    Row,
)

__all__ = ["check"]


def check(schedule: CheckpointSchedule, budget: Budget) -> Demand:
    """Walk through `schedule` step by step and return what it takes.

    Raises
    ------
    FitError
        If a memory overflows; it names row, step, what was to be kept and the bytes.
    ValueError
        If something is used that is not there, kept twice, left behind, or a step is not reversed once and in order.
    """
    walk = _Walk(budget, schedule.steps)
    for number, row in enumerate(schedule.rows()):
        try:
            walk.do(*row)
        except ValueError as error:
            action, start, stop = row
            raise ValueError(f"row {number}, {Action(action).name} {start}..{stop}: {error}") from None
        walk.measure(number, row)
    walk.finish()
    return Demand(walk.most_local, walk.most_remote, schedule.forward_steps)


_KEPT_BY = {
    Action.FORWARD_TAPE: "tape",
    Action.FORWARD_RESIDUE: "residue",
    Action.BACKTRACK: "tape",
    Action.LOAD_TAPE_REMOTE: "tape",
    Action.SAVE_TAPE_REMOTE: "tape",
}


class _Walk:
    """Who holds what, at one row of a schedule."""

    def __init__(self, budget: Budget, steps: int) -> None:
        self.budget = budget
        self.most_local = self.most_remote = 0
        self._working: int | None = 0
        self._to_reverse = steps
        self._kept: dict[str, set[int]] = {
            name: set() for name in ("local state", "remote state", "local tape", "remote tape", "local residue")
        }

    def do(self, action: int, start: int, stop: int) -> None:
        """Change what is kept as one row says."""
        verb = Action(action)
        if verb == Action.REVERSE:
            self._reverse(start, stop)
        elif verb == Action.BACKTRACK:
            self._stand_at(stop)
            self._take("local residue", start, stop)
            self._put("local tape", start, stop)
            self._working = start
        elif verb in RUNS_FORWARD:
            self._stand_at(start)
            if verb != Action.FORWARD:
                self._put("local tape" if verb == Action.FORWARD_TAPE else "local residue", start, stop)
            self._working = stop
        elif verb == Action.SAVE_STATE_LOCAL:
            self._stand_at(start)
            self._put("local state", start, stop)
        elif verb == Action.LOAD_STATE_LOCAL:
            if start:
                self._need("local state", start, stop)
            self._working = start
        else:
            self._move(verb, start, stop)

    def _move(self, verb: Action, start: int, stop: int) -> None:
        action, what, level = verb.name.lower().split("_")
        other = {"local": "remote", "remote": "local"}[level]
        if action == "free":
            self._take(f"{level} {what}", start, stop)
        elif action == "save":
            self._need(f"{other} {what}", start, stop)
            self._put(f"{level} {what}", start, stop)
        else:
            self._need(f"{level} {what}", start, stop)
            self._put(f"{other} {what}", start, stop)

    def _reverse(self, start: int, stop: int) -> None:
        if stop != self._to_reverse:
            raise ValueError(f"step {self._to_reverse - 1} is to be reversed next, not step {stop - 1}")
        self._take("local tape", start, stop)
        self._to_reverse = start

    def _stand_at(self, t: int) -> None:
        if self._working != t:
            raise ValueError(f"the working state is state {self._working}, not {t}")

    def _need(self, where: str, start: int, stop: int) -> None:
        missing = set(range(start, stop)) - self._kept[where]
        if missing:
            raise ValueError(f"there is no {where} of step {min(missing)}")

    def _take(self, where: str, start: int, stop: int) -> None:
        self._need(where, start, stop)
        self._kept[where] -= set(range(start, stop))

    def _put(self, where: str, start: int, stop: int) -> None:
        there = self._kept[where] & set(range(start, stop))
        if there:
            raise ValueError(f"there is a {where} of step {min(there)} already")
        self._kept[where] |= set(range(start, stop))

    def measure(self, number: int, row: Row) -> None:
        """Compare what is kept with the room for it."""
        sizes = {
            "state": self.budget.state_bytes,
            "tape": self.budget.tape_bytes,
            "residue": self.budget.residue_bytes or 0,
        }
        kept_bytes = {"local": 0, "remote": 0}
        for where, steps in self._kept.items():
            memory, what = where.split()
            kept_bytes[memory] += len(steps) * sizes[what]
        away = self._kept["remote tape"] - self._kept["local tape"]
        kept_bytes["local"] += self.budget.staying_bytes * sum(step < self._to_reverse for step in away)
        for memory, there in (("local", self.budget.local_bytes), ("remote", self.budget.remote_bytes)):
            if kept_bytes[memory] > there:
                what = _KEPT_BY.get(Action(row[0]), "state")
                raise FitError(
                    f"{memory} memory overflows in row {number} of the schedule, at step {row[2] - 1}, with its "
                    f"{what}: {kept_bytes[memory]:,} bytes, {there:,} there, {kept_bytes[memory] - there:,} missing"
                )
        self.most_local = max(self.most_local, kept_bytes["local"])
        self.most_remote = max(self.most_remote, kept_bytes["remote"])

    def finish(self) -> None:
        """Check that all is reversed and nothing is left behind."""
        if self._to_reverse:
            raise ValueError(f"step {self._to_reverse - 1} is never reversed")
        for where, left in self._kept.items():
            if left:
                raise ValueError(f"a {where} of step {min(left)} is left behind")
