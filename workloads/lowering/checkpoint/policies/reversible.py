"""Only what cannot be inverted is kept: the fired lists and the cell's own state. The rest is run backwards.

In integers that wrap, M[t-1] = M[t] - W delta[t] exactly (`accel.modes.matvec.undo`), and the cells of step t follow
from M[t] and the state that they took. Where the residues of all steps do not fit, states at the beginning of segments
go to off-chip memory and a segment leaves its residues when it is run again.
"""

from __future__ import annotations

from deltatrain.accel.errors import FitError
from deltatrain.workloads.lowering.checkpoint.schedule import (
    Action,
    Budget,
    CheckpointSchedule,
    Costs,
    Demand,
    Row,
    fit,
    restarted_remotely,
    saved_remotely,
)
from deltatrain.workloads.lowering.checkpoint.segments import bounds_of, one_level

CLOSED_FORM = True
NEEDS = (
    "policy 'reversible' needs a delta network whose memory M wraps: its steps can be run backwards, "
    "saturating sums and the reset of a spiking neuron cannot"
)
_BLOCKS = 512
"""Blocks of a long segment that are run backwards and reversed together."""


def demand(steps: int, budget: Budget, costs: Costs) -> Demand:
    """Return the residues of a segment and the tapes of a block, and the states in remote memory."""
    residue, length = _residue_bytes(budget), segment_steps(steps, budget)
    states = max(0, -(-steps // length) - 2)
    block = _block(length, budget)
    local_bytes = length * residue + block * (budget.tape_bytes - residue)
    local_bytes = max(local_bytes, budget.state_bytes if states else 0)
    return fit("reversible", Demand(local_bytes, states * budget.state_bytes, 2 * steps - length), budget)


def schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    """Return the schedule."""
    demand(steps, budget, costs)
    length = segment_steps(steps, budget)
    block = _block(length, budget)

    def run_back(start: int, stop: int) -> list[Row]:
        rows: list[Row] = [(Action.FORWARD_RESIDUE, start, stop)]
        for b in range(stop, start, -block):
            rows += [(verb, max(start, b - block), b) for verb in (Action.BACKTRACK, Action.REVERSE)]
        return rows

    bounds = bounds_of(0, steps, length)
    return CheckpointSchedule.of(steps, one_level(bounds, saved_remotely, restarted_remotely, run_back))


blocking_schedule = schedule


def segment_steps(steps: int, budget: Budget) -> int:
    """Return the longest segment whose residues fit beside one tape and, if there are more than two, a state."""
    residue = _residue_bytes(budget)
    room = budget.local_bytes - (budget.tape_bytes - residue)
    whole = max(1, min(steps, room // residue))
    beside = (room - budget.state_bytes) // residue
    return whole if 2 * whole >= steps or beside < 1 else beside


def _block(length: int, budget: Budget) -> int:
    residue = _residue_bytes(budget)
    room = (budget.local_bytes - length * residue) // max(1, budget.tape_bytes - residue)
    return max(1, min(room, -(-length // _BLOCKS)))


def _residue_bytes(budget: Budget) -> int:
    if budget.residue_bytes is None:
        raise FitError(NEEDS)
    return max(1, budget.residue_bytes)
