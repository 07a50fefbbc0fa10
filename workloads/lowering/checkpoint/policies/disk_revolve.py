"""Disk-Revolve (Aupy et al. 2016): binomial in local memory, any number of states off-chip, by checkpoint-schedules."""

from __future__ import annotations

from deltatrain.workloads.lowering.checkpoint.package import disk_rows, slots
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule, Costs, Demand, demand_of, fit

CLOSED_FORM = False


def demand(steps: int, budget: Budget, costs: Costs) -> Demand:
    """Return what the package's schedule takes; there is no closed form."""
    return fit("disk_revolve", demand_of(_schedule(steps, budget, costs), budget), budget)


def schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    """Return the schedule."""
    demand(steps, budget, costs)
    return _schedule(steps, budget, costs)


blocking_schedule = schedule


def _schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    step = max(1, costs.forward_cycles)
    local, _ = slots(steps, budget)
    moves = costs.save_state_cycles / step, costs.load_state_cycles / step
    return CheckpointSchedule.of(steps, disk_rows(steps, local, moves))
