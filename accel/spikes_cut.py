"""What a training says of the spikes that its lists had no room for, in one phrase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deltatrain.accel.quantity import share

SPIKES_CUT = "spikes cut by full lists"
COUNTS = ("spikes", "spikes_cut", "steps_cut", "steps")


def told(training: Mapping[str, Any]) -> str | None:
    """Return how many of the last epoch's spikes were cut, from `COUNTS` in `training`; None if nothing spikes."""
    if not training.keys() >= set(COUNTS):
        return None
    listed, cut, steps_cut, steps = (training[name] for name in COUNTS)
    if not cut:
        return f"none of {listed:,} in the last epoch"
    part = share(cut / (listed + cut))
    return f"{cut:,} of {listed + cut:,} ({part}) in the last epoch, in {steps_cut:,} of {steps:,} steps"
