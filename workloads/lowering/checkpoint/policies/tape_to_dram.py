"""Tapes go to off-chip memory and come back: no step is run twice.

The tape is moved in blocks; where local memory has room for two, one is on its way while one is in use. The last stays.
"""

from __future__ import annotations

from itertools import pairwise

from deltatrain.workloads.lowering.checkpoint.schedule import (
    Action,
    Budget,
    CheckpointSchedule,
    Costs,
    Demand,
    Row,
    fit,
)
from deltatrain.workloads.lowering.checkpoint.segments import bounds_of

CLOSED_FORM = True
_BLOCKS = 512
"""Blocks of a long sequence. Finer ones would overlap no better but at the ends."""


def demand(steps: int, budget: Budget, costs: Costs) -> Demand:
    """Return one block of tapes, and all tapes but the last block's in remote memory."""
    block = _block(steps, budget)
    taken = Demand(block * budget.tape_bytes, (steps - block) * budget.tape_bytes, steps)
    return fit("tape_to_dram", taken, budget)


def schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    """Return the schedule."""
    demand(steps, budget, costs)
    *sent, last = pairwise(bounds_of(0, steps, _block(steps, budget)))
    rows: list[Row] = []
    for a, b in sent:
        rows += [(Action.FORWARD_TAPE, a, b), (Action.SAVE_TAPE_REMOTE, a, b), (Action.FREE_TAPE_LOCAL, a, b)]
    rows += [(Action.FORWARD_TAPE, *last), (Action.REVERSE, *last)]
    for a, b in reversed(sent):
        rows += [(Action.LOAD_TAPE_REMOTE, a, b), (Action.REVERSE, a, b), (Action.FREE_TAPE_REMOTE, a, b)]
    return CheckpointSchedule.of(steps, rows)


blocking_schedule = schedule


def _block(steps: int, budget: Budget) -> int:
    """Return the steps of a block: the fewest that keep the number of blocks small."""
    half = budget.local_bytes // (2 * budget.tape_bytes)
    return max(1, min(half, -(-steps // _BLOCKS)))
