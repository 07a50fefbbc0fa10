"""A simulation that remembers what it was offered and when, so that a test bench can repeat it."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from deltatrain.rtl.tile import RESET_CYCLES
from deltatrain.sim.gates.simulation import Simulation

__all__ = ["Recording"]


class Recording(Simulation):
    """Another simulation with a memory.

    Parameters
    ----------
    simulation
        What runs the tile.

    Attributes
    ----------
    offers
        For each stream into the tile its items in order: the cycle before which it was not offered, and the payload.
    taken_items
        How many items each stream out of the tile gave.
    pulses
        For each input of one bit the cycles in which it was high.
    origin
        The simulator's cycle that is cycle 0 of the program, once ``start`` was set.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.offers: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.taken_items: dict[str, int] = defaultdict(int)
        self.pulses: dict[str, list[int]] = defaultdict(list)
        self.origin = 0

    @property
    def cycle(self) -> int:
        """The cycle that is about to be clocked."""
        return self._simulation.cycle

    def offer(self, port: str, due: int, payload: int) -> None:
        """Offer an item, and remember when."""
        self._simulation.offer(port, due, payload)
        self.offers[port].append((due, payload))

    def offer_array(self, port: str, due: NDArray[np.integer], payloads: NDArray[np.generic]) -> None:
        """Offer many items, and remember when."""
        self._simulation.offer_array(port, due, payloads)
        rows = np.ascontiguousarray(payloads).reshape(len(payloads), -1)
        items = (int.from_bytes(row.tobytes(), "little") for row in rows)
        self.offers[port] += zip(due.tolist(), items, strict=True)

    def pulse(self, port: str, due: int) -> None:
        """Let a one-bit input be high in cycle `due`, and remember when."""
        self._simulation.pulse(port, due)
        self.pulses[port].append(due)

    def set(self, port: str, value: int) -> None:
        """Drive a plain input, and remember when the program starts."""
        self._simulation.set(port, value)
        if port == "start":
            self.origin = self.cycle + RESET_CYCLES

    def value(self, port: str) -> int:
        """Return a plain output now."""
        return self._simulation.value(port)

    def run(self, until: int) -> bool:
        """Clock until `cycle` is `until`; return True if stopped before that."""
        return self._simulation.run(until)

    def taken(self, port: str) -> list[tuple[int, int]]:
        """Return what a stream out of the tile gave since last asked, and remember how much."""
        items = self._simulation.taken(port)
        self.taken_items[port] += len(items)
        return items

    def taken_array(self, port: str) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return what a stream out of the tile gave since last asked, as arrays."""
        cycles, payloads = self._simulation.taken_array(port)
        self.taken_items[port] += len(cycles)
        return cycles, payloads

    def restart(self) -> None:
        """Go back to the first cycle and forget."""
        self._simulation.restart()
        self.offers.clear()
        self.taken_items.clear()
        self.pulses.clear()

    def close(self) -> None:
        """Free what the simulation holds."""
        self._simulation.close()
