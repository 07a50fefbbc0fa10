"""The port between local and remote memory: requests in time order, posted writes, one width a cycle each way."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.sim.dram.rules import Integers
from deltatrain.sim.memory.ideal import Ideal
from deltatrain.sim.memory.passage import Passage, Stretch

if TYPE_CHECKING:
    from deltatrain.sim.memory.banked import Banked


class Arrival(NamedTuple):
    """When all words of a request had passed the port, in engine cycles.

    Attributes
    ----------
    ready
        The cycle after the last word, for whoever takes one word a cycle and had nothing else to do; who is free from
        cycle f on and takes n words is done in cycle max(f + n, ready).
    come
        The cycle from which all of it had come from memory and could pass.
    passed
        The cycle in which the last word passed.
    """

    ready: int
    come: int
    passed: int


_NOTHING_PASSED = Passage(bursts=0, words=0, bytes=0, cycle=-1, room=0, ready=0, come=0)

Arrived = Callable[[Arrival], None]
"""Called once, when it is known when all words of a request pass the port."""
Passed = Callable[[Integers], None]
"""Called with the cycles in which further words of a request pass the port, as soon as they are known; (words,)."""


class _Read:
    """A request in flight: its bytes, what of it has passed, its bursts that have not, who waits for it.

    `look_from` is a cycle before which there is nothing more to tell of it. That holds whatever is requested later: its
    own bursts are queued, and another request makes no constraint on their commands looser.
    """

    __slots__ = ("arrived", "end", "look_from", "next", "passage", "passed", "stretch", "ticket")

    def __init__(
        self, stretch: Stretch, tickets: tuple[int, int], arrived: Arrived | None, passed: Passed | None
    ) -> None:
        self.stretch = stretch
        self.arrived = arrived
        self.passed = passed
        self.passage = _NOTHING_PASSED
        self.next, self.end = tickets
        self.ticket = self.next  # the first that is not known, which may be beyond the next to pass
        self.look_from = 0


class Port(Protocol):
    """What the process of the memory drives: a `RemotePort`, or one that does more by itself."""

    @property
    def memory(self) -> Banked | Ideal:
        """What is behind the port."""

    def read(
        self,
        cycle: int,
        address: int,
        size_bytes: int,
        word_bytes: int,
        arrived: Arrived | None = None,
        passed: Passed | None = None,
    ) -> None:
        """Ask for bytes in a cycle; somebody is told of them."""

    def write(self, cycle: int, address: int, size_bytes: int) -> int:
        """Hand over bytes in a cycle; return the cycle after the memory took them."""

    def post(self, cycle: int, address: int, size_bytes: int, taken: Callable[[int], None]) -> None:
        """Enter a write that will be handed over in a cycle."""

    def is_due(self, limit: float) -> bool:
        """Tell whether `advance` has anything to do up to a cycle before which nobody else asks."""

    def advance(self, limit: float) -> None:
        """Let time pass until something is told, or up to a cycle before which nobody else asks."""

    def finish(self, cycle: int) -> int:
        """Let the memory finish a run whose tile was done in a cycle; return the cycle in which it ends."""

    @property
    def next_cycle(self) -> float:
        """A cycle before which `advance` has nothing to do."""

    @property
    def reads_in_flight(self) -> int:
        """How many reads there are of which not everything is told."""

    @property
    def read_bytes(self) -> int:
        """Bytes read."""

    @property
    def write_bytes(self) -> int:
        """Bytes written."""


class RemotePort:
    """The off-chip memory's timing, as the tile sees it; `sim.memory.remote_memory` runs it in simulated time.

    Requests come in the order of time. Posted writes wait for their cycle. Words that are read pass in the order of the
    requests, one width a cycle, and each request begins a new cycle. Words that are written pass the other way in the
    same manner. The bursts of a write queue at the controller as soon as its request is there, and its data follow. The
    memory has taken a write when the data have come and the controller has queued it; from then on it answers reads.

    When data come is not known at the request, because the memory may serve later requests first. `advance` lets the
    memory's time pass and tells what is known by then.

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
    """

    def __init__(self, architecture: Architecture, record: bool = False) -> None:
        device = architecture.device
        self.memory: Banked | Ideal
        if isinstance(device, DramPart):
            from deltatrain.sim.memory.banked import Banked  # with numba, which an ideal memory does without

            self.memory = Banked(architecture, device, record)
        else:
            self.memory = Ideal(architecture, device)
        self.read_bytes = 0
        self.write_bytes = 0
        self.last_cycle = 0
        self._width = architecture.dma.bytes_per_cycle
        self._delay = architecture.dma.request_cycles
        self._passed = -1  # the cycle in which the last request passed
        self._write_free = 0
        self._reads: deque[_Read] = deque()
        self._posted: deque[tuple[int, int, int, Callable[[int], None]]] = deque()

    def read(
        self,
        cycle: int,
        address: int,
        size_bytes: int,
        word_bytes: int,
        arrived: Arrived | None = None,
        passed: Passed | None = None,
    ) -> None:
        """Ask for bytes in `cycle`, not before the request made last; `arrived` and `passed` are told of them."""
        self.settle(cycle)
        self.read_bytes += size_bytes
        burst = self.memory.burst_bytes(size_bytes)
        stretch = Stretch(address % burst if self.memory.channels else 0, burst, size_bytes, word_bytes)
        read = _Read(stretch, self.memory.read(cycle, address, size_bytes, self._oldest), arrived, passed)
        read.look_from = cycle if passed is not None else self.memory.known_from()
        self._reads.append(read)

    def write(self, cycle: int, address: int, size_bytes: int) -> int:
        """Hand over bytes in `cycle`, not before the request made last; return the cycle after the memory took them."""
        self.settle(cycle)
        return self._write(cycle, address, size_bytes)

    def post(self, cycle: int, address: int, size_bytes: int, taken: Callable[[int], None]) -> None:
        """Enter a write that will be handed over in `cycle`, which may lie ahead; posts come in order.

        Then `taken` is called with the cycle after the memory took it.
        """
        self._posted.append((cycle, address, size_bytes, taken))

    def settle(self, cycle: int) -> None:
        """Hand over the posted writes whose cycle has come."""
        posted = self._posted
        while posted and posted[0][0] <= cycle:
            at, address, size_bytes, taken = posted.popleft()
            taken(self._write(at, address, size_bytes))

    @property
    def reads_in_flight(self) -> int:
        """How many reads there are of which not everything is told."""
        return len(self._reads)

    @property
    def next_cycle(self) -> float:
        """A cycle before which `advance` has nothing to do; infinite if nothing waits.

        Words that somebody wants one by one may pass in that cycle, so it must not be over when they are told.
        """
        next_post = self._posted[0][0] if self._posted else math.inf
        return min(next_post, self._reads[0].look_from) if self._reads else next_post

    def is_due(self, limit: float) -> bool:
        """Tell whether `advance` has anything to do up to cycle `limit`."""
        return self.next_cycle <= limit and self.next_cycle < math.inf

    def advance(self, limit: float) -> None:
        """Let time pass up to cycle `limit`: hand over a posted write, or tell what becomes known of the oldest read.

        Nobody may make a request before `limit`, except in answer to what is told. So there may be more to do up to the
        same `limit`, and `next_cycle` says whether there is.
        """
        next_post = self._posted[0][0] if self._posted else _FAR_CYCLE
        until = int(min(limit, next_post))
        if self._reads and self._reads[0].look_from <= until:
            self._tell(until)
        else:
            self.settle(until)

    def _tell(self, until: int) -> None:
        read = self._reads[0]
        read.ticket, read.look_from = self.memory.await_reads(until, read.ticket, read.end)
        known = read.ticket == read.end
        if known or (read.passed is not None and read.ticket > read.next):
            words = self._pass(read, read.ticket)
            if read.passed is not None and len(words):
                read.passed(words)
        if known:
            self._reads.popleft()
            if read.arrived is not None:
                read.arrived(Arrival(read.passage.ready, read.passage.come, read.passage.cycle))
        elif read.passed is not None:
            read.look_from = self.memory.next_data()

    def finish(self, cycle: int) -> int:
        """Hand over every posted write, let the memory finish, and return the cycle in which the run ends.

        That is `cycle`, in which the tile was done, or later, when the memory has taken the last write. The memory's
        time passes until then.
        """
        self.settle(_FAR_CYCLE)
        end = max(cycle, self.last_cycle, self.memory.finish())
        self.memory.pass_time(end)
        return end

    @property
    def _oldest(self) -> int | None:
        return self._reads[0].next if self._reads else None

    def _pass(self, read: _Read, end: int) -> Integers:
        """Let the bursts of a read before `end` pass the port; return the cycles of the words that do."""
        if read.passage.bursts == 0:
            read.passage = Passage(0, 0, 0, self._passed, 0, 0, 0)
        stretch, passage = read.stretch, read.passage
        due = np.empty(-(-stretch.size_bytes // stretch.word_bytes) - passage.words, np.int64)
        read.passage = self.memory.pass_on(stretch, passage, (read.next, end), self._width, due)
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
