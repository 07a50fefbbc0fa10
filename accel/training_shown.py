"""What training showed, as a result tells it: which numbers are shares, and which are counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deltatrain.accel import spikes_cut

_SHARES = ("accuracy", "float_accuracy", "occupancy_x", "occupancy_h", "saved")


def check_stored(name: str, counts: object) -> None:
    """Raise a `ValueError` unless `counts` are how many numbers were stored, overflowed and vanished."""
    three: list[Any] = list(counts) if isinstance(counts, list | tuple) and len(counts) == 3 else [None]
    if not all(type(count) is int and 0 <= count <= three[0] for count in three):
        raise ValueError(f"{name} must be three counts, none above the first, not {counts!r:.60}")


def check_shown(training: Mapping[str, Any]) -> None:
    """Raise a `ValueError` if a share is none, or a count."""
    for name in _SHARES:
        value = training.get(name, 0.0)
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"training.{name} must be a share between 0 and 1, not {value}")
    stored = training.get("stored", {})
    if not isinstance(stored, Mapping):
        raise ValueError(f"training.stored must be a table, not {stored!r:.60}")
    for tensor, of in stored.items():
        check_stored(f"training.stored.{tensor}", of)
    for name in spikes_cut.COUNTS:
        value = training.get(name, 0)
        if not isinstance(value, int) or value < 0:
            raise ValueError(f"training.{name} must be a number of at least 0, not {value}")
