"""Everything stays local: plain back-propagation through time."""

from __future__ import annotations

from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule, Costs, Demand, fit
from deltatrain.workloads.lowering.checkpoint.segments import taped

CLOSED_FORM = True


def demand(steps: int, budget: Budget, costs: Costs) -> Demand:
    """Return T tapes and T forward steps."""
    return fit("store_all", Demand(steps * budget.tape_bytes, 0, steps), budget)


def schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    """Return the schedule."""
    demand(steps, budget, costs)
    return CheckpointSchedule.of(steps, taped(0, steps))


blocking_schedule = schedule
