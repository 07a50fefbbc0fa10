"""One level, states in off-chip memory: a segment is as long as local memory holds tapes, T is bound by DRAM alone."""

from __future__ import annotations

from deltatrain.workloads.lowering.checkpoint.schedule import (
    Budget,
    CheckpointSchedule,
    Costs,
    Demand,
    fit,
    restarted_remotely,
    saved_remotely,
)
from deltatrain.workloads.lowering.checkpoint.segments import bounds_of, one_level

CLOSED_FORM = True


def demand(steps: int, budget: Budget, costs: Costs) -> Demand:
    """Return the tapes of one segment, or the one state on its way, and the states in remote memory."""
    length = segment_steps(steps, budget)
    states = max(0, -(-steps // length) - 2)
    local_bytes = max(length * budget.tape_bytes, budget.state_bytes if states else 0)
    return fit("segment_dram", Demand(local_bytes, states * budget.state_bytes, 2 * steps - length), budget)


def schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    """Return the schedule."""
    demand(steps, budget, costs)
    bounds = bounds_of(0, steps, segment_steps(steps, budget))
    return CheckpointSchedule.of(steps, one_level(bounds, saved_remotely, restarted_remotely))


blocking_schedule = schedule


def segment_steps(steps: int, budget: Budget) -> int:
    """Return the longest segment that leaves room to fetch the next state beside its tapes, if there are any."""
    whole = max(1, min(steps, budget.local_bytes // budget.tape_bytes))
    beside = (budget.local_bytes - budget.state_bytes) // budget.tape_bytes
    return whole if 2 * whole >= steps or beside < 1 else beside
