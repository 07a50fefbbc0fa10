"""Checkpoint schedules: which steps run forward when, what is kept where, and when each step is reversed.

State t is what restarts step t, so it is there before step t is run; state 0 is known and never kept. The tape of step
t is what its backward pass needs. The *working state* belongs to the cell itself and costs nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import FitError


class Action(IntEnum):
    """What a row of a schedule does to the steps ``start`` to ``stop`` (exclusive), or to state ``start``."""

    FORWARD = 0
    """Run steps; nothing of them stays."""
    FORWARD_TAPE = 1
    """Run steps; their tapes stay in local memory."""
    FORWARD_RESIDUE = 2
    """Run steps; of their tapes only what cannot be run backwards stays in local memory."""
    BACKTRACK = 3
    """Run the working state backwards over steps, from their residues, which become their tapes."""
    REVERSE = 4
    """Back-propagate steps, the last first; each tape is gone after its step."""
    SAVE_STATE_LOCAL = 5
    """Copy the working state, which is state ``start``, to local memory."""
    LOAD_STATE_LOCAL = 6
    """Make state ``start``, which is in local memory or is state 0, the working state."""
    FREE_STATE_LOCAL = 7
    SAVE_STATE_REMOTE = 8
    """Move a copy of state ``start`` from local to remote memory."""
    LOAD_STATE_REMOTE = 9
    """Move a copy of state ``start`` from remote to local memory."""
    FREE_STATE_REMOTE = 10
    SAVE_TAPE_REMOTE = 11
    """Move copies of tapes from local to remote memory."""
    LOAD_TAPE_REMOTE = 12
    """Move copies of tapes from remote to local memory."""
    FREE_TAPE_LOCAL = 13
    FREE_TAPE_REMOTE = 14


Row = tuple[int, int, int]
"""Action, start, stop."""

RUNS_FORWARD = (Action.FORWARD, Action.FORWARD_TAPE, Action.FORWARD_RESIDUE)
TRANSFERS = (Action.SAVE_STATE_REMOTE, Action.LOAD_STATE_REMOTE, Action.SAVE_TAPE_REMOTE, Action.LOAD_TAPE_REMOTE)


class Budget(NamedTuple):
    """Sizes of what may be kept, and the room for it.

    Attributes
    ----------
    state_bytes, tape_bytes
        Of one step.
    local_bytes, remote_bytes
        Free for states and tapes; in local memory also while they are on their way.
    residue_bytes
        What of a step's tape cannot be run backwards; None where steps cannot be undone.
    moved_state_bytes, moved_tape_bytes
        What passes the port for a state and for a tape, where several tiles keep a part of it each and all else here is
        said of one tile; None if it is what is kept.
    staying_bytes
        What of a step's tape stays in local memory while the rest is off-chip, until the step is reversed.
    """

    state_bytes: int
    tape_bytes: int
    local_bytes: int
    remote_bytes: int
    residue_bytes: int | None = None
    moved_state_bytes: int | None = None
    moved_tape_bytes: int | None = None
    staying_bytes: int = 0


class Costs(NamedTuple):
    """Times, in cycles.

    Attributes
    ----------
    forward_cycles, backward_cycles
        One step.
    save_state_cycles, load_state_cycles, save_tape_cycles, load_tape_cycles
        Moving one state, the tape of one step, to remote memory and back.
    forward_port_cycles, backward_port_cycles
        How long the port is busy with a step's own traffic, such as streamed weights.
    undo_cycles
        Running the state of one step backwards; the port is as busy as in a forward step.
    latency_cycles
        From when the port is free of a transfer until it is done; others may follow meanwhile.
    """

    forward_cycles: int
    backward_cycles: int
    save_state_cycles: int
    load_state_cycles: int
    save_tape_cycles: int
    load_tape_cycles: int
    forward_port_cycles: int = 0
    backward_port_cycles: int = 0
    undo_cycles: int = 0
    latency_cycles: int = 0


class Demand(NamedTuple):
    """What a schedule takes.

    Attributes
    ----------
    local_bytes, remote_bytes
        At most, at any time.
    forward_steps
        Steps run forward, those of the first pass among them.
    """

    local_bytes: int
    remote_bytes: int
    forward_steps: int


@dataclass(frozen=True, eq=False)
class CheckpointSchedule:
    """Rows of actions in the order of their issue.

    Attributes
    ----------
    steps
        T.
    action, start, stop
        Of each row, shape (N,).
    """

    steps: int
    action: NDArray[np.int8]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    @classmethod
    def of(cls, steps: int, rows: Sequence[Row]) -> CheckpointSchedule:
        """Return the schedule of `rows`; a row over no steps is left out."""
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        table = table[table[:, 2] > table[:, 1]]
        return cls(steps, table[:, 0].astype(np.int8), table[:, 1].copy(), table[:, 2].copy())

    def __len__(self) -> int:
        return len(self.action)

    def rows(self) -> Iterator[Row]:
        """Yield each row."""
        yield from zip(self.action.tolist(), self.start.tolist(), self.stop.tolist(), strict=True)

    @property
    def forward_steps(self) -> int:
        """Steps run forward in all."""
        return int((self.stop - self.start)[np.isin(self.action, RUNS_FORWARD)].sum())


def saved_remotely(t: int) -> list[Row]:
    """Return the rows that take the working state t to remote memory."""
    verbs = (Action.SAVE_STATE_LOCAL, Action.SAVE_STATE_REMOTE, Action.FREE_STATE_LOCAL)
    return [(verb, t, t + 1) for verb in verbs] if t else []


def restarted_remotely(t: int) -> list[Row]:
    """Return the rows that bring state t back from remote memory, for the last time, and restart from it."""
    if t == 0:
        return [(Action.LOAD_STATE_LOCAL, 0, 1)]
    verbs = (
        Action.LOAD_STATE_REMOTE,
        Action.LOAD_STATE_LOCAL,
        Action.FREE_STATE_LOCAL,
        Action.FREE_STATE_REMOTE,
    )
    return [(verb, t, t + 1) for verb in verbs]


def byte_changes(schedule: CheckpointSchedule, budget: Budget) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return by how much each row changes what local and remote memory hold, in bytes, shape (N,) each."""
    state, tape, residue = budget.state_bytes, budget.tape_bytes, budget.residue_bytes or 0
    sent = tape - budget.staying_bytes
    local, remote = np.zeros((2, len(Action)), dtype=np.int64)
    for action, size in (
        (Action.FORWARD_TAPE, tape),
        (Action.FORWARD_RESIDUE, residue),
        (Action.BACKTRACK, tape - residue),
        (Action.REVERSE, -tape),
        (Action.SAVE_STATE_LOCAL, state),
        (Action.FREE_STATE_LOCAL, -state),
        (Action.LOAD_STATE_REMOTE, state),
        (Action.LOAD_TAPE_REMOTE, sent),
        (Action.FREE_TAPE_LOCAL, -sent),
    ):
        local[action] = size
    for action, size in (
        (Action.SAVE_STATE_REMOTE, state),
        (Action.FREE_STATE_REMOTE, -state),
        (Action.SAVE_TAPE_REMOTE, tape),
        (Action.FREE_TAPE_REMOTE, -tape),
    ):
        remote[action] = size
    count = schedule.stop - schedule.start
    return local[schedule.action] * count, remote[schedule.action] * count


def demand_of(schedule: CheckpointSchedule, budget: Budget) -> Demand:
    """Return what `schedule` takes, from its rows."""
    local, remote = (int(np.cumsum(change).max(initial=0)) for change in byte_changes(schedule, budget))
    return Demand(local, remote, schedule.forward_steps)


def fit(policy: str, demand: Demand, budget: Budget) -> Demand:
    """Return `demand` if there is room for it.

    Raises
    ------
    FitError
        If not; it names the policy, the memory and the bytes.
    """
    for memory, needed, there in (
        ("local", demand.local_bytes, budget.local_bytes),
        ("remote", demand.remote_bytes, budget.remote_bytes),
    ):
        if needed > there:
            raise FitError(
                f"policy {policy} does not fit: {needed:,} bytes of {memory} memory needed for states and tapes, "
                f"{there:,} there, {needed - there:,} missing"
            )
    return demand
