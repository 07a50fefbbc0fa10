"""Family: one file for each checkpoint policy.

Every member has ``schedule(steps, budget, costs) -> Schedule`` and ``demand(steps, budget, costs) -> Demand``, which
says from closed forms what that schedule takes. Both raise `accel.errors.FitError` where it does not fit.
"""

from accel.family import ModuleFamily

POLICIES = ModuleFamily("workloads.checkpoint.policies", "checkpoint policy")
