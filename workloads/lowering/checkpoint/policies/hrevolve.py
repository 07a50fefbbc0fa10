"""H-Revolve (Herrmann and Pallez 2020): two levels of slots and the time of moving a state, by checkpoint-schedules.

The package's own cost model knows no overlap.
"""

from __future__ import annotations

from deltatrain.workloads.lowering.checkpoint.package import hierarchical_rows, slots
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule, Costs, Demand, demand_of, fit

CLOSED_FORM = False


def demand(steps: int, budget: Budget, costs: Costs) -> Demand:
    """Return what the package's schedule takes; there is no closed form."""
    rows = hierarchical_rows(steps, *slots(steps, budget), _moves(costs))
    return fit("hrevolve", demand_of(CheckpointSchedule.of(steps, rows), budget), budget)


def schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    """Return the schedule."""
    demand(steps, budget, costs)
    return CheckpointSchedule.of(steps, hierarchical_rows(steps, *slots(steps, budget), _moves(costs)))


blocking_schedule = schedule


def _moves(costs: Costs) -> tuple[float, float]:
    """Return the times of writing and reading a state in forward steps."""
    step = max(1, costs.forward_cycles)
    return costs.save_state_cycles / step, costs.load_state_cycles / step
