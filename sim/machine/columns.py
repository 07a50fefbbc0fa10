"""Columns on their way: the fetch of matrix columns ahead of the lanes, the buffer they share, and their way back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Protocol

import simpy

from deltatrain.accel.column_cache import HIT_CYCLES, LOOKUP_CYCLES, MOST_SINCE, RETURN_CYCLES
from deltatrain.accel.column_fetch import ASK_CYCLES, ROOM_CYCLES
from deltatrain.accel.counters import Starved
from deltatrain.accel.observer import Gap
from deltatrain.accel.program import Program, Tensor
from deltatrain.sim.machine import segments as of
from deltatrain.sim.machine.segments import Segments, out_drain_cycles
from deltatrain.sim.memory.clock import FETCH, At, Clock, Turn
from deltatrain.sim.memory.port import Arrival
from deltatrain.sim.memory.remote_memory import RemoteMemory

Waits = Generator[simpy.Event, None, None]


class Segment:
    """Words of one column that the lanes take together: a whole column, or less, of each matrix that the op reads.

    Attributes
    ----------
    words
        Words of each matrix; the lanes take one of each a cycle.
    lane_cycles
        For how many cycles it keeps the lanes: its words, as many times as deltas are added to each.
    held_bytes
        Bytes of the buffer that it holds.
    abreast
        How many segments, from it on, the arrays take together; 0 if it is one of those before it.
    from_cache
        Whether nothing is asked for, because it is in the cache, or because it has no words.
    places
        Address and bytes of the segment in each matrix.
    out, out_words
        Address and bytes of the line that goes out of the cache for it, and its words; no bytes if none does.
    missing
        Matrices whose words are not known to arrive; 1 before it is found in the cache.
    ready
        The cycle after the last word, for lanes that are free from the beginning.
    since
        How many segments of the cache ago its line was written, see `sim.machine.segments`.
    room_wanted
        The cycle in which the fetch could have asked for it had there been room.
    first_asked, last_asked
        The cycles of its first and its last request.
    come
        The cycle from which all of it had come from memory.
    passed
        The cycle in which its last word passed the port.
    """

    __slots__ = (
        *("abreast", "come", "first_asked", "from_cache", "held_bytes", "lane_cycles", "last_asked", "missing", "out"),
        *("out_words", "passed", "places", "ready", "room_wanted", "since", "words"),
    )

    def __init__(self, fields: list[int], matrices: tuple[Tensor, ...], room_wanted: int) -> None:
        first, self.words, self.held_bytes = fields[of.FIRST_WORD], fields[of.WORDS], fields[of.HELD_BYTES]
        self.lane_cycles = self.words * fields[of.TIMES]
        self.from_cache, self.abreast = bool(fields[of.FROM_CACHE]), fields[of.ABREAST]
        self.since = fields[of.SINCE]
        self.out, self.out_words = (fields[of.OUT_ADDRESS], fields[of.OUT_BYTES]), fields[of.OUT_WORDS]
        self.places = [(one.address + first * one.word_bytes, self.words * one.word_bytes) for one in matrices]
        self.missing = 1 if self.from_cache else len(matrices)
        self.ready = 0
        self.room_wanted = self.first_asked = self.last_asked = room_wanted
        self.come = self.passed = 0

    @property
    def begins(self) -> int:
        """The cycle in which lanes that are free take its first word: if they hold words, once all are there."""
        return self.ready - self.words if self.lane_cycles == self.words else self.passed

    def gaps(self, start: int, end: int) -> Iterator[Gap]:
        """Yield why lanes waited for this segment in the cycles from `start` to before `end`."""
        lacked: tuple[tuple[int, Starved], ...] = (
            (self.room_wanted, "list"),
            (self.first_asked, "buffer"),
            (self.last_asked, "list"),
            (self.come, "memory"),
            (self.come if self.from_cache else self.begins, "port"),
            (end, "cache"),
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

    def fetch(self, op: int, known: int) -> Waits:
        """Fetch the columns of `op`, whose list is known since a cycle, as fast as the buffer has room for them."""

    def writes_back(self, op: int) -> bool:
        """Tell whether `op` writes the columns that it reads, and not into the cache."""

    def work_through(self, op: int, words: int, drain_cycles: int) -> Generator[simpy.Event, None, int]:
        """Let the lanes take the `words` words of `op` from now on, as they arrive; return the cycle after the last."""


class ColumnStream:
    """The column buffer, the fetch that fills it, and the lanes that empty it.

    A segment takes its room in the buffer when it is asked for, or found in the column cache. It gives it back when the
    lanes have taken its last word or, where the op writes its columns back, when the memory has taken them. Segments
    that are asked for arrive in the order of their requests. The memory tells that one arrives before the lanes could
    take its last word, so its cycles are reckoned once, then.

    The words of the cache are read and written in the order in which lanes take words, however far ahead tags are
    looked up. A segment of the cache has *steps*, one a cycle: as many as keep the lanes, and before these as many as
    the line that goes out for it has more words. The line's words go out in the first steps, and wait in the room of
    the segment until the memory has taken them; words are taken in the last. Whoever reads a line waits until that was
    written. A line must have been handed over before it may be asked for again. Lines that go out before an op need no
    lanes.

    Parameters
    ----------
    clock
        The time.
    program
        What is run.
    segments
        Of the program.
    memory
        The off-chip memory.
    on_level
        Told the bytes that are in the buffer, or on their way to it, whenever they change.

    Attributes
    ----------
    waits
        When and why the lanes waited for a segment of the op that ran last. The words of a segment may come with gaps;
        these count as before the segment.
    """

    def __init__(
        self,
        clock: Clock,
        program: Program,
        segments: Segments,
        memory: RemoteMemory,
        on_level: Callable[[int], None] | None = None,
    ) -> None:
        self.waits: list[Gap] = []
        self._on_level = on_level
        self._clock = clock
        self._memory = memory
        self._capacity = program.architecture.column_buffer_bytes
        self._segments = segments
        self._remote, self._tensors = program.remote_matrices, program.tensors
        self._op_writes_back = (program.writes_back & ~program.is_cached).data
        self._is_cached, self._lookup_cycles = program.cache is not None, LOOKUP_CYCLES if program.cache else 0
        self._stepped, self._ended = 0, deque([0], MOST_SINCE)
        self._used_bytes = self._level_bytes = 0
        self._in_flight: deque[Segment] = deque()
        self._outs = 0
        self._finished = clock.event()
        self._room: simpy.Event | None = None
        self._most_asked = program.architecture.dma.columns_in_flight
        self._asked = 0
        self._request_cycle = 0
        self._op, self._left, self._free = -1, 0, 0
        self._drain, self._out_drain = 0, out_drain_cycles(program)

    def fetch(self, op: int, known: int) -> Waits:
        """Fetch the columns of `op`, whose list is known since a cycle, as fast as the buffer has room for them.

        Each request takes a cycle, and so does finding that there is nothing to ask for.
        """
        clock, segments = self._clock, self._segments.of(op).tolist()
        matrices = tuple(self._tensors[index] for index in self._remote[op])
        begins = max(clock.cycle + ASK_CYCLES, known + self._lookup_cycles)
        self._request_cycle = max(self._request_cycle, begins) + (not segments)
        for fields in segments:
            self._request_cycle += fields[of.SCANNED]
            while self._outs < fields[of.BEHIND]:
                yield self._wait()
            segment = Segment(fields, matrices, max(self._request_cycle, clock.cycle))
            asks = not segment.from_cache
            while self._used_bytes + segment.held_bytes > self._capacity or (asks and self._asked == self._most_asked):
                yield self._wait()
            self._hold(segment.held_bytes)
            self._asked += asks
            segment.first_asked = max(self._request_cycle, clock.cycle)
            self._in_flight.append(segment)
            yield from self._ask(segment, matrices) if asks else self._find(segment)

    def _ask(self, segment: Segment, matrices: tuple[Tensor, ...]) -> Waits:
        """Ask the memory for a segment of each matrix, one a cycle."""
        for (address, size_bytes), matrix in zip(segment.places, matrices, strict=True):
            segment.last_asked = self._request_cycle = max(self._request_cycle, self._clock.cycle)
            yield Turn(self._clock, self._request_cycle, FETCH)
            self._memory.read(address, size_bytes, matrix.word_bytes, partial(self._arrive, segment))
            self._request_cycle += 1

    def _find(self, segment: Segment) -> Waits:
        """Let a segment come from the cache."""
        cycle = segment.last_asked = self._request_cycle = segment.first_asked
        yield Turn(self._clock, cycle, FETCH)
        self._request_cycle += 1
        segment.missing, segment.ready, segment.come = 0, cycle + HIT_CYCLES + segment.words, cycle
        self._consume()

    def _wait(self) -> simpy.Event:
        """Return an event for the fetch to yield, until bytes leave the buffer or a line has gone out."""
        self._room = self._clock.event()
        return self._room

    def writes_back(self, op: int) -> bool:
        """Tell whether `op` writes the columns that it reads, and not into the cache."""
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

    def _arrive(self, segment: Segment, arrival: Arrival) -> None:
        segment.missing -= 1
        segment.ready, segment.come = max(segment.ready, arrival.ready), max(segment.come, arrival.come)
        segment.passed = max(segment.passed, arrival.passed)
        if not segment.missing:
            self._consume()
            if self._most_asked is None:
                self._asked -= 1
            else:
                At(self._clock, segment.passed + 1, self._has_come)

    def _consume(self) -> None:
        """Let the running op take what has arrived for it, in its order."""
        if self._is_cached:
            self._consume_in_steps()
        else:
            self._consume_abreast()

    def _consume_abreast(self) -> None:
        """Take what arrays take together."""
        while self._left and (taken := self._next_taken()):
            words, begin = max(segment.lane_cycles for segment in taken), self._free
            # An array with fewer words than another has its last word as many cycles before the end.
            last = max(taken, key=lambda segment: segment.begins)
            self._free = max(begin, last.begins) + words
            if self._free - words > begin:
                self.waits += last.gaps(begin, self._free - words)
            self._left -= words
            for segment in taken:
                self._go_back(segment, self._free)
            if not self._left and not self._finished.triggered:
                self._finished.succeed()

    def _next_taken(self) -> list[Segment]:
        """Return the segments that the arrays take next, none if any of them has not arrived."""
        in_flight = self._in_flight
        if not in_flight or len(in_flight) < (abreast := in_flight[0].abreast):
            return []
        if any(in_flight[number].missing for number in range(abreast)):
            return []
        return [in_flight.popleft() for _ in range(abreast)]

    def _consume_in_steps(self) -> None:
        """Take segment after segment, in steps; lines that go out before an op are not taken."""
        while self._in_flight and not self._in_flight[0].missing and (self._left or not self._in_flight[0].words):
            segment = self._in_flight.popleft()
            cycles = segment.lane_cycles
            end = max(segment.begins + cycles, self._steps(segment))
            if segment.words:
                begin, self._free = self._free, max(self._free + cycles, end)
                if self._free - cycles > begin:
                    self.waits += segment.gaps(begin, self._free - cycles)
                self._left, end = self._left - cycles, self._free
            self._stepped = end
            if segment.since != of.PASSES_BY:
                self._ended.append(end)
            self._go_back(segment, end)
            if segment.words and not self._left and not self._finished.triggered:
                self._finished.succeed()

    def _steps(self, segment: Segment) -> int:
        """Return the cycle after the last step of a segment, if nobody but the column cache lets it wait."""
        begin = max(self._stepped, segment.first_asked + HIT_CYCLES)
        if segment.since > 0:
            begin = max(begin, self._ended[-segment.since] + RETURN_CYCLES + 1)
        return begin + max(segment.out_words - segment.words, 0) + segment.lane_cycles

    def _go_back(self, segment: Segment, end: int) -> None:
        """Post the line that goes out for a segment, or what the lanes made of it, or give its room back."""
        post, handed_over = self._memory.post, end + (self._out_drain if segment.out_words else self._drain)
        if segment.out_words:
            At(self._clock, handed_over + 1, self._has_gone_out)
            size_bytes = segment.out[1]
            post(handed_over, *segment.out, partial(self._taken, size_bytes))
            if segment.held_bytes > size_bytes:
                self._leave(segment.held_bytes - size_bytes, end - 1, end)
        elif self._op_writes_back[self._op]:
            for address, size_bytes in segment.places:
                post(handed_over, address, size_bytes, partial(self._taken, size_bytes))
        else:
            self._leave(segment.held_bytes, end - 1, end)

    def _hold(self, size_bytes: int) -> None:
        """Let bytes of the buffer be in use from now on."""
        self._used_bytes += size_bytes
        self._change_level(size_bytes)

    def _taken(self, size_bytes: int, cycle: int) -> None:
        """Let bytes leave the buffer that the memory has from `cycle` on."""
        self._leave(size_bytes, cycle, cycle)

    def _leave(self, size_bytes: int, cycle: int, empty: int) -> None:
        """Let bytes leave the buffer that nobody needs after what happens in a cycle; from `empty` on they are gone.

        Their room can be taken later than that, maybe after the end of the run.
        """
        if self._on_level is not None:
            At(self._clock, empty, lambda _: self._change_level(-size_bytes))
        At(self._clock, cycle + ROOM_CYCLES, partial(self._free_room, size_bytes))

    def _change_level(self, more_bytes: int) -> None:
        self._level_bytes += more_bytes
        if self._on_level is not None:
            self._on_level(self._level_bytes)

    def _has_come(self, _: simpy.Event) -> None:
        """Let another segment be asked for."""
        self._asked -= 1
        self._go_on()

    def _free_room(self, size_bytes: int, _: simpy.Event) -> None:
        self._used_bytes -= size_bytes
        self._go_on()

    def _has_gone_out(self, _: simpy.Event) -> None:
        self._outs += 1
        self._go_on()

    def _go_on(self) -> None:
        """Let the fetch look again whether it may ask for more."""
        if self._room is not None and not self._room.triggered:
            self._room.succeed()
