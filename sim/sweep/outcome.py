"""What a search is told of a point that it asked for."""

from __future__ import annotations

import math
from typing import NamedTuple


class Outcome(NamedTuple):
    """How a point did.

    Attributes
    ----------
    losses
        Its objectives, smaller is better; None where the point could not be simulated.
    excesses
        By how much the point breaks each constraint. None is positive where it keeps all.
    """

    losses: tuple[float, ...] | None
    excesses: tuple[float, ...] = ()

    @property
    def feasible(self) -> bool:
        """Whether it may be on the front."""
        return self.losses is not None and all(excess <= 0 for excess in self.excesses)


def is_number(value: object) -> bool:
    """Tell whether a value of a table is a number that can be compared."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
