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

import numpy as np
import simpy

from accel.modes import MODES
from accel.program import MODE_NAMES, Program, Tensor
from sim.clock import FETCH, Clock, Turn
from sim.memory.port import Arrival, RemotePort

Waits = Generator[simpy.Event, None, None]


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
        self._matrices = _remote_matrices(program)
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
        self._request_cycle = max(self._request_cycle, self._env.cycle) + (self._count[op] == 0)
        env, read = self._env, self._port.read
        word_bytes = [matrix.word_bytes for matrix in self._matrices[op]]
        for words, bursts in self._runs(op):
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

    def _runs(self, op: int) -> list[tuple[int, list[tuple[int, int]]]]:
        """Return words, and (address, bytes) in each matrix, of every run of `op`, column after column.

        A run is a whole column, or less, so that two runs fit the buffer.
        """
        matrices, start = self._matrices[op], self._list_start[op]
        column_words = matrices[0].words
        most = min(column_words, self._capacity // 2 // sum(matrix.word_bytes for matrix in matrices))
        columns = self._columns[start : start + self._count[op], None].astype(np.int64)
        begin = np.arange(0, column_words, most)
        words = np.broadcast_to(np.minimum(most, column_words - begin), (len(columns), len(begin))).ravel()
        first_words = (columns * column_words + begin).ravel()
        of_matrix = [
            zip((m.address + first_words * m.word_bytes).tolist(), (words * m.word_bytes).tolist(), strict=True)
            for m in matrices
        ]
        return list(zip(words.tolist(), map(list, zip(*of_matrix, strict=True)), strict=True))

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


def _remote_matrices(program: Program) -> list[tuple[Tensor, ...]]:
    """Return for each op the matrices in off-chip memory that it reads."""
    pairs = zip(program.ops.tensor.tolist(), program.ops.second_tensor.tolist(), strict=True)
    of_pair: dict[tuple[int, int], tuple[Tensor, ...]] = {}
    found = []
    for pair in pairs:
        if pair not in of_pair:
            named = (program.tensors[index] for index in pair if index >= 0)
            of_pair[pair] = tuple(tensor for tensor in named if tensor.remote)
        found.append(of_pair[pair])
    return found
