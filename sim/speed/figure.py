"""A figure of host speed: what was measured, what it stands beside, and what the baseline had."""

from __future__ import annotations

from typing import NamedTuple

SLOWER = 1.15
"""What takes more than this times its share of the baseline is told to be slower."""


class Figure(NamedTuple):
    """One measured piece of work.

    Attributes
    ----------
    what
        Its name, the same in every run.
    value, unit
        What was measured, such as 0.4 "CPU s".
    peer, theirs
        What it stands beside, and the same quantity of that; empty and None where it stands alone.
    relative
        What is compared between hosts: CPU seconds over the reference's or the peer's. None if it is only told.
    baseline
        What was `relative` when the baseline was written; None where the baseline has no such figure.
    """

    what: str
    value: float
    unit: str
    peer: str = ""
    theirs: float | None = None
    relative: float | None = None
    baseline: float | None = None

    @property
    def times_baseline(self) -> float | None:
        """How long it takes now, over how long it took; None where the baseline does not know it."""
        return None if self.relative is None or not self.baseline else self.relative / self.baseline

    @property
    def verdict(self) -> str:
        """Whether it got slower by more than the noise that is let pass."""
        times = self.times_baseline
        if times is None:
            return ""
        return "SLOWER" if times > SLOWER else "faster" if times < 1 / SLOWER else "as before"
