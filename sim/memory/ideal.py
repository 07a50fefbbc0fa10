"""A memory without banks: every byte comes a fixed latency after its request."""

from __future__ import annotations

from fractions import Fraction

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.memory import IdealDevice
from deltatrain.sim.dram.rules import Integers
from deltatrain.sim.memory.passage import Passage, Stretch, pass_at_once


class Ideal:
    """Serves any number of requests at once; only the port limits the rate. It has the methods of `Banked`.

    Parameters
    ----------
    architecture
        The machine.
    device
        Its latency.
    """

    tick_cycles = Fraction(1)
    channels = None

    def __init__(self, architecture: Architecture, device: IdealDevice) -> None:
        self._delay = architecture.dma.request_cycles + architecture.engine.cycles_of(device.latency_ps)
        self._last = 0

    def burst_bytes(self, size_bytes: int) -> int:
        """Return the size: all of a request comes at once."""
        return size_bytes

    def read(self, cycle: int, address: int, size_bytes: int, oldest: int | None) -> tuple[int, int]:
        """Ask for bytes; the one ticket of a request is the first cycle in which its bytes are there."""
        there = cycle + self._delay
        return there, there + 1

    def write(self, cycle: int, address: int, size_bytes: int, oldest: int | None) -> int:
        """Hand over bytes; return the first engine cycle in which they are in memory."""
        there = cycle + self._delay
        self._last = max(self._last, there)
        return there

    def await_reads(self, cycle: int, ticket: int, end: int) -> tuple[int, int]:
        """Return that all is known."""
        return end, cycle

    def known_from(self) -> int:
        """Return that everything is known at once."""
        return 0

    def pass_on(self, s: Stretch, p: Passage, tickets: tuple[int, int], width: int, due: Integers) -> Passage:
        """Let a whole request, whose ticket is the cycle in which its bytes are there, pass the port."""
        return pass_at_once(s, p, tickets[0], width, due)

    def pass_time(self, cycle: int) -> None:
        """Do nothing: all is known."""

    def next_data(self) -> int:
        """Return the first cycle: all is known."""
        return 0

    def finish(self) -> int:
        """Return the first engine cycle in which all that was handed over is in memory."""
        return self._last
