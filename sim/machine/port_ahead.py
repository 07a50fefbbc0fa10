"""The port of a machine whose memory nobody watches: its columns go ahead to the next event of others."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import overload

import numpy as np

from deltatrain.accel.column_cache import LOOKUP_CYCLES
from deltatrain.accel.column_fetch import ASK_CYCLES
from deltatrain.accel.dram import DramPart
from deltatrain.accel.observer import Gap
from deltatrain.accel.program import Program
from deltatrain.sim.dram.rules import Integers
from deltatrain.sim.dram.words import LAST_ACCEPTED, TICKETS
from deltatrain.sim.machine import called_kernel, column_law
from deltatrain.sim.machine import column_words as law
from deltatrain.sim.machine.segments import Segments, out_drain_cycles
from deltatrain.sim.memory.banked import Banked, tick_cycles
from deltatrain.sim.memory.clock import Clock
from deltatrain.sim.memory.port import Arrival, Arrived, Passed

_play: Callable[..., int] = column_law.play
_LARGEST_RATIO = 10**15
_MOST_SEGMENTS = 1 << 14
"""In the buffer at once. Each has some 2 KiB of records; a buffer of 8 KiB has room for 16 columns of 512 bytes."""


class _Gaps(Sequence[Gap]):
    """Gaps as rows of the law, shape (G, GAP_WORDS): what each says is made when somebody looks, as few do."""

    def __init__(self, rows: Integers) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Gap]:
        return (Gap(start, end, law.WHY[why]) for start, end, why in self._rows.tolist())

    @overload
    def __getitem__(self, index: int) -> Gap: ...

    @overload
    def __getitem__(self, index: slice) -> list[Gap]: ...

    def __getitem__(self, index: int | slice) -> Gap | list[Gap]:
        return list(self)[index]


class PortAhead:
    """The port of `sim.memory.port` with a program's columns inside, which `sim.machine.column_law` lets pass.

    Parameters
    ----------
    clock
        The time.
    program
        What is run. Its machine is one of those that `goes_ahead` names.
    segments
        Of the program.

    Attributes
    ----------
    memory
        What is behind the port.
    next_cycle
        A cycle before which `advance` has nothing to do; infinite if nothing waits.
    on_finished
        Told that the lanes' op has its last word; `free` is the cycle after it, which may lie ahead.
    on_fetched
        Told the cycle of the last request for the columns of an op.
    """

    def __init__(self, clock: Clock, program: Program, segments: Segments) -> None:
        architecture = program.architecture
        assert isinstance(architecture.device, DramPart)
        self.memory = Banked(architecture, architecture.device)
        self.on_finished: Callable[[], None]
        self.on_fetched: Callable[[int], None]
        self.next_cycle = math.inf
        self._clock = clock
        self._control = called_kernel.address()
        self._arrived: deque[Arrived | None] = deque()
        self._program = program
        self._segments = segments
        self._lookup_cycles = LOOKUP_CYCLES if program.cache else 0
        self._s = _state(program, segments, self.memory)
        self._fetched = np.zeros((0, 0), np.int64)
        self._gaps = np.zeros(law.GAP_WORDS * law.MOST_GAPS * segments.most_of_an_op, np.int64)
        self._due = np.zeros(max(tensor.column_words.max(initial=0) for tensor in program.tensors), np.int64)

    # ------------------------------------------------------------------------------------------ columns

    def fetch(self, op: int, cycle: int, known: int) -> bool:
        """Begin to fetch the columns of an op, whose list is known since a cycle; return whether it has any."""
        s, program, matrices = self._s, self._program, self._program.remote_matrices[op]
        s[law.REQUEST] = max(s[law.REQUEST], cycle + ASK_CYCLES, known + self._lookup_cycles)
        if not program.list_words[op]:
            s[law.REQUEST] += 1
            return False
        self._fetched = self._segments.of(op)
        s[law.FETCH], s[law.LOOKED], s[law.MATRICES] = law.BEGINS, cycle, len(matrices)
        s[law.SEGMENT], s[law.ALL_SEGMENTS] = 0, len(self._fetched)
        for n, tensor in enumerate(program.tensors[index] for index in matrices):
            s[law.ADDRESS + n], s[law.WORD_BYTES + n] = tensor.address, tensor.word_bytes
        self.next_cycle = cycle
        return True

    def work(self, words: int, cycle: int, drain_cycles: int, returns: bool) -> None:
        """Let the lanes take the words of an op from a cycle on, and hand them back if the op writes them."""
        s = self._s
        s[law.LEFT], s[law.FREE], s[law.DRAIN], s[law.RETURNS], s[law.GAPS] = words, cycle, drain_cycles, returns, 0
        self.next_cycle = cycle

    @property
    def free(self) -> int:
        """The cycle after the last word that the lanes have taken or will."""
        return int(self._s[law.FREE])

    @property
    def gaps(self) -> Sequence[Gap]:
        """When and why the lanes waited for words of the op that ran last."""
        return _Gaps(self._gaps[: law.GAP_WORDS * int(self._s[law.GAPS])].reshape(-1, law.GAP_WORDS).copy())

    # ------------------------------------------------------------------------------------------ others

    def read(
        self,
        cycle: int,
        address: int,
        size_bytes: int,
        word_bytes: int,
        arrived: Arrived | None = None,
        passed: Passed | None = None,
    ) -> None:
        """Ask for bytes in `cycle`, not before the request made last; `arrived` is told of them."""
        assert passed is None, "laws want the last word"
        if len(self._due) < -(-size_bytes // word_bytes):
            self._due = np.zeros(-(-size_bytes // word_bytes), np.int64)
        self._request(law.READ, cycle, address, size_bytes, word_bytes)
        self._arrived.append(arrived)
        self.next_cycle = min(self.next_cycle, cycle)

    def write(self, cycle: int, address: int, size_bytes: int) -> int:
        """Hand over bytes in `cycle`, not before the request made last; return the cycle after the memory took them."""
        self._request(law.WRITE, cycle, address, size_bytes)
        return int(self._s[law.LAST_TAKEN])

    def post(self, cycle: int, address: int, size_bytes: int, taken: Callable[[int], None]) -> None:
        """Refuse: columns alone are posted, and here their law does it."""
        raise NotImplementedError("columns post their own writes here")

    @property
    def reads_in_flight(self) -> int:
        """How many reads there are of which not everything is told."""
        return int(self._s[law.NEXT_READ] - self._s[law.FIRST_READ])

    @property
    def read_bytes(self) -> int:
        """Bytes read."""
        return int(self._s[law.READ_BYTES])

    @property
    def write_bytes(self) -> int:
        """Bytes written."""
        return int(self._s[law.WRITE_BYTES])

    def is_due(self, limit: float) -> bool:
        """Tell whether `advance` has anything to do now: requests of the cycle `limit` may have others before them."""
        return self.next_cycle < limit or self.next_cycle <= self._clock.cycle

    def advance(self, limit: float) -> None:
        """Let everything happen before `limit`, and now, until somebody is told.

        Nobody asks the memory before `limit`, except in answer to what is told.
        """
        s, now = self._s, self._clock.cycle
        self.next_cycle = now
        why = self._played(now, int(min(limit, law.NEVER)))
        if why == law.TOLD:
            arrived = self._arrived.popleft()
            if arrived is not None:
                arrived(Arrival(*s[law.READY : law.TOLD_PASSED + 1].tolist()))
        elif why == law.FINISHED:
            self.on_finished()
        elif why == law.FETCHED:
            self.on_fetched(int(s[law.LOOKED]))
        else:
            self.next_cycle = math.inf if s[law.NEXT_CYCLE] >= law.NEVER else int(s[law.NEXT_CYCLE])

    def finish(self, cycle: int) -> int:
        """Hand over every posted write, let the memory finish, and return the cycle in which the run ends.

        That is `cycle`, in which the tile was done, or later, when the memory has taken the last write. The memory's
        time passes until then.
        """
        self._request(law.NO_REQUEST, law.NEVER - 1)
        end = max(cycle, int(self._s[law.LAST_TAKEN]), self.memory.finish())
        self.memory.pass_time(end)
        return end

    def _request(self, kind: int, cycle: int, address: int = 0, size_bytes: int = 0, word_bytes: int = 0) -> None:
        """Let a request of others be served."""
        at = self._s[law.OTHERS]
        self._s[at : at + law.REQUEST_WORDS] = kind, cycle, address, size_bytes, word_bytes, law.NOBODYS
        self._played(cycle, cycle)

    def _played(self, now: int, limit: int) -> int:
        """Call the law, and let the kernel's ring of tickets grow whenever it is too small; return why it came back."""
        channels = self.memory.channels
        while True:
            lists = (self._fetched, self._gaps, self._due)
            why = _play(self._s, self._control, *channels.arrays, *lists, now, limit)
            if why != law.NO_ROOM:
                return why
            channels.hold(*self._s[law.FIRST_TICKET : law.LAST_TICKET + 1].tolist())


def goes_ahead(program: Program, segments: Segments) -> bool:
    """Tell whether there is a `PortAhead` for a program's machine: it has DRAM, and numbers that fit 64 bits."""
    device = program.architecture.device
    if not isinstance(device, DramPart) or not (program.remote_word_bytes > 0).any():
        return False
    ratio = tick_cycles(program.architecture, device).as_integer_ratio()
    return max(ratio) <= _LARGEST_RATIO and _most_at_once(program, segments) <= _MOST_SEGMENTS


def _most_at_once(program: Program, segments: Segments) -> int:
    """Return how many segments may be in the buffer at once."""
    return program.architecture.column_buffer_bytes // segments.least_bytes


def _state(program: Program, segments: Segments, memory: Banked) -> Integers:
    """Return the state of nothing asked for."""
    architecture, most = program.architecture, _most_at_once(program, segments) + 1
    # Every segment has a read and a post for each matrix, and leaves once for each and once more when it has come.
    records = 1 << (3 * most + architecture.dma.in_flight).bit_length()
    cycles, ticks = memory.tick_cycles.as_integer_ratio()
    most_asked = architecture.dma.columns_in_flight
    known = {
        law.PASSED: -1,
        law.CYCLES: cycles,
        law.TICKS: ticks,
        law.DELAY: architecture.dma.request_cycles,
        law.WIDTH: architecture.dma.bytes_per_cycle,
        law.BURST_BYTES: memory.channels.map.burst_bytes,
        law.CAPACITY: architecture.column_buffer_bytes,
        law.CACHED: program.cache is not None,
        law.OUT_DRAIN: out_drain_cycles(program),
        law.MOST_ASKED: -1 if most_asked is None else most_asked,
        law.TICKETS_AT: TICKETS,
        law.ACCEPTED_AT: LAST_ACCEPTED,
    }
    known |= {law.MASK: records - 1, law.OTHERS: law.SCALARS, law.OWN: law.SCALARS + law.REQUEST_WORDS}
    rings = law.SCALARS + 2 * law.REQUEST_WORDS
    for number, ring in enumerate((law.READS, law.POSTS, law.LEAVES, law.SEGMENTS)):
        known[ring] = rings + number * records * law.RECORD_WORDS
    known[law.SCALARS + law.WHEN] = law.NEVER
    state = np.zeros(rings + 4 * records * law.RECORD_WORDS, np.int64)
    state[list(known)] = list(known.values())
    return state
