"""The learning rate stays."""

from __future__ import annotations

from collections.abc import Sequence


def factor(progress: float, losses: Sequence[float]) -> float:
    """Return 1 whatever the share of updates done (`progress`, 0 to 1) and the training losses of past epochs."""
    return 1.0
