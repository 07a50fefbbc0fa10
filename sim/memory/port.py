"""The port between local and remote memory: requests in time order, posted writes, one width a cycle each way."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from accel.architecture import Architecture
from accel.memory import DramDevice
from sim.memory.dram import Dram
from sim.memory.ideal import Ideal


class Arrival(NamedTuple):
    """When the words of one piece may be taken, in engine cycles; those between come at an even pace.

    Attributes
    ----------
    words
        Whole words that this piece completes.
    first, last
        Cycle in which lanes that take one word a cycle can take the first and the last of them.
    """

    words: int
    first: int
    last: int


class RemotePort:
    """The off-chip memory as the tile sees it. Callers ask in the order of time; posted writes wait for theirs.

    Parameters
    ----------
    architecture
        The machine.
    """

    def __init__(self, architecture: Architecture) -> None:
        device = architecture.device
        self.read_bytes = 0
        self.write_bytes = 0
        self.memory: Dram | Ideal = (
            Dram(device, architecture.remote.bus_bits) if isinstance(device, DramDevice) else Ideal(device)
        )
        self._period_ps = architecture.engine.period_ps
        self._width = architecture.dma.bytes_per_cycle
        self._delay = architecture.dma.request_cycles
        self._read_free = 0
        self._write_free = 0
        self._posted: deque[tuple[int, int, int]] = deque()
        self._completions: list[tuple[int, int]] = []
        self.last_cycle = 0

    def read(self, cycle: int, address: int, size_bytes: int, word_bytes: int) -> list[Arrival]:
        """Ask for bytes in `cycle`, not before the request made last, and return when their words may be taken."""
        if self._posted:
            self.settle(cycle)
        self.read_bytes += size_bytes
        width, period, free, missing, arrivals = self._width, self._period_ps, self._read_free, word_bytes, []
        at_once = min(width, word_bytes)
        pieces = self.memory.access((cycle + self._delay) * period, address, size_bytes, write=False)
        for piece_bytes, first_ps, last_ps, step_bytes, step_ps, lead_bytes in pieces:
            # A piece begins to pass the port with the burst that completes its first word, and passes without a gap
            # unless its last burst comes later than that.
            needed = missing if missing < piece_bytes else piece_bytes
            begin = -((first_ps + (lead_bytes + needed - 1) // step_bytes * step_ps) // -period)
            if begin < free:
                begin = free
            there = -(last_ps // -period)
            tail = (lead_bytes + piece_bytes - 1) % step_bytes  # bytes of the last burst, less one
            if tail >= piece_bytes:
                tail = piece_bytes - 1
            free = 1 + max(begin + (piece_bytes - 1) // width, there + tail // width)
            words, rest = divmod(word_bytes - missing + piece_bytes, word_bytes)
            missing = word_bytes - rest
            arrivals.append(Arrival(words, begin + (needed - 1) // width, max(free - 1, there + tail // at_once)))
        self._read_free = free
        return arrivals

    def write(self, cycle: int, address: int, size_bytes: int) -> int:
        """Hand over bytes in `cycle`, not before the request made last; return the cycle after the memory took them."""
        self.settle(cycle)
        return self._write(cycle, address, size_bytes)

    def post(self, cycle: int, address: int, size_bytes: int) -> None:
        """Enter a write that will be handed over in `cycle`, which may lie ahead; posts come in order."""
        self._posted.append((cycle, address, size_bytes))

    def settle(self, cycle: int) -> None:
        """Serve the posted writes whose cycle has come."""
        posted = self._posted
        while posted and posted[0][0] <= cycle:
            at, address, size_bytes = posted.popleft()
            self._completions.append((self._write(at, address, size_bytes), size_bytes))

    def take_completions(self) -> list[tuple[int, int]]:
        """Return, once each, when posted writes were taken by the memory and their bytes, oldest first."""
        completions = self._completions
        self._completions = []
        return completions

    @property
    def next_post(self) -> float:
        """Cycle of the oldest write that is posted and not yet handed over, infinite if there is none."""
        return self._posted[0][0] if self._posted else math.inf

    def finish(self) -> None:
        """Serve every posted write."""
        while self._posted:
            self.settle(self._posted[0][0])

    def _write(self, cycle: int, address: int, size_bytes: int) -> int:
        self.write_bytes += size_bytes
        begin = max(cycle, self._write_free)
        self._write_free = begin + -(-size_bytes // self._width)
        pieces = self.memory.access((cycle + self._delay) * self._period_ps, address, size_bytes, write=True)
        # The port tells of one write a cycle that it was taken.
        done = max(self._write_free + self._delay, -(-pieces[-1].last_ps // self._period_ps), self.last_cycle + 1)
        self.last_cycle = done
        return done
