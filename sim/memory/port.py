"""The port between local and remote memory: requests in time order, posted writes, one width a cycle each way."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.sim.dram import kernel
from deltatrain.sim.dram.rules import Integers
from deltatrain.sim.memory.banked import Banked
from deltatrain.sim.memory.ideal import Ideal
from deltatrain.sim.memory.passing import Passage, Stretch, pass_on


class Arrival(NamedTuple):
    """When all words of a request had passed the port, in engine cycles.

    Attributes
    ----------
    ready
        The cycle after the last word, for whoever takes one word a cycle and had nothing else to do; who is free from
        cycle f on and takes n words is done in cycle max(f + n, ready).
    come
        The cycle from which all of it had come from memory and could pass.
    """

    ready: int
    come: int


_NOTHING_PASSED = Passage(bursts=0, words=0, bytes=0, cycle=-1, room=0, ready=0, come=0)


class _Read:
    """A request under way: its bytes, what of it has passed, its bursts that have not, who waits for it."""

    __slots__ = ("arrived", "end", "known_from", "next", "passage", "stretch", "ticket")

    def __init__(self, stretch: Stretch, tickets: tuple[int, int], arrived: Callable[[Arrival], None]) -> None:
        self.stretch = stretch
        self.arrived = arrived
        self.passage = _NOTHING_PASSED
        self.next, self.end = tickets
        self.ticket = self.next  # what of it is known, which may be more than has passed
        self.known_from = 0


class RemotePort:
    """The off-chip memory as the tile sees it.

    Requests come in the order of time; posted writes wait for theirs. What is read passes in the order of the requests,
    one width a cycle, each request beginning a new cycle. Writes pass the other way likewise. A write's bursts queue at
    the controller as soon as its request is there, and its data follow; the memory has taken it when they have come and
    the controller has queued it, and answers what is read from then on. When data come is not known at the request,
    because the memory may serve others first: `next_arrival` lets time pass and tells.

    Parameters
    ----------
    architecture
        The machine.
    record
        Whether the memory is to keep its commands.

    Attributes
    ----------
    memory
        What is behind the port.
    read_bytes, write_bytes
        Bytes moved.
    last_cycle
        When the last write was taken.
    on_work
        Called when there is something to wait for and there was nothing.
    """

    def __init__(self, architecture: Architecture, record: bool = False) -> None:
        device = architecture.device
        self.memory: Banked | Ideal = (
            Banked(architecture, device, record) if isinstance(device, DramPart) else Ideal(architecture, device)
        )
        self.read_bytes = 0
        self.write_bytes = 0
        self.last_cycle = 0
        self.on_work: Callable[[], None] = lambda: None
        self._period_ps = architecture.engine.period_ps
        self._width = architecture.dma.bytes_per_cycle
        self._delay = architecture.dma.request_cycles
        self._passed = -1  # the cycle in which the request passed that did so last
        self._write_free = 0
        self._reads: deque[_Read] = deque()
        self._posted: deque[tuple[int, int, int, Callable[[int], None]]] = deque()

    def read(
        self, cycle: int, address: int, size_bytes: int, word_bytes: int, arrived: Callable[[Arrival], None]
    ) -> None:
        """Ask for bytes in `cycle`, not before the request made last; `arrived` is called when it is known."""
        self.settle(cycle)
        self.read_bytes += size_bytes
        if not self.busy:
            self.on_work()
        burst = self.memory.burst_bytes(size_bytes)
        stretch = Stretch(address % burst if self.memory.channels else 0, burst, size_bytes, word_bytes)
        read = _Read(stretch, self.memory.read(cycle, address, size_bytes, self._oldest), arrived)
        read.known_from = self.memory.known_from()
        self._reads.append(read)

    def write(self, cycle: int, address: int, size_bytes: int) -> int:
        """Hand over bytes in `cycle`, not before the request made last; return the cycle after the memory took them."""
        self.settle(cycle)
        return self._write(cycle, address, size_bytes)

    def post(self, cycle: int, address: int, size_bytes: int, taken: Callable[[int], None]) -> None:
        """Enter a write that will be handed over in `cycle`, which may lie ahead; posts come in order.

        Then `taken` is called with the cycle after the memory took it.
        """
        if not self.busy:
            self.on_work()
        self._posted.append((cycle, address, size_bytes, taken))

    def settle(self, cycle: int) -> None:
        """Hand over the posted writes whose cycle has come."""
        posted = self._posted
        while posted and posted[0][0] <= cycle:
            at, address, size_bytes, taken = posted.popleft()
            taken(self._write(at, address, size_bytes))

    @property
    def busy(self) -> bool:
        """Whether there is something that `next_arrival` or `settle` will tell."""
        return bool(self._reads or self._posted)

    @property
    def next_post(self) -> float:
        """Cycle of the oldest write that is posted and not yet handed over, infinite if there is none."""
        return self._posted[0][0] if self._posted else math.inf

    def next_arrival(self, limit: float) -> bool:
        """Tell the one who waits longest for a read when it arrives, if that is known in a cycle up to `limit`.

        No request may come before `limit`, but those that follow from what is told. Return whether anything was told.
        """
        if not self._reads or self._reads[0].known_from > limit:
            return False
        read, until = self._reads[0], _FAR_CYCLE if limit == math.inf else int(limit)
        read.ticket, read.known_from = self.memory.await_reads(until, read.ticket, read.end)
        if read.ticket < read.end:
            return False
        self._pass(read, read.end)
        self._tell()
        return True

    def advance(self, cycle: int) -> list[Integers]:
        """Let time pass until `cycle` and return when words pass that could not be told before, in their order.

        One array of cycles for each request that is under way, up to the first of which not everything is known.
        """
        self.memory.pass_time(cycle)
        found = []
        while self._reads:
            read = self._reads[0]
            unknown = np.flatnonzero(self.memory.done(read.next, read.end) == kernel.NEVER)
            found.append(self._pass(read, read.next + int(unknown[0]) if len(unknown) else read.end))
            if len(unknown):
                break
            self._tell()
        return found

    @property
    def next_data(self) -> float:
        """A cycle before which no word can pass of which `advance` has not told; infinite if none will."""
        return self.memory.next_data() if self._reads else math.inf

    def finish(self, cycle: int) -> int:
        """Hand over every posted write and let all be done; return when a run ends that was done in `cycle` but for it.

        The memory's time passes until that cycle too.
        """
        self.settle(_FAR_CYCLE)
        end = max(cycle, self.last_cycle, self.memory.finish())
        self.memory.pass_time(end)
        return end

    @property
    def _oldest(self) -> int | None:
        return self._reads[0].next if self._reads else None

    def _tell(self) -> None:
        """Tell the oldest read's user, all of whose words have passed."""
        read = self._reads.popleft()
        read.arrived(Arrival(read.passage.ready, read.passage.come))

    def _pass(self, read: _Read, end: int) -> Integers:
        """Let the bursts of a read before `end` pass the port; return the cycles of the words that do."""
        if read.passage.bursts == 0:
            read.passage = Passage(0, 0, 0, self._passed, 0, 0, 0)
        stretch, passage = read.stretch, read.passage
        due = np.empty(-(-stretch.size_bytes // stretch.word_bytes) - passage.words, np.int64)
        done = self.memory.done(read.next, end)
        read.passage = pass_on(stretch, passage, done, self.memory.tick_ps, self._period_ps, self._width, due)
        read.next = end
        self._passed = max(self._passed, read.passage.cycle)
        return due[: read.passage.words - passage.words]

    def _write(self, cycle: int, address: int, size_bytes: int) -> int:
        self.write_bytes += size_bytes
        begin = max(cycle, self._write_free)
        self._write_free = begin + -(-size_bytes // self._width)
        queued = self.memory.write(cycle, address, size_bytes, self._oldest)
        # The port tells of one write a cycle that it was taken.
        self.last_cycle = max(self._write_free + self._delay, queued, self.last_cycle + 1)
        return self.last_cycle


_FAR_CYCLE = 1 << 44
"""More engine cycles than any run has."""
