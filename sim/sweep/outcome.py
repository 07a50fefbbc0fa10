"""What a search is told of a point that it asked for."""

from __future__ import annotations

from typing import NamedTuple


class Outcome(NamedTuple):
    """How a point did.

    Attributes
    ----------
    losses
        Its objectives, to be made small; None where it could not be simulated.
    excesses
        By how much it breaks each constraint; none positive where it keeps all.
    """

    losses: tuple[float, ...] | None
    excesses: tuple[float, ...] = ()

    @property
    def feasible(self) -> bool:
        """Whether it may be on the front."""
        return self.losses is not None and all(excess <= 0 for excess in self.excesses)
