"""The port between local and remote memory: requests in time order, posted writes, one width a cycle each way."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from accel.architecture import Architecture
from accel.memory import DramDevice
from sim.memory.dram import Dram
from sim.memory.ideal import Ideal


class Arrival(NamedTuple):
    """When words of one piece are there, in engine cycles; the words between come at an even pace.

    Attributes
    ----------
    words
        Whole words that this piece completes.
    first, last
        Cycle in which the first and the last of them may be used.
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
        """Ask for bytes in `cycle`, not before the request made last, and return when their words arrive."""
        self.settle(cycle)
        self.read_bytes += size_bytes
        arrivals, period, carried = [], self._period_ps, 0
        for piece in self.memory.access((cycle + self._delay) * period, address, size_bytes, write=False):
            words, rest = divmod(carried + piece.bytes, word_bytes)
            # The first word is there with the burst that completes it, and not before the port has passed it on.
            needed = min(word_bytes - carried, piece.bytes)
            steps = -(-needed // piece.step_bytes) - 1
            begin = max(self._read_free, -(-(piece.first_ps + min(steps, 10**9) * piece.step_ps) // period))
            first = begin + -(-needed // self._width) - 1
            last = max(begin + -(-piece.bytes // self._width) - 1, -(-piece.last_ps // period))
            self._read_free = last + 1
            carried = rest
            arrivals.append(Arrival(words, first, last))
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
    def has_posts(self) -> bool:
        """Whether posted writes wait, or have been taken without anybody having asked."""
        return bool(self._posted or self._completions)

    @property
    def next_post(self) -> int:
        """Cycle of the oldest posted write, or 0 if all have been taken."""
        return self._posted[0][0] if self._posted else 0

    def finish(self) -> None:
        """Serve every posted write."""
        while self._posted:
            self.settle(self._posted[0][0])

    def _write(self, cycle: int, address: int, size_bytes: int) -> int:
        self.write_bytes += size_bytes
        begin = max(cycle, self._write_free)
        self._write_free = begin + -(-size_bytes // self._width)
        pieces = self.memory.access((cycle + self._delay) * self._period_ps, address, size_bytes, write=True)
        done = max(self._write_free + self._delay, -(-pieces[-1].last_ps // self._period_ps))
        self.last_cycle = max(self.last_cycle, done)
        return done
