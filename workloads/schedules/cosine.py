"""The learning rate falls to zero along half a cosine (Loshchilov and Hutter, SGDR, ICLR 2017, without restarts)."""

from __future__ import annotations

import math
from collections.abc import Sequence


def factor(progress: float, losses: Sequence[float]) -> float:
    """Return the factor after a share `progress` (0 to 1) of all updates; the losses of past epochs do not matter."""
    return 0.5 * (1 + math.cos(math.pi * progress))
