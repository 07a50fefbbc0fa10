"""Family: one file for each checkpoint policy.

Every member has ``schedule(steps, budget, costs)``, which returns a `CheckpointSchedule`, and ``demand`` of the same
arguments, which returns from closed forms the `Demand` of that schedule. Both raise `accel.errors.FitError` where it
does not fit. A member with another schedule where everything waits for transfers has ``blocking_schedule`` too.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from deltatrain.accel.family import ModuleFamily

if TYPE_CHECKING:
    from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule, Costs

POLICIES = ModuleFamily("deltatrain.workloads.lowering.checkpoint.policies", "checkpoint policy")


def blocking_schedule_of(policy: ModuleType) -> Callable[[int, Budget, Costs], CheckpointSchedule]:
    """Return how a policy makes schedules where everything waits for transfers."""
    made: Callable[[int, Budget, Costs], CheckpointSchedule] = getattr(policy, "blocking_schedule", policy.schedule)
    return made
