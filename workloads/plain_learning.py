"""What those refuse that learn plainly: by one loss without weights, at one learning rate, whole columns of weights."""

from __future__ import annotations

from deltatrain.workloads.tables import BPTT
from deltatrain.workloads.workload import Workload


def learning_limits(workload: Workload, what: str) -> list[str]:
    """Return why `what`, which computes a plain loss and one learning rate, refuses a workload."""
    reasons = []
    if workload.embedding is not None:
        reasons.append(f"embedding must be left out for {what}, which looks up no words")
    if workload.training.truncate_steps is not None:
        reasons.append(f"training.truncate_steps must be left out for {what}, whose steps begin without state")
    if workload.training.rule != BPTT:
        reasons.append(f"training.rule must be {BPTT!r} for {what}, not {workload.training.rule!r}")
    if workload.training.class_weights is not None:
        reasons.append(f"training.class_weights must be left out for {what}, whose loss has no weights")
    if workload.training.layer_rates is not None:
        reasons.append(f"training.layer_rates must be left out for {what}, which updates all layers at one rate")
    return reasons


def dense_limits(workload: Workload, what: str) -> list[str]:
    """Return why `what`, which supports whole columns only, refuses a workload of sparse weights."""
    if workload.sparsity.density == 1:
        return []
    return [f"sparsity.rule must be 'dense' for {what}, not {workload.sparsity.rule!r}"]
