"""The schedules of the package checkpoint-schedules, in the actions of this one.

What the package does otherwise, and what is made of it here:

- RAM is local, DISK remote, WORK the working state and the tape of one step. A state on its way to DISK or back is in
  local memory meanwhile, so one slot there is set aside where there is a disk.
- It stores state 0 like any other; here it is known, and its slot is free for another.
- HRevolve hands u_f and u_b on in the wrong order. As u_b only adds a constant, u_b = u_f is right (version 1.0.4).
- HRevolve and DiskRevolve never delete what they read from DISK; here a state goes when its step is reversed.
- Their tables have T^2 entries for each slot, made in Python, so T and slots are bounded (`MOST_ENTRIES`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from checkpoint_schedules import (
    Copy,
    DiskRevolve,
    EndForward,
    EndReverse,
    Forward,
    HRevolve,
    Move,
    MultistageCheckpointSchedule,
    Reverse,
    StorageType,
)

from deltatrain.accel.errors import FitError
from deltatrain.workloads.lowering.checkpoint.schedule import Action, Budget, Row
from deltatrain.workloads.lowering.checkpoint.segments import taped

MOST_ENTRIES = 500_000
"""Half a second of work."""

Rows = tuple[Row, ...]


def slots(steps: int, budget: Budget) -> tuple[int, int]:
    """Return how many states local and remote memory hold beside one tape and one state on its way."""
    local = (budget.local_bytes - budget.tape_bytes) // budget.state_bytes - 1
    return max(0, min(steps, local)), max(0, min(steps, budget.remote_bytes // budget.state_bytes))


@lru_cache(maxsize=8)
def local_rows(steps: int, slots: int) -> Rows:
    """Return binomial checkpointing with `slots` slots, state 0 in one of them."""
    if steps == 1:
        return tuple(taped(0, 1))
    return _translated(MultistageCheckpointSchedule(steps, min(slots, steps - 1), 0, trajectory="maximum"))


@lru_cache(maxsize=8)
def hierarchical_rows(steps: int, local: int, remote: int, moves: tuple[float, float]) -> Rows:
    """Return H-Revolve; `moves` are the times of writing and reading a remote state, in forward steps."""
    if remote == 0 or steps == 1:
        return local_rows(steps, local + 1)
    _limit("hrevolve", steps, local + 1 + remote)
    # The package puts state 0 in RAM, whose slot is free here.
    return _translated(HRevolve(steps, local + 1, remote, 1, 1, *moves))


@lru_cache(maxsize=8)
def disk_rows(steps: int, local: int, moves: tuple[float, float]) -> Rows:
    """Return Disk-Revolve; only the sum of `moves` matters."""
    if steps == 1:
        return tuple(taped(0, 1))
    _limit("disk_revolve", steps, max(1, local))
    return _translated(DiskRevolve(steps, max(1, local), 1, 1, *moves))


def _limit(policy: str, steps: int, slots: int) -> None:
    if steps * steps * slots > MOST_ENTRIES:
        raise FitError(
            f"policy {policy} is not worked out for {steps:,} steps and {slots:,} slots: the package's tables would "
            f"have {steps * steps * slots:,} entries, more than {MOST_ENTRIES:,}"
        )


def _translated(actions: Iterable[object]) -> Rows:
    """Return the package's actions as rows."""
    rows: list[Row] = []
    local: set[int] = set()
    remote: set[int] = set()
    for action in actions:
        if isinstance(action, Forward):
            rows += _forward(action, local, remote)
        elif isinstance(action, Reverse):
            rows.append((Action.REVERSE, action.n0, action.n1))
            rows += _freed([t for t in local if t >= action.n0], local, Action.FREE_STATE_LOCAL)
            rows += _freed([t for t in remote if t >= action.n0], remote, Action.FREE_STATE_REMOTE)
        elif isinstance(action, (Copy, Move)):
            rows += _restart(action, local, remote)
        elif not isinstance(action, (EndForward, EndReverse)):
            raise AssertionError(f"an action of checkpoint-schedules that is not known here: {action}")
    return tuple(rows)


def _forward(action: Forward, local: set[int], remote: set[int]) -> list[Row]:
    t, rows = action.n0, list[Row]()
    if action.write_ics and t:
        if action.storage == StorageType.DISK:
            verbs = (Action.SAVE_STATE_LOCAL, Action.SAVE_STATE_REMOTE, Action.FREE_STATE_LOCAL)
            rows += [(verb, t, t + 1) for verb in verbs if t not in remote]
            remote.add(t)
        elif t not in local:
            rows.append((Action.SAVE_STATE_LOCAL, t, t + 1))
            local.add(t)
    rows.append((Action.FORWARD_TAPE if action.write_adj_deps else Action.FORWARD, t, action.n1))
    return rows


def _restart(action: Copy | Move, local: set[int], remote: set[int]) -> list[Row]:
    t, rows = action.n, list[Row]()
    from_disk = action.from_storage == StorageType.DISK
    if t and from_disk and t not in local:
        rows.append((Action.LOAD_STATE_REMOTE, t, t + 1))
    rows.append((Action.LOAD_STATE_LOCAL, t, t + 1))
    if t and from_disk and t not in local:
        rows.append((Action.FREE_STATE_LOCAL, t, t + 1))
    if t and isinstance(action, Move):
        kept, verb = (remote, Action.FREE_STATE_REMOTE) if from_disk else (local, Action.FREE_STATE_LOCAL)
        rows += _freed([t], kept, verb)
    return rows


def _freed(states: list[int], kept: set[int], verb: Action) -> list[Row]:
    kept -= set(states)
    return [(verb, t, t + 1) for t in sorted(states)]
