"""What a load or a store unit has on its way to or from off-chip memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

import simpy

from deltatrain.sim.machine.clock import Clock


class Move:
    """One of them: when its bytes are there, and what happens when that is known."""

    __slots__ = ("known", "there")

    def __init__(self, env: Clock) -> None:
        self.known = env.event()
        self.there = 0


class Moves:
    """Moves of one unit, in the order of its ops; it takes or gives one word a cycle.

    Parameters
    ----------
    env
        Time, in engine cycles.
    in_flight
        How many may be on their way at once.
    """

    def __init__(self, env: Clock, in_flight: int) -> None:
        self._env, self._in_flight = env, in_flight
        self._on_way: deque[Move] = deque()
        self._there = 0

    def begin(self) -> Move:
        """Return a further move."""
        self._on_way.append(Move(self._env))
        return self._on_way[-1]

    def end(self, move: Move, ready: int, words: int) -> int:
        """Return the cycle in which a move is done that brings or takes words, had the unit nothing else to do `ready`.

        Moves end in their order.
        """
        self._there = max(ready, self._there + words)
        move.there = self._there
        move.known.succeed()
        return self._there

    def make_room(self, cycles: int) -> Generator[simpy.Event, None, None]:
        """Wait for `cycles`, and until fewer than the most that may be on their way are."""
        free = self._env.cycle + cycles
        if len(self._on_way) == self._in_flight:
            oldest = self._on_way.popleft()
            if not oldest.known.triggered:
                yield oldest.known
            free = max(free, oldest.there)
        yield self._env.timeout(free - self._env.cycle)
