"""Columns on their way: the fetch of matrix columns ahead of the lanes, the buffer they share, and their way back.

The fetch and the lanes take the same ops and columns in the same order. Once an op has started, what the two do next
follows from what they did before; only the start of an op, the moment its list is known, and requests of other units to
the same memory come from elsewhere. The fetch may therefore run ahead of the simulated time up to the next event of
another unit: that changes nothing in what it finds, and saves an event for each column.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from heapq import heappop, heappush
from typing import NamedTuple

import simpy

from accel.modes import MODES
from accel.program import MODE_NAMES, Program, Tensor
from sim.clock import FETCH, Clock, Turn
from sim.memory.port import Arrival, RemotePort

Waits = Generator[simpy.Event, None, None]
Run = tuple[int, list[tuple[int, int]]]
"""Words, and (address, bytes) in each matrix."""


class Fetched(NamedTuple):
    """A run of whole words of one column, of each matrix that the op reads.

    Attributes
    ----------
    words
        Words of each matrix; the lanes take one of each a cycle.
    bytes
        Room in the buffer.
    bursts
        Address and bytes of the run in each matrix.
    arrivals
        When its words arrive, for each matrix.
    """

    words: int
    bytes: int
    bursts: list[tuple[int, int]]
    arrivals: list[list[Arrival]]


class ColumnStream:
    """The column buffer, the fetch that fills it, and the lanes' side that empties it.

    A run holds its room from the request until the lanes have taken its last word, or, where the op writes its columns
    back, until the memory has taken them.

    Parameters
    ----------
    env
        Time, in engine cycles.
    program
        What is run.
    port
        The off-chip memory.
    """

    def __init__(self, env: Clock, program: Program, port: RemotePort) -> None:
        self._env = env
        self._port = port
        self._capacity = program.architecture.column_buffer_bytes
        self._columns = program.columns
        self._list_start = program.ops.list_start.tolist()
        self._count = program.ops.count.tolist()
        remote = _remote_tensors(program)
        self._matrices = [tuple(program.tensors[index] for index in indices) for indices in remote]
        self._runs_of_columns = _runs_of_columns(program, remote, self._capacity)
        back: list[bool] = [bool(getattr(MODES.load(name), "WRITES_BACK", False)) for name in MODE_NAMES]
        self._op_writes_back: list[bool] = [back[mode] for mode in program.ops.mode.tolist()]
        self._used_bytes = 0
        self._leaving: list[tuple[int, int]] = []  # a heap: cycle from which bytes of the buffer are free again
        self._arrived: deque[Fetched] = deque()
        self._finished = env.event()
        self._request_cycle = 0
        self._op, self._left, self._free, self._drain = -1, 0, 0, 0

    def fetch(self, op: int) -> Waits:
        """Fetch the columns of `op`, whose list is known now, as fast as the buffer has room for them.

        Each request takes a cycle, and so does finding that there is nothing to ask for.
        """
        runs = self._runs(op)
        self._request_cycle = max(self._request_cycle, self._env.cycle) + (not runs)
        env, read = self._env, self._port.read
        word_bytes = [matrix.word_bytes for matrix in self._matrices[op]]
        for words, bursts in runs:
            size = words * sum(word_bytes)
            if self._used_bytes + size > self._capacity:
                yield from self._make_room(size)
            self._used_bytes += size
            arrivals = []
            for (address, size_bytes), one_word in zip(bursts, word_bytes, strict=True):
                cycle = self._request_cycle
                if env.peek() <= cycle:  # another unit has something to do before or in that cycle
                    yield Turn(env, cycle, FETCH)
                arrivals.append(read(cycle, address, size_bytes, one_word))
                self._request_cycle = cycle + 1
            self._arrived.append(Fetched(words, size, bursts, arrivals))
            self._consume()

    def writes_back(self, op: int) -> bool:
        """Tell whether `op` writes the columns that it reads."""
        return self._op_writes_back[op]

    def work_through(self, op: int, words: int, drain_cycles: int) -> Generator[simpy.Event, None, int]:
        """Let the lanes take the `words` words of `op` from now on, as they arrive; return the cycle after the last."""
        self._op, self._left, self._free, self._drain = op, words, self._env.cycle, drain_cycles
        self._finished = self._env.event()
        self._consume()
        if self._left:
            yield self._finished
        return self._free

    def _runs(self, op: int) -> list[Run]:
        """Return words, and (address, bytes) in each matrix, of every run of `op`, column after column."""
        start = self._list_start[op]
        of_columns = self._runs_of_columns[op]
        columns = self._columns[start : start + self._count[op]].tolist()
        return [run for column in columns for run in of_columns[column]]

    def _make_room(self, size: int) -> Waits:
        """Put the next request off until the buffer has room for `size` bytes more."""
        env, port, leaving = self._env, self._port, self._leaving
        while self._used_bytes + size > self._capacity:
            for completion in port.take_completions():
                heappush(leaving, completion)
            freed = leaving[0][0] if leaving else math.inf
            if freed <= self._request_cycle:
                self._used_bytes -= heappop(leaving)[1]
                continue
            soonest = max(min(freed, port.next_post), self._request_cycle)
            if env.peek() <= soonest:  # an op that starts until then may free room sooner
                yield Turn(env, int(env.peek()), FETCH)
            elif port.next_post < freed:
                port.settle(int(soonest))
            else:
                self._request_cycle = int(freed)

    def _consume(self) -> None:
        """Let the running op take what has been fetched for it, in its order."""
        while self._left and self._arrived:
            words, size, bursts, arrivals = self._arrived.popleft()
            self._free = max([_after(one, self._free) for one in arrivals])
            self._left -= words
            if self._op_writes_back[self._op]:
                for address, size_bytes in bursts:
                    self._port.post(self._free + self._drain, address, size_bytes)
            else:
                heappush(self._leaving, (self._free, size))
            if not self._left and not self._finished.triggered:
                self._finished.succeed()


def _after(arrivals: list[Arrival], free: int) -> int:
    """Return the cycle after the last word, when lanes that are free from cycle `free` take one a cycle.

    Words of a run arrive at an even pace, so that the wait is longest for either the first or the last.
    """
    for words, first, last in arrivals:
        if words:
            free = max(max(free, first) + words, last + 1)
    return free


def _remote_tensors(program: Program) -> list[tuple[int, ...]]:
    """Return for each op the numbers of the matrices in off-chip memory that it reads."""
    pairs = zip(program.ops.tensor.tolist(), program.ops.second_tensor.tolist(), strict=True)
    return [tuple(index for index in pair if index >= 0 and program.tensors[index].remote) for pair in pairs]


def _runs_of_columns(program: Program, remote: list[tuple[int, ...]], capacity: int) -> list[list[list[Run]]]:
    """Return for each op the runs of every column of its matrices, whose numbers are in `remote`.

    A run is a whole column, or less, so that two runs fit a buffer of `capacity` bytes.
    """
    of_tensors: dict[tuple[int, ...], list[list[Run]]] = {(): []}
    for indices in set(remote):
        if indices:
            tensors = [program.tensors[index] for index in indices]
            most = capacity // 2 // sum(tensor.word_bytes for tensor in tensors)
            spans = zip(*(values.tolist() for values in program.spans(indices[0])), strict=True)
            of_tensors[indices] = [_runs_of_span(first, words, most, tensors) for first, words in spans]
    return [of_tensors[indices] for indices in remote]


def _runs_of_span(first: int, words: int, most: int, tensors: list[Tensor]) -> list[Run]:
    """Return the runs of at most `most` words of a column of `words` words that begins with word `first`."""
    return [
        (
            min(most, first + words - begin),
            [(t.address + begin * t.word_bytes, min(most, first + words - begin) * t.word_bytes) for t in tensors],
        )
        for begin in range(first, first + words, most)
    ]
