"""Columns on their way: the fetch of matrix columns ahead of the lanes, the buffer they share, and their way back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Protocol

import simpy

from deltatrain.accel.counters import Starved
from deltatrain.accel.observer import Gap
from deltatrain.accel.program import Program, Tensor
from deltatrain.sim.memory.clock import FETCH, At, Clock, Turn
from deltatrain.sim.memory.port import Arrival
from deltatrain.sim.memory.remote_memory import RemoteMemory

Waits = Generator[simpy.Event, None, None]
Part = tuple[int, list[tuple[int, int]]]
"""Words, and (address, bytes) in each matrix, of a segment."""


class Segment:
    """Words of one column that are asked for together: a whole column, or less, of each matrix that the op reads.

    Attributes
    ----------
    words
        Words of each matrix; the lanes take one of each a cycle.
    places
        Address and bytes of the segment in each matrix.
    missing
        Matrices whose words are not known to arrive.
    ready
        The cycle after the last word, for lanes that are free from the beginning.
    room_wanted
        The cycle in which the fetch could have asked for it had there been room.
    first_asked, last_asked
        The cycles of its first and its last request.
    come
        The cycle from which all of it had come from memory.
    passed
        The cycle in which its last word passed the port.
    """

    __slots__ = ("come", "first_asked", "last_asked", "missing", "passed", "places", "ready", "room_wanted", "words")

    def __init__(self, words: int, places: list[tuple[int, int]], room_wanted: int) -> None:
        self.words = words
        self.places = places
        self.missing = len(places)
        self.ready = 0
        self.room_wanted = self.first_asked = self.last_asked = room_wanted
        self.come = self.passed = 0

    def gaps(self, start: int, end: int) -> Iterator[Gap]:
        """Yield why lanes waited for this segment in the cycles from `start` to before `end`."""
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


class Columns(Protocol):
    """What fetch and lanes ask of columns on their way: of a `ColumnStream`, or of `columns_ahead.ColumnsAhead`."""

    @property
    def waits(self) -> Sequence[Gap]:
        """When and why the lanes waited for a segment of the op that ran last."""

    def fetch(self, op: int) -> Waits:
        """Fetch the columns of `op`, whose list is known now, as fast as the buffer has room for them."""

    def writes_back(self, op: int) -> bool:
        """Tell whether `op` writes the columns that it reads."""

    def work_through(self, op: int, words: int, drain_cycles: int) -> Generator[simpy.Event, None, int]:
        """Let the lanes take the `words` words of `op` from now on, as they arrive; return the cycle after the last."""


class ColumnStream:
    """The column buffer, the fetch that fills it, and the lanes that empty it.

    A segment takes its room in the buffer when it is asked for. It gives it back when the lanes have taken its last
    word or, where the op writes its columns back, when the memory has taken them. Segments arrive in the order of their
    requests. The memory tells that one arrives before the lanes could take its last word, so its cycles are reckoned
    once, then.

    Parameters
    ----------
    clock
        The time.
    program
        What is run.
    memory
        The off-chip memory.
    on_level
        Told the bytes in use, whenever they change.

    Attributes
    ----------
    waits
        When and why the lanes waited for a segment of the op that ran last. The words of a segment may come with gaps;
        these count as before the segment.
    """

    def __init__(
        self, clock: Clock, program: Program, memory: RemoteMemory, on_level: Callable[[int], None] | None = None
    ) -> None:
        self.waits: list[Gap] = []
        self._on_level = on_level
        self._clock = clock
        self._memory = memory
        self._capacity = program.architecture.column_buffer_bytes
        self._columns = program.columns
        self._list_start, self._count = program.ops.list_start.data, program.ops.count.data
        self._remote, self._tensors = program.remote_matrices, program.tensors
        self._parts_of_columns = _parts_of_columns(program, self._capacity)
        self._op_writes_back = program.writes_back.data
        self._used_bytes = 0
        self._arrived: deque[Segment] = deque()
        self._finished = clock.event()
        self._room: simpy.Event | None = None
        self._most_asked = program.architecture.dma.columns_in_flight
        self._asked = 0
        self._request_cycle = 0
        self._op, self._left, self._free, self._drain = -1, 0, 0, 0

    def fetch(self, op: int) -> Waits:
        """Fetch the columns of `op`, whose list is known now, as fast as the buffer has room for them.

        Each request takes a cycle, and so does finding that there is nothing to ask for.
        """
        clock, parts = self._clock, self._parts(op)
        self._request_cycle = max(self._request_cycle, clock.cycle) + (not parts)
        word_bytes = [self._tensors[index].word_bytes for index in self._remote[op]]
        for words, places in parts:
            size, room_wanted = words * sum(word_bytes), max(self._request_cycle, clock.cycle)
            while self._used_bytes + size > self._capacity or self._asked == self._most_asked:
                self._room = clock.event()
                yield self._room
            self._hold(size)
            self._asked += 1
            segment = Segment(words, places, room_wanted)
            segment.first_asked = max(self._request_cycle, clock.cycle)
            for (address, size_bytes), one_word in zip(places, word_bytes, strict=True):
                segment.last_asked = self._request_cycle = max(self._request_cycle, clock.cycle)
                yield Turn(clock, self._request_cycle, FETCH)
                self._memory.read(address, size_bytes, one_word, partial(self._arrive, segment))
                self._request_cycle += 1

    def writes_back(self, op: int) -> bool:
        """Tell whether `op` writes the columns that it reads."""
        return bool(self._op_writes_back[op])

    def work_through(self, op: int, words: int, drain_cycles: int) -> Generator[simpy.Event, None, int]:
        """Let the lanes take the `words` words of `op` from now on, as they arrive; return the cycle after the last."""
        self._op, self._left, self._free, self._drain = op, words, self._clock.cycle, drain_cycles
        self._finished = self._clock.event()
        self.waits = []
        self._consume()
        if self._left:
            yield self._finished
        return self._free

    def _parts(self, op: int) -> list[Part]:
        """Return words, and (address, bytes) in each matrix, of every segment of `op`, column after column."""
        start = self._list_start[op]
        of_columns = self._parts_of_columns[self._remote[op]]
        columns = self._columns[start : start + self._count[op]].tolist()
        return [part for column in columns for part in of_columns[column]]

    def _arrive(self, segment: Segment, arrival: Arrival) -> None:
        segment.missing -= 1
        segment.ready, segment.come = max(segment.ready, arrival.ready), max(segment.come, arrival.come)
        segment.passed = max(segment.passed, arrival.passed)
        if not segment.missing:
            self._arrived.append(segment)
            self._consume()
            if self._most_asked is None:
                self._asked -= 1
            else:
                At(self._clock, segment.passed + 1, self._has_come)

    def _consume(self) -> None:
        """Let the running op take what has arrived for it, in its order."""
        while self._left and self._arrived:
            segment = self._arrived.popleft()
            begin, self._free = self._free, max(self._free + segment.words, segment.ready)
            if self._free - segment.words > begin:
                self.waits += segment.gaps(begin, self._free - segment.words)
            self._left -= segment.words
            for address, size_bytes in segment.places:
                if self._op_writes_back[self._op]:
                    taken = partial(self._leave, size_bytes)
                    self._memory.post(self._free + self._drain, address, size_bytes, taken)
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
        At(self._clock, cycle, partial(self._left_buffer, size_bytes))

    def _has_come(self, _: simpy.Event) -> None:
        """Let another segment be asked for."""
        self._asked -= 1
        self._go_on()

    def _left_buffer(self, size_bytes: int, _: simpy.Event) -> None:
        self._hold(-size_bytes)
        self._go_on()

    def _go_on(self) -> None:
        """Let the fetch look again whether it may ask for more."""
        if self._room is not None and not self._room.triggered:
            self._room.succeed()


def _parts_of_columns(program: Program, capacity: int) -> dict[tuple[int, ...], list[list[Part]]]:
    """Return the segments of every column of the matrices that ops read together, by their numbers.

    A segment is a whole column, or as much of it as lets two segments fit a buffer of `capacity` bytes.
    """
    of_tensors: dict[tuple[int, ...], list[list[Part]]] = {(): []}
    for indices in set(program.remote_matrices):
        if indices:
            tensors = [program.tensors[index] for index in indices]
            most = capacity // 2 // sum(tensor.word_bytes for tensor in tensors)
            columns = zip(tensors[0].first_words.tolist(), tensors[0].column_words.tolist(), strict=True)
            of_tensors[indices] = [_parts_of_span(first, words, most, tensors) for first, words in columns]
    return of_tensors


def _parts_of_span(first: int, words: int, most: int, tensors: list[Tensor]) -> list[Part]:
    """Return the segments of at most `most` words of a column of `words` words that begins with word `first`."""
    return [
        (
            min(most, first + words - begin),
            [(t.address + begin * t.word_bytes, min(most, first + words - begin) * t.word_bytes) for t in tensors],
        )
        for begin in range(first, first + words, most)
    ]
