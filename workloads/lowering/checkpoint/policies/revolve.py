"""Binomial checkpointing in local memory (Griewank and Walther 2000), by checkpoint-schedules.

Its multistage schedule without a disk runs as many steps as its revolve and is made in no time. A slot of the package
holds state 0 too, which is known here, so there is one slot more than memory holds.
"""

from __future__ import annotations

from math import comb

from deltatrain.workloads.lowering.checkpoint.package import local_rows
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule, Costs, Demand, fit

CLOSED_FORM = True


def demand(steps: int, budget: Budget, costs: Costs) -> Demand:
    """Return the states and one tape; forward steps from the closed form."""
    states = _states(steps, budget)
    taken = Demand(states * budget.state_bytes + budget.tape_bytes, 0, steps + extra_steps(steps, states + 1))
    return fit("revolve", taken, budget)


def schedule(steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
    """Return the schedule."""
    demand(steps, budget, costs)
    return CheckpointSchedule.of(steps, local_rows(steps, _states(steps, budget) + 1))


blocking_schedule = schedule


def extra_steps(steps: int, slots: int) -> int:
    """Return the fewest steps that are run besides one taped forward of each.

    With beta(s, r) = C(s + r, s) and beta(s, r - 1) < n <= beta(s, r), it is r n - beta(s + 1, r - 1).
    """
    sweeps = 0
    while comb(slots + sweeps, slots) < steps:
        sweeps += 1
    return sweeps * steps - comb(slots + sweeps, slots + 1) if sweeps else 0


def _states(steps: int, budget: Budget) -> int:
    fitting = (budget.local_bytes - budget.tape_bytes) // budget.state_bytes
    return max(0, min(steps - 2, fitting))
