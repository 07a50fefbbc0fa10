"""Transfers that a load or a store unit has in flight to or from off-chip memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

import simpy

from deltatrain.sim.memory.clock import Clock


class Transfer:
    """A transfer: the cycle in which its bytes are there, and an event that comes when that cycle is known."""

    __slots__ = ("known", "there")

    def __init__(self, clock: Clock) -> None:
        self.known = clock.event()
        self.there = 0


class TransfersInFlight:
    """Transfers of one unit, in the order of its ops; the unit takes or gives one word a cycle.

    Parameters
    ----------
    clock
        The time.
    most
        How many may be in flight at once.
    """

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock, self._most = clock, most
        self._in_flight: deque[Transfer] = deque()
        self._last_there = 0

    def begin(self) -> Transfer:
        """Return a further transfer."""
        self._in_flight.append(Transfer(self._clock))
        return self._in_flight[-1]

    def end(self, transfer: Transfer, ready: int, words: int) -> int:
        """Return the cycle in which a transfer is done; transfers end in their order.

        Parameters
        ----------
        transfer
            The oldest that has not ended.
        ready
            The cycle in which it would be done if the unit had no other transfer.
        words
            Words that the unit takes or gives, one a cycle, after those of the transfer before.
        """
        self._last_there = max(ready, self._last_there + words)
        transfer.there = self._last_there
        transfer.known.succeed()
        return self._last_there

    def make_room(self, cycles: int) -> Generator[simpy.Event, None, None]:
        """Wait for `cycles`, and until a further transfer may be in flight."""
        free = self._clock.cycle + cycles
        if len(self._in_flight) == self._most:
            oldest = self._in_flight.popleft()
            if not oldest.known.triggered:
                yield oldest.known
            free = max(free, oldest.there)
        yield self._clock.timeout(free - self._clock.cycle)
