"""A memory without banks: every byte comes a fixed latency after its request."""

from __future__ import annotations

from accel.memory import IdealDevice
from sim.memory.dram import Piece, RowCounts


class Ideal:
    """Serves any request at once; only the port bounds how fast.

    Parameters
    ----------
    device
        Its latency.
    """

    def __init__(self, device: IdealDevice) -> None:
        self.counts = RowCounts()
        self._latency_ps = device.latency_ps

    def access(self, now_ps: int, address: int, size_bytes: int, write: bool) -> list[Piece]:
        """Return the one piece of a request: all of it, `latency_ps` after `now_ps`."""
        there = now_ps + self._latency_ps
        return [Piece(size_bytes, there, there, size_bytes, 0, 0)]
