"""What does not go with online learning rules on a machine."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.workloads.plain_learning import dense_limits
from deltatrain.workloads.rules import RULES
from deltatrain.workloads.workload import Workload


def online_limits(architecture: Architecture, workload: Workload) -> list[str]:
    """Return a line for each reason why a machine cannot learn each step at once, if a workload's rule does that."""
    name = workload.training.rule
    if not RULES.load(name).ONLINE or not workload.learns:
        return []
    rule, engine, reasons = f"training.rule {name!r}", architecture.engine, list[str]()
    if architecture.tiles.count > 1:
        reasons.append(f"tiles.count must be 1 for {rule}, not {architecture.tiles.count}: no op sends traces")
    if engine.arrays > 1:
        reasons.append(f"engine.arrays must be 1 for {rule}, not {engine.arrays}: no op tells the turns of traces")
    if engine.outer_steps > 1:
        reasons.append(f"engine.outer_steps must be 1 for {rule}, not {engine.outer_steps}: each step learns at once")
    if engine.in_turn:
        reasons.append(f"engine.in_turn must be false for {rule}, whose steps learn beside the next ones")
    if architecture.local.ports == 1:
        reasons.append(f"local.ports must be 2 for {rule}, not 1: one port has no law for traces")
    if architecture.checkpoint.policy is not None:
        policy = architecture.checkpoint.policy
        reasons.append(f"checkpoint.policy must be left out for {rule}, which leaves no tape, not {policy!r}")
    return reasons + dense_limits(workload, rule)
