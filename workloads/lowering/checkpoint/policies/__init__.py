"""Family: one file for each checkpoint policy; `Policy` says what a member has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from deltatrain.accel.family import ModuleFamily

if TYPE_CHECKING:
    from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule, Costs, Demand


class Policy(Protocol):
    """Which steps' state and tape are kept, where, and which steps are run again.

    Every function raises `accel.errors.FitError` where the schedule does not fit.

    Attributes
    ----------
    CLOSED_FORM
        Whether `demand` is found without making the schedule.
    """

    CLOSED_FORM: bool

    def schedule(self, steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
        """Return the schedule of a sequence of `steps` where transfers go on beside the units' work."""

    def blocking_schedule(self, steps: int, budget: Budget, costs: Costs) -> CheckpointSchedule:
        """Return the schedule where everything waits for transfers; most policies do the same."""

    def demand(self, steps: int, budget: Budget, costs: Costs) -> Demand:
        """Return what `schedule` takes."""


POLICIES = ModuleFamily[Policy]("deltatrain.workloads.lowering.checkpoint.policies", "checkpoint policy", Policy)
