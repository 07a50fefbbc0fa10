"""Columns on their way: the fetch of matrix columns ahead of the lanes, the buffer they share, and their way back.

The fetch and the lanes take the same ops and columns in the same order. Once an op has started, what the two do next
follows from what they did before; only the start of an op, the moment its list is known, and requests of other units to
the same memory come from elsewhere. The fetch may therefore run ahead of the simulated time up to the next event of
another unit: that changes nothing in what it finds, and saves an event for each column.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from typing import NamedTuple

import simpy

from accel.modes import MODES
from accel.program import MODE_NAMES, Program, Tensor
from sim.clock import Clock
from sim.memory.port import Arrival, RemotePort

Waits = Generator[simpy.Event, None, None]


class Fetched(NamedTuple):
    """A run of whole words of one column, of each matrix that the op reads.

    Attributes
    ----------
    words
        Words of each matrix; the lanes take one of each a cycle.
    bursts
        Address and bytes of the run in each matrix.
    arrivals
        When its words arrive, for each matrix.
    """

    words: int
    bursts: tuple[tuple[int, int], ...]
    arrivals: tuple[list[Arrival], ...]

    @property
    def bytes(self) -> int:
        """Room in the buffer."""
        return sum(size for _, size in self.bursts)


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
        self._capacity = program.architecture.dma.buffer_bytes
        self._columns = program.columns
        self._list_start = program.ops.list_start.tolist()
        self._count = program.ops.count.tolist()
        self._matrices = _remote_matrices(program)
        back: list[bool] = [bool(getattr(MODES.load(name), "WRITES_BACK", False)) for name in MODE_NAMES]
        self._op_writes_back: list[bool] = [back[mode] for mode in program.ops.mode.tolist()]
        self._used_bytes = 0
        self._leaving: deque[tuple[int, int]] = deque()  # cycle from which bytes of the buffer are free again
        self._arrived: deque[Fetched] = deque()
        self._progress = env.event()
        self._finished = env.event()
        self._request_cycle = 0
        self._op, self._left, self._free, self._drain = -1, 0, 0, 0

    def fetch(self, op: int) -> Waits:
        """Fetch the columns of `op`, whose list is known now, as fast as the buffer has room for them."""
        self._request_cycle = max(self._request_cycle, self._env.cycle)
        for words, bursts, word_bytes in self._runs(op):
            size = sum(size for _, size in bursts)
            while self._used_bytes + size > self._capacity:
                yield from self._make_room()
            self._used_bytes += size
            arrivals = []
            for (address, size_bytes), word in zip(bursts, word_bytes, strict=True):
                yield from self._reach(self._request_cycle)
                arrivals.append(self._port.read(self._request_cycle, address, size_bytes, word))
                self._request_cycle += 1
            self._arrived.append(Fetched(words, bursts, tuple(arrivals)))
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

    def _runs(self, op: int) -> Iterator[tuple[int, tuple[tuple[int, int], ...], tuple[int, ...]]]:
        """Yield words, (address, bytes) and bytes of a word in each matrix, column after column of `op`.

        A run is a whole column, or less, so that two runs fit the buffer.
        """
        matrices = self._matrices[op]
        column_words = matrices[0].words
        word_bytes = tuple(matrix.word_bytes for matrix in matrices)
        most = min(column_words, self._capacity // 2 // sum(word_bytes))
        start = self._list_start[op]
        for column in self._columns[start : start + self._count[op]].tolist():
            for first in range(0, column_words, most):
                words = min(most, column_words - first)
                word = column * column_words + first
                yield (
                    words,
                    tuple((m.address + word * m.word_bytes, words * m.word_bytes) for m in matrices),
                    word_bytes,
                )

    def _make_room(self) -> Waits:
        """Free the room that frees itself next, and put the next request off until then."""
        if not self._leaving and self._port.has_posts:
            cycle = max(self._request_cycle, self._port.next_post)
            yield from self._reach(cycle)
            self._port.settle(cycle)
            self._leaving.extend(self._port.take_completions())
        if self._leaving:
            cycle, freed = self._leaving.popleft()
            self._used_bytes -= freed
            self._request_cycle = max(self._request_cycle, cycle)
        elif not self._port.has_posts:
            self._progress = self._env.event()
            yield self._progress
            self._request_cycle = max(self._request_cycle, self._env.cycle)

    def _reach(self, cycle: int) -> Waits:
        """Let simulated time come to `cycle`, unless no other unit has anything to do before or in it."""
        if self._env.cycle < cycle >= self._env.peek():
            yield self._env.timeout(cycle - self._env.cycle)

    def _consume(self) -> None:
        """Let the running op take what has been fetched for it, in its order."""
        before = self._left
        while self._left and self._arrived:
            fetched = self._arrived.popleft()
            self._free = max(_after(arrivals, self._free) for arrivals in fetched.arrivals)
            self._left -= fetched.words
            if self.writes_back(self._op):
                for address, size in fetched.bursts:
                    self._port.post(self._free + self._drain, address, size)
            else:
                self._leaving.append((self._free, fetched.bytes))
        if self._left < before:
            if not self._progress.triggered:
                self._progress.succeed()
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
