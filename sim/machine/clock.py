"""Simulated time in whole engine cycles, and whose turn it is within one."""

from __future__ import annotations

from collections.abc import Callable

import simpy
from simpy.events import NORMAL

LOAD = NORMAL + 1
FETCH = NORMAL + 2
DELIVER = NORMAL + 3


class Clock(simpy.Environment):
    """A SimPy environment whose time only ever moves by whole cycles."""

    @property
    def cycle(self) -> int:
        """The cycle it is."""
        return int(self.now)


class Turn(simpy.Event):
    """A wait until `cycle`, and then until everything more urgent in that cycle has happened.

    Parameters
    ----------
    clock
        The time.
    cycle
        When, not before now.
    urgency
        `LOAD`, `FETCH` or `DELIVER`, in this order; all other events come before.
    """

    def __init__(self, clock: Clock, cycle: int, urgency: int) -> None:
        super().__init__(clock)
        self._ok = True
        self._value = None
        clock.schedule(self, priority=urgency, delay=cycle - clock.cycle)  # type: ignore[arg-type]


class At(simpy.Event):
    """Something to be done in `cycle`, before units look.

    Parameters
    ----------
    clock
        The time.
    cycle
        When, not before now.
    done
        Called then.
    """

    def __init__(self, clock: Clock, cycle: int, done: Callable[[simpy.Event], None]) -> None:
        super().__init__(clock)
        self._ok = True
        self._value = None
        self.callbacks = [done]
        clock.schedule(self, delay=cycle - clock.cycle)
