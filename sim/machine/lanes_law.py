"""Lanes that take columns from the column buffer, compiled: a part of `sim.machine.column_law` that asks nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from deltatrain.accel.column_cache import HIT_CYCLES, MOST_SINCE, RETURN_CYCLES
from deltatrain.accel.column_fetch import ROOM_CYCLES
from deltatrain.accel.compiling import compiled
from deltatrain.sim.dram.rules import Integers
from deltatrain.sim.machine import column_words as w
from deltatrain.sim.machine import segments as of

_Function = TypeVar("_Function", bound=Callable[..., Any])


def in_law(function: _Function) -> _Function:
    """Compile a function at its first call from compiled code, without counting references: nothing is made here."""
    return compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy", _nrt=False)


@in_law
def record(s: Integers, begin: int, number: int) -> int:
    """Return the place of a record of the ring that begins at a place."""
    place: int = begin + (number & s[w.MASK]) * w.RECORD_WORDS
    return place


@in_law
def leave(s: Integers, cycle: int, size: int) -> None:
    """Let as many bytes as stand at a place leave the buffer in a cycle."""
    at = s[w.NEXT_LEAVE]
    place = record(s, s[w.LEAVES], at)
    while at > s[w.FIRST_LEAVE]:
        before = record(s, s[w.LEAVES], at - 1)
        if s[before + w.LEAVES_AT] <= cycle:
            break
        s[place + w.LEAVES_AT], s[place + w.LEFT_BYTES] = s[before + w.LEAVES_AT], s[before + w.LEFT_BYTES]
        at, place = at - 1, before
    s[place + w.LEAVES_AT], s[place + w.LEFT_BYTES] = cycle, s[size]
    s[w.NEXT_LEAVE] += 1


@in_law
def _begins(s: Integers, segment: int) -> int:
    """Return the cycle in which lanes that are free take a segment's first word, as `sim.machine.columns` has it."""
    if s[segment + w.LANE_CYCLES] != s[segment + w.WORDS]:
        passed: int = s[segment + w.LAST_PASSED]
        return passed
    begins: int = s[segment + w.SEGMENT_READY] - s[segment + w.WORDS]
    return begins


@in_law
def _note_gaps(s: Integers, gaps: Integers, segment: int, start: int, end: int) -> None:
    """Note why lanes waited for a segment in the cycles from `start` to before `end`."""
    for why in range(w.OF_CACHE):
        until = s[segment + w.ROOM_WANTED + why]
        stop = min(until if until < w.NEVER else _begins(s, segment), end)
        if stop > start:
            _note_gap(s, gaps, start, stop, why)
            start = stop
    if end > start:
        _note_gap(s, gaps, start, end, w.OF_CACHE)


@in_law
def _note_gap(s: Integers, gaps: Integers, start: int, end: int, why: int) -> None:
    at = s[w.GAPS] * w.GAP_WORDS
    gaps[at], gaps[at + 1], gaps[at + 2] = start, end, why
    s[w.GAPS] += 1


@in_law
def consume(s: Integers, gaps: Integers) -> None:
    """Let the lanes' op take what has arrived for it, in its order."""
    if s[w.CACHED]:
        _consume_in_steps(s, gaps)
    else:
        _consume_abreast(s, gaps)


@in_law
def _consume_abreast(s: Integers, gaps: Integers) -> None:
    """Take what arrays take together."""
    while s[w.LEFT]:
        first = record(s, s[w.SEGMENTS], s[w.FIRST_SEGMENT])
        if s[w.FIRST_MISSING] - s[w.FIRST_SEGMENT] < max(s[first + w.ABREAST], 1):
            return
        words, last, abreast = s[first + w.LANE_CYCLES], first, s[first + w.ABREAST]
        for number in range(s[w.FIRST_SEGMENT] + 1, s[w.FIRST_SEGMENT] + abreast):
            segment = record(s, s[w.SEGMENTS], number)
            words = max(words, s[segment + w.LANE_CYCLES])
            # An array with fewer words than another has its last word as many cycles before the end.
            if _begins(s, segment) > _begins(s, last):
                last = segment
        begin = s[w.FREE]
        s[w.FREE] = max(begin, _begins(s, last)) + words
        if s[w.FREE] - words > begin:
            _note_gaps(s, gaps, last, begin, s[w.FREE] - words)
        s[w.LEFT] -= words
        for _ in range(abreast):
            _taken(s, record(s, s[w.SEGMENTS], s[w.FIRST_SEGMENT]), s[w.FREE])
            s[w.FIRST_SEGMENT] += 1


@in_law
def _consume_in_steps(s: Integers, gaps: Integers) -> None:
    """Take segment after segment, in steps; lines that go out before an op are not taken."""
    while s[w.FIRST_SEGMENT] < s[w.FIRST_MISSING]:
        segment = record(s, s[w.SEGMENTS], s[w.FIRST_SEGMENT])
        words = s[segment + w.LANE_CYCLES]
        if words and not s[w.LEFT]:
            return
        s[w.FIRST_SEGMENT] += 1
        end = max(_begins(s, segment) + words, _steps(s, segment))
        if words:
            begin, s[w.FREE] = s[w.FREE], max(s[w.FREE] + words, end)
            if s[w.FREE] - words > begin:
                _note_gaps(s, gaps, segment, begin, s[w.FREE] - words)
            end = s[w.FREE]
            s[w.LEFT] -= words
        s[w.STEPPED] = end
        if s[segment + w.SINCE] != of.PASSES_BY:
            s[w.TAKEN] += 1
            s[w.ENDED + s[w.TAKEN] % (MOST_SINCE + 1)] = end
        _taken(s, segment, end)


@in_law
def _steps(s: Integers, segment: int) -> int:
    """Return the cycle after the last step of a segment, if nobody but the column cache lets it wait."""
    begin, since = max(s[w.STEPPED], s[segment + w.FIRST_ASKED] + HIT_CYCLES), s[segment + w.SINCE]
    if since > 0:
        begin = max(begin, s[w.ENDED + (s[w.TAKEN] + 1 - since) % (MOST_SINCE + 1)] + RETURN_CYCLES + 1)
    more = s[segment + w.OUT_WORDS] - s[segment + w.WORDS]
    end: int = begin + max(more, 0) + s[segment + w.LANE_CYCLES]
    return end


@in_law
def _taken(s: Integers, segment: int, end: int) -> None:
    """Let a segment whose last word was taken before cycle `end` go back, or leave the buffer."""
    if s[w.RETURNS] or s[segment + w.OUT_WORDS]:
        _go_back(s, segment, end)
    else:
        leave(s, end - 1 + ROOM_CYCLES, segment + w.HELD)


@in_law
def _go_back(s: Integers, segment: int, end: int) -> None:
    """Post what the lanes made of a segment that they had taken before cycle `end`, or the line that goes out."""
    is_out = s[segment + w.OUT_WORDS] > 0
    for place in range(segment + w.OUT if is_out else segment + w.PLACES, segment + w.NO_BYTES, 2):
        if s[place + 1]:
            post = record(s, s[w.POSTS], s[w.NEXT_POST])
            s[post + w.KIND], s[post + w.WHEN] = w.WRITE, end + s[w.OUT_DRAIN if is_out else w.DRAIN]
            s[post + w.WHERE], s[post + w.MUCH], s[post + w.FREED] = s[place], s[place + 1], s[place + 1]
            s[post + w.IS_OUT] = is_out
            s[w.NEXT_POST] += 1
    if is_out:
        s[segment + w.HELD] -= s[segment + w.OUT + 1]
        if s[segment + w.HELD]:
            leave(s, end - 1 + ROOM_CYCLES, segment + w.HELD)


@in_law
def arrive(s: Integers, gaps: Integers, number: int) -> None:
    """Note that what was told last is of a segment, and let the lanes go on if it was the last of it."""
    segment = record(s, s[w.SEGMENTS], number)
    s[segment + w.MISSING] -= 1
    s[segment + w.SEGMENT_READY] = max(s[segment + w.SEGMENT_READY], s[w.READY])
    s[segment + w.SEGMENT_COME] = max(s[segment + w.SEGMENT_COME], s[w.COME])
    s[segment + w.LAST_PASSED] = max(s[segment + w.LAST_PASSED], s[w.TOLD_PASSED])
    if s[segment + w.MISSING] == 0:
        ring = s[w.SEGMENTS]
        while s[w.FIRST_MISSING] < s[w.NEXT_SEGMENT] and not s[record(s, ring, s[w.FIRST_MISSING]) + w.MISSING]:
            s[w.FIRST_MISSING] += 1  # what comes from the cache may be there before what was asked for earlier
        consume(s, gaps)
        if s[w.MOST_ASKED] >= 0 and s[segment + w.AFTER] == w.NEVER:
            leave(s, s[segment + w.LAST_PASSED] + 1, segment + w.NO_BYTES)
