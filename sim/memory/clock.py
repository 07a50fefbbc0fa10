"""Simulated time in whole engine cycles, and the order of what happens within one.

A cycle has phases. First ops retire and begin, and stores ask; then loads ask, then fetches; then it is the memory's
turn; last the gates are sampled. So requests of one cycle reach the memory in the order store, load, fetch, and what
the memory has due by a cycle is there before that cycle is sampled.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import simpy
from simpy.events import NORMAL

LOAD, FETCH, MEMORY, SAMPLE = range(NORMAL + 1, NORMAL + 5)
"""Phases of a cycle after the first, in which all other events happen."""


class Clock(simpy.Environment):
    """A SimPy environment whose time only ever moves by whole cycles."""

    @property
    def cycle(self) -> int:
        """The cycle it is."""
        return int(self._now)  # as `now`, without a call more: this is asked many times a cycle


class Turn(simpy.Event):
    """A phase of a cycle, for a process to wait for.

    Parameters
    ----------
    clock
        The time.
    cycle
        When, not before now.
    phase
        `LOAD`, `FETCH`, `MEMORY` or `SAMPLE`.
    """

    def __init__(self, clock: Clock, cycle: int, phase: int) -> None:
        super().__init__(clock)
        self._ok = True
        self._value = None
        clock.schedule(self, priority=phase, delay=cycle - clock.cycle)  # type: ignore[arg-type]


class At(Turn):
    """A call in the first phase of a cycle.

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
        super().__init__(clock, cycle, NORMAL)
        self.callbacks = [done]


class Alarm:
    """Wakes one process in a phase of a cycle that others may bring forward.

    SimPy takes no event back. One that was brought forward therefore stays, and wakes the process once more later.

    Parameters
    ----------
    clock
        The time.
    phase
        `LOAD`, `FETCH`, `MEMORY` or `SAMPLE`.
    """

    def __init__(self, clock: Clock, phase: int) -> None:
        self._clock, self._phase = clock, phase
        self._pending: list[tuple[float, simpy.Event]] = [(math.inf, clock.event())]  # the soonest is the last

    def wait(self, cycle: float) -> simpy.Event:
        """Return an event for the process to yield, which comes in `cycle` at the latest; never if that is infinite."""
        while self._pending[-1][1].processed:
            self._pending.pop()
        if cycle < self._pending[-1][0]:
            self._pending.append((cycle, Turn(self._clock, int(cycle), self._phase)))
        return self._pending[-1][1]

    def bring_forward(self, cycle: int) -> None:
        """Let the process that waits be woken in `cycle`, not before now, if it would be later."""
        later, awaited = self._pending[-1]
        if cycle < later:
            turn = Turn(self._clock, cycle, self._phase)
            turn.callbacks, awaited.callbacks = awaited.callbacks, []
            self._pending.append((cycle, turn))
