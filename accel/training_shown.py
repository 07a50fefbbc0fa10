"""What training showed, as a result tells it: which numbers are shares, and which are counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deltatrain.accel import spikes_cut

_SHARES = ("accuracy", "float_accuracy", "occupancy_x", "occupancy_h", "saved")


def check_shown(training: Mapping[str, Any]) -> None:
    """Raise a `ValueError` if a share is none, or a count."""
    for name in _SHARES:
        value = training.get(name, 0.0)
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"training.{name} must be a share between 0 and 1, not {value}")
    for name in spikes_cut.COUNTS:
        value = training.get(name, 0)
        if not isinstance(value, int) or value < 0:
            raise ValueError(f"training.{name} must be a number of at least 0, not {value}")
