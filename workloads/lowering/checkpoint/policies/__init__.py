"""Family: one file for each checkpoint policy.

Every member has ``schedule(steps, budget, costs) -> Schedule`` and ``demand(steps, budget, costs) -> Demand``, which
says from closed forms what that schedule takes. Both raise `accel.errors.FitError` where it does not fit. A member that
does otherwise where everything waits for transfers has ``blocking_schedule`` too.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from deltatrain.accel.family import ModuleFamily

if TYPE_CHECKING:
    from deltatrain.workloads.lowering.checkpoint.schedule import Budget, Costs, Schedule

POLICIES = ModuleFamily("deltatrain.workloads.lowering.checkpoint.policies", "checkpoint policy")


def blocking_schedule_of(policy: ModuleType) -> Callable[[int, Budget, Costs], Schedule]:
    """Return how a policy makes schedules where everything waits for transfers."""
    made: Callable[[int, Budget, Costs], Schedule] = getattr(policy, "blocking_schedule", policy.schedule)
    return made
