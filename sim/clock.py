"""Simulated time in whole engine cycles."""

from __future__ import annotations

import simpy


class Clock(simpy.Environment):
    """A SimPy environment whose time only ever moves by whole cycles."""

    @property
    def cycle(self) -> int:
        """The cycle it is."""
        return int(self.now)
