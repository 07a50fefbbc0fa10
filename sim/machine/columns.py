"""Columns on their way: the fetch of matrix columns ahead of the lanes, the buffer they share, and their way back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from functools import partial

import simpy

from deltatrain.accel.observer import Gap
from deltatrain.accel.program import Program, Tensor
from deltatrain.accel.result import Starved
from deltatrain.sim.machine.clock import FETCH, At, Clock, Turn
from deltatrain.sim.memory.port import Arrival, RemotePort

Waits = Generator[simpy.Event, None, None]
Span = tuple[int, list[tuple[int, int]]]
"""Words, and (address, bytes) in each matrix, of what is asked for at once."""


class Run:
    """Whole words of one column, of each matrix that the op reads.

    Attributes
    ----------
    words
        Words of each matrix; the lanes take one of each a cycle.
    bursts
        Address and bytes of the run in each matrix.
    missing
        Matrices whose words are not known to arrive.
    ready
        The cycle after the last word, for lanes that had been free.
    room_wanted, first_asked, last_asked, come
        Cycles in which it could have been asked for had there been room; in which it was, first and last; from which
        all of it had come from memory.
    """

    __slots__ = ("bursts", "come", "first_asked", "last_asked", "missing", "ready", "room_wanted", "words")

    def __init__(self, words: int, bursts: list[tuple[int, int]], room_wanted: int) -> None:
        self.words = words
        self.bursts = bursts
        self.missing = len(bursts)
        self.ready = 0
        self.room_wanted = self.first_asked = self.last_asked = room_wanted
        self.come = 0

    def gaps(self, start: int, end: int) -> Iterator[Gap]:
        """Yield why lanes that waited for this run in the cycles from `start` to before `end` did so."""
        lacked: tuple[tuple[int, Starved], ...] = (
            (self.room_wanted, "list"),
            (self.first_asked, "buffer"),
            (self.last_asked, "list"),
            (self.come, "memory"),
            (end, "port"),
        )
        for until, why in lacked:
            stop = min(until, end)
            if stop > start:
                yield Gap(start, stop, why)
                start = stop


class ColumnStream:
    """The column buffer, the fetch that fills it, and the lanes' side that empties it.

    A run holds its room from the request until the lanes have taken its last word, or, where the op writes its columns
    back, until the memory has taken them. Runs arrive in the order of their requests, and it is known that they do
    before the lanes could take the last word; so what the lanes do with a run is reckoned once, when it is.

    Parameters
    ----------
    env
        Time, in engine cycles.
    program
        What is run.
    port
        The off-chip memory.
    on_level
        Told the bytes that the buffer holds, whenever they change.

    Attributes
    ----------
    waits
        Of the op that ran last, when and why the lanes waited for a run; inside a run its words may come with gaps,
        which are reckoned before it.
    """

    def __init__(
        self, env: Clock, program: Program, port: RemotePort, on_level: Callable[[int], None] | None = None
    ) -> None:
        self.waits: list[Gap] = []
        self._on_level = on_level
        self._env = env
        self._port = port
        self._capacity = program.architecture.column_buffer_bytes
        self._columns = program.columns
        self._list_start = program.ops.list_start.tolist()
        self._count = program.ops.count.tolist()
        remote = _remote_tensors(program)
        self._matrices = [tuple(program.tensors[index] for index in indices) for indices in remote]
        self._runs_of_columns = _runs_of_columns(program, remote, self._capacity)
        self._op_writes_back: list[bool] = program.writes_back.tolist()
        self._used_bytes = 0
        self._arrived: deque[Run] = deque()
        self._finished = env.event()
        self._room: simpy.Event | None = None
        self._request_cycle = 0
        self._op, self._left, self._free, self._drain = -1, 0, 0, 0

    def fetch(self, op: int) -> Waits:
        """Fetch the columns of `op`, whose list is known now, as fast as the buffer has room for them.

        Each request takes a cycle, and so does finding that there is nothing to ask for.
        """
        env, runs = self._env, self._runs(op)
        self._request_cycle = max(self._request_cycle, env.cycle) + (not runs)
        word_bytes = [matrix.word_bytes for matrix in self._matrices[op]]
        for words, bursts in runs:
            size, room_wanted = words * sum(word_bytes), max(self._request_cycle, env.cycle)
            while self._used_bytes + size > self._capacity:
                self._room = env.event()
                yield self._room
            self._hold(size)
            run = Run(words, bursts, room_wanted)
            run.first_asked = max(self._request_cycle, env.cycle)
            for (address, size_bytes), one_word in zip(bursts, word_bytes, strict=True):
                run.last_asked = self._request_cycle = max(self._request_cycle, env.cycle)
                yield Turn(env, self._request_cycle, FETCH)
                self._port.read(self._request_cycle, address, size_bytes, one_word, partial(self._arrive, run))
                self._request_cycle += 1

    def writes_back(self, op: int) -> bool:
        """Tell whether `op` writes the columns that it reads."""
        return self._op_writes_back[op]

    def work_through(self, op: int, words: int, drain_cycles: int) -> Generator[simpy.Event, None, int]:
        """Let the lanes take the `words` words of `op` from now on, as they arrive; return the cycle after the last."""
        self._op, self._left, self._free, self._drain = op, words, self._env.cycle, drain_cycles
        self._finished = self._env.event()
        self.waits = []
        self._consume()
        if self._left:
            yield self._finished
        return self._free

    def _runs(self, op: int) -> list[Span]:
        """Return words, and (address, bytes) in each matrix, of every run of `op`, column after column."""
        start = self._list_start[op]
        of_columns = self._runs_of_columns[op]
        columns = self._columns[start : start + self._count[op]].tolist()
        return [run for column in columns for run in of_columns[column]]

    def _arrive(self, run: Run, arrival: Arrival) -> None:
        run.missing -= 1
        run.ready, run.come = max(run.ready, arrival.ready), max(run.come, arrival.come)
        if not run.missing:
            self._arrived.append(run)
            self._consume()

    def _consume(self) -> None:
        """Let the running op take what has arrived for it, in its order."""
        while self._left and self._arrived:
            run = self._arrived.popleft()
            begin, self._free = self._free, max(self._free + run.words, run.ready)
            if self._free - run.words > begin:
                self.waits += run.gaps(begin, self._free - run.words)
            self._left -= run.words
            for address, size_bytes in run.bursts:
                if self._op_writes_back[self._op]:
                    taken = partial(self._leave, size_bytes)
                    self._port.post(self._free + self._drain, address, size_bytes, taken)
                else:
                    self._leave(size_bytes, self._free)
            if not self._left and not self._finished.triggered:
                self._finished.succeed()

    def _hold(self, more_bytes: int) -> None:
        self._used_bytes += more_bytes
        if self._on_level is not None:
            self._on_level(self._used_bytes)

    def _leave(self, size_bytes: int, cycle: int) -> None:
        """Let bytes of the buffer be free again from `cycle` on."""
        At(self._env, cycle, partial(self._left_buffer, size_bytes))

    def _left_buffer(self, size_bytes: int, _: simpy.Event) -> None:
        self._hold(-size_bytes)
        if self._room is not None and not self._room.triggered:
            self._room.succeed()


def _remote_tensors(program: Program) -> list[tuple[int, ...]]:
    """Return for each op the numbers of the matrices in off-chip memory that it reads."""
    pairs = zip(program.ops.tensor.tolist(), program.ops.second_tensor.tolist(), strict=True)
    return [tuple(index for index in pair if index >= 0 and program.tensors[index].remote) for pair in pairs]


def _runs_of_columns(program: Program, remote: list[tuple[int, ...]], capacity: int) -> list[list[list[Span]]]:
    """Return for each op the runs of every column of its matrices, whose numbers are in `remote`.

    A run is a whole column, or less, so that two runs fit a buffer of `capacity` bytes.
    """
    of_tensors: dict[tuple[int, ...], list[list[Span]]] = {(): []}
    for indices in set(remote):
        if indices:
            tensors = [program.tensors[index] for index in indices]
            most = capacity // 2 // sum(tensor.word_bytes for tensor in tensors)
            columns = zip(tensors[0].first_words.tolist(), tensors[0].column_words.tolist(), strict=True)
            of_tensors[indices] = [_runs_of_span(first, words, most, tensors) for first, words in columns]
    return [of_tensors[indices] for indices in remote]


def _runs_of_span(first: int, words: int, most: int, tensors: list[Tensor]) -> list[Span]:
    """Return the runs of at most `most` words of a column of `words` words that begins with word `first`."""
    return [
        (
            min(most, first + words - begin),
            [(t.address + begin * t.word_bytes, min(most, first + words - begin) * t.word_bytes) for t in tensors],
        )
        for begin in range(first, first + words, most)
    ]
