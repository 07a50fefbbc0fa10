"""Columns on their way while nobody else acts: fetch, DRAM, port, column buffer and lanes, in one compiled function.

Between two events of other units nothing can come in between, so columns need no events of their own. `play` lets all
happen that `sim.machine.columns` and `sim.memory.port` let happen, in the same cycles and in the same order, and comes
back when somebody must be told. What it works on lies in one array `s`, and a record is named by the place of its first
word, as in `sim.dram.kernel`. The kernel is not compiled once more: `play` calls it where it lies in memory.
numba compiles a function for every constant that it is called with, so most are handed on as words of `s`. It looks at
this file alone to see whether what it kept still holds: clear `__pycache__` when `passing`, `called_kernel`
or the numbers that it takes from `sim.dram` change.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from deltatrain.accel.counters import Starved
from deltatrain.sim.dram.kernel import AWAIT, HAND_OVER
from deltatrain.sim.dram.rules import Integers
from deltatrain.sim.dram.words import KNOWN_FROM
from deltatrain.sim.machine.called_kernel import Dram, called_control
from deltatrain.sim.memory.passage import Passage, Stretch
from deltatrain.sim.memory.passing import pass_on, scaled
from deltatrain.workloads.compiling import compiled

NEVER = 1 << 44
"""A cycle that does not come: more engine cycles than any run has."""
_NEVER_TICK, _MOST_BURSTS = 1 << 60, 1 << 16

NOTHING, TOLD, FINISHED, FETCHED, NO_ROOM = range(5)
"""Why `play` comes back: there is nothing to do before the limit; a read of others has passed the port; the lanes' op
has its last word; all columns of the fetched op are asked for; the ring of tickets is too small."""

# The port: when the last word passed it, when the next may be written, when the last write was taken; bytes moved.
PASSED, WRITE_FREE, LAST_TAKEN, READ_BYTES, WRITE_BYTES = range(5)
# Four rings of as many records, a power of two: where each begins, the number of its first record and of its next.
MASK, READS, FIRST_READ, NEXT_READ, POSTS, FIRST_POST, NEXT_POST = range(5, 12)
LEAVES, FIRST_LEAVE, NEXT_LEAVE, SEGMENTS, FIRST_SEGMENT, FIRST_MISSING, NEXT_SEGMENT = range(12, 19)
# The clocks: how many cycles last as long as how many ticks; a request's way in cycles; the port's width; a burst.
CYCLES, TICKS, DELAY, WIDTH, BURST_BYTES = range(19, 24)
# The buffer: bytes that it has, and in use; segments that may be in flight (-1 for any number), and are.
CAPACITY, USED, MOST_ASKED, ASKED = range(24, 28)
# The fetch: what it does, since when; the cycle in which it could ask next, and could have for this segment; the next
# column of its list, how many there are; the next word of the column, and its end; the most words of a segment; where
# the table of columns begins; how many matrices are read; address of each; bytes of a word of each.
FETCH, LOOKED, REQUEST, WANTED, COLUMN, COLUMNS, WORD, WORD_END, MOST_WORDS, TABLE, MATRICES = range(28, 39)
ADDRESS, WORD_BYTES = 39, 41
# The lanes: words of their op that are left; when they are free; cycles until a word goes back, and whether it does.
LEFT, FREE, DRAIN, RETURNS, GAPS = range(43, 48)
# What was told last: when all had passed for lanes that waited, when it had come, when it had passed.
READY, COME, TOLD_PASSED = range(48, 51)
# A cycle before which there is nothing to do; the tickets that the ring must hold, from the first to before the last.
NEXT_CYCLE, FIRST_TICKET, LAST_TICKET = range(51, 54)
# Where the kernel's array has the next ticket, and when the last burst was taken.
TICKETS_AT, ACCEPTED_AT = range(54, 56)
# Where the requests of others and of the fetch are left.
OTHERS, OWN, SCALARS = range(56, 59)

IDLE, BEGINS, _LOOKS, _ASKS = range(4)
"""What the fetch does; _ASKS + n while it asks for matrix n."""

RECORD_WORDS = 16
# A request, as others leave it and as it is posted: kind, cycle, address, bytes, bytes of a word, whose segment.
_KIND, WHEN, _WHERE, _MUCH, _WORD, _OWNER, REQUEST_WORDS = range(7)
NO_REQUEST, READ, WRITE, NOBODYS = 0, 1, 2, -1
# A read: as its request; its first ticket that has not passed, the first that is not known, their end; when to look.
_TICKET, _UNKNOWN, _END, _LOOK = range(6, 10)
# What leaves the buffer, or is no longer in flight if it has no bytes: when, how many bytes.
_LEAVES_AT, _LEFT_BYTES = range(2)
# A segment: words; matrices whose words are not known to come; when its words are ready, the last has passed; then as
# in `columns.Segment` what lanes lack before which cycle; address and bytes in each of two matrices; no bytes.
_WORDS, _MISSING, _READY, _LAST_PASSED, _ROOM_WANTED, _FIRST_ASKED, _LAST_ASKED, _COME, _AFTER, _PLACES = range(10)
_NO_BYTES = _PLACES + 4

WHY: tuple[Starved, ...] = ("list", "buffer", "list", "memory", "port")
"""What lanes lack before the cycles that a segment names from `_ROOM_WANTED` on."""
GAP_WORDS, MOST_GAPS = 3, len(WHY)  # a gap is from, to, index into WHY

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    """Compile a function at its first call from compiled code, without counting references: nothing is made here."""
    return compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy", _nrt=False)


@_compiled
def _record(s: Integers, begin: int, number: int) -> int:
    """Return the place of a record of the ring that begins at a place."""
    place: int = begin + (number & s[MASK]) * RECORD_WORDS
    return place


@_compiled
def _next(s: Integers, ring: int, word: int) -> int:
    """Return the cycle that is a word of the first record of a ring."""
    if s[ring + 1] == s[ring + 2]:
        return NEVER
    cycle: int = s[_record(s, s[ring], s[ring + 1]) + word]
    return cycle


# ------------------------------------------------------------------------------------------------ requests


@_compiled
def _tick(s: Integers, cycle: int) -> int:
    """Return the tick in which the controller sees a request of a cycle."""
    return _NEVER_TICK if cycle >= NEVER else scaled(cycle + s[DELAY], s[TICKS], s[CYCLES])


@_compiled
def _take(s: Integers, m: Dram, request: int) -> bool:
    """Hand a request to the controller; return whether the ring of tickets had room for it."""
    cycle, size_bytes, ticket = s[request + WHEN], s[request + _MUCH], m.words[s[TICKETS_AT]]
    burst = s[request + _WHERE] // s[BURST_BYTES]
    count = (s[request + _WHERE] + size_bytes - 1) // s[BURST_BYTES] + 1 - burst
    s[FIRST_TICKET], s[LAST_TICKET] = ticket, ticket + count
    if s[FIRST_READ] < s[NEXT_READ]:
        s[FIRST_TICKET] = s[_record(s, s[READS], s[FIRST_READ]) + _TICKET]
    if s[LAST_TICKET] - s[FIRST_TICKET] > len(m.done):
        return False
    tick, kind = _tick(s, cycle), s[request + _KIND]
    m.words[s[ACCEPTED_AT]] = -1
    while count:
        most = min(count, _MOST_BURSTS)  # all are taken, because nobody wants the commands
        called_control(m.control, (m.address, HAND_OVER, tick, burst, most, kind - READ))
        burst, count = burst + most, count - most
    accepted = m.words[s[ACCEPTED_AT]]
    if kind == READ:
        s[READ_BYTES] += size_bytes
        read = _record(s, s[READS], s[NEXT_READ])
        s[NEXT_READ] += 1
        for n in range(REQUEST_WORDS):
            s[read + n] = s[request + n]
        s[read + _TICKET], s[read + _UNKNOWN], s[read + _END] = ticket, ticket, s[LAST_TICKET]
        # Not before then; `_tell` finds out when.
        s[read + _LOOK] = scaled(accepted, s[CYCLES], s[TICKS]) - s[DELAY]
    else:
        s[WRITE_BYTES] += size_bytes
        s[WRITE_FREE] = max(cycle, s[WRITE_FREE]) - (-size_bytes // s[WIDTH])
        queued = scaled(accepted + 1, s[CYCLES], s[TICKS])
        # The port tells of one write a cycle that it was taken.
        s[LAST_TAKEN] = max(max(s[WRITE_FREE] + s[DELAY], queued), s[LAST_TAKEN] + 1)
    return True


@_compiled
def _settle(s: Integers, m: Dram) -> bool:
    """Hand over the next posted write; return whether the ring of tickets had room for it."""
    post = _record(s, s[POSTS], s[FIRST_POST])
    if not _take(s, m, post):
        return False
    _leave(s, s[LAST_TAKEN], post + _MUCH)
    s[FIRST_POST] += 1
    return True


# ------------------------------------------------------------------------------------------------ buffer and lanes


@_compiled
def _leave(s: Integers, cycle: int, size: int) -> None:
    """Let as many bytes as stand at a place leave the buffer in a cycle."""
    at = s[NEXT_LEAVE]
    place = _record(s, s[LEAVES], at)
    while at > s[FIRST_LEAVE]:
        before = _record(s, s[LEAVES], at - 1)
        if s[before + _LEAVES_AT] <= cycle:
            break
        s[place + _LEAVES_AT], s[place + _LEFT_BYTES] = s[before + _LEAVES_AT], s[before + _LEFT_BYTES]
        at, place = at - 1, before
    s[place + _LEAVES_AT], s[place + _LEFT_BYTES] = cycle, s[size]
    s[NEXT_LEAVE] += 1


@_compiled
def _note_gaps(s: Integers, gaps: Integers, segment: int, start: int, end: int) -> None:
    """Note why lanes waited for a segment in the cycles from `start` to before `end`."""
    for why in range(MOST_GAPS):
        stop = min(s[segment + _ROOM_WANTED + why], end)
        if stop > start:
            at = s[GAPS] * GAP_WORDS
            gaps[at], gaps[at + 1], gaps[at + 2] = start, stop, why
            s[GAPS] += 1
            start = stop


@_compiled
def _consume(s: Integers, gaps: Integers) -> None:
    """Let the lanes' op take what has arrived for it, in its order."""
    while s[LEFT] and s[FIRST_SEGMENT] < s[FIRST_MISSING]:
        segment = _record(s, s[SEGMENTS], s[FIRST_SEGMENT])
        s[FIRST_SEGMENT] += 1
        words, begin = s[segment + _WORDS], s[FREE]
        s[FREE] = max(begin + words, s[segment + _READY])
        if s[FREE] - words > begin:
            _note_gaps(s, gaps, segment, begin, s[FREE] - words)
        s[LEFT] -= words
        for place in range(segment + _PLACES, segment + _NO_BYTES, 2):
            if s[place + 1] and s[RETURNS]:
                post = _record(s, s[POSTS], s[NEXT_POST])
                s[post + _KIND], s[post + WHEN] = WRITE, s[FREE] + s[DRAIN]
                s[post + _WHERE], s[post + _MUCH] = s[place], s[place + 1]
                s[NEXT_POST] += 1
            elif s[place + 1]:
                _leave(s, s[FREE], place + 1)


@_compiled
def _arrive(s: Integers, gaps: Integers, number: int) -> None:
    """Note that what was told last is of a segment, and let the lanes go on if it was the last of it."""
    segment = _record(s, s[SEGMENTS], number)
    s[segment + _MISSING] -= 1
    s[segment + _READY], s[segment + _COME] = max(s[segment + _READY], s[READY]), max(s[segment + _COME], s[COME])
    s[segment + _LAST_PASSED] = max(s[segment + _LAST_PASSED], s[TOLD_PASSED])
    if s[segment + _MISSING] == 0:
        s[FIRST_MISSING] += 1
        _consume(s, gaps)
        if s[MOST_ASKED] >= 0:
            _leave(s, s[segment + _LAST_PASSED] + 1, segment + _NO_BYTES)


# ------------------------------------------------------------------------------------------------ the fetch


@_compiled
def _look(s: Integers, columns: Integers, tables: Integers, cycle: int) -> bool:
    """Let the fetch go to its next segment and take room for it if there is any in a cycle; False if there is none."""
    while s[WORD] == s[WORD_END]:
        if s[COLUMN] == s[COLUMNS]:
            return False
        at = s[TABLE] + 2 * columns[s[COLUMN]]
        s[COLUMN] += 1
        s[WORD], s[WORD_END] = tables[at], tables[at] + tables[at + 1]
    while _next(s, LEAVES, _LEAVES_AT) <= cycle:
        left = _record(s, s[LEAVES], s[FIRST_LEAVE])
        s[USED] -= s[left + _LEFT_BYTES]
        s[ASKED] -= s[left + _LEFT_BYTES] == 0
        s[FIRST_LEAVE] += 1
    if s[FETCH] != _LOOKS:
        s[FETCH], s[WANTED] = _LOOKS, max(s[REQUEST], cycle)
    words, size_bytes = min(s[MOST_WORDS], s[WORD_END] - s[WORD]), 0
    for n in range(s[MATRICES]):
        size_bytes += words * s[WORD_BYTES + n]
    if s[USED] + size_bytes > s[CAPACITY] or s[ASKED] == s[MOST_ASKED]:
        return True
    s[USED] += size_bytes
    s[ASKED] += s[MOST_ASKED] >= 0
    s[FETCH], s[REQUEST] = _ASKS, max(s[REQUEST], cycle)
    segment = _record(s, s[SEGMENTS], s[NEXT_SEGMENT])
    s[NEXT_SEGMENT] += 1
    s[segment + _WORDS], s[segment + _MISSING] = words, s[MATRICES]
    s[segment + _READY], s[segment + _LAST_PASSED], s[segment + _COME], s[segment + _AFTER] = 0, 0, 0, NEVER
    s[segment + _ROOM_WANTED], s[segment + _FIRST_ASKED] = s[WANTED], s[REQUEST]
    for n in range(2):
        place, is_read = segment + _PLACES + 2 * n, n < s[MATRICES]
        s[place], s[place + 1] = s[ADDRESS + n] + s[WORD] * s[WORD_BYTES + n], is_read * words * s[WORD_BYTES + n]
    s[WORD] += words
    return True


@_compiled
def _next_act(s: Integers) -> int:
    """Return the next cycle in which the fetch can do anything."""
    if s[FETCH] == IDLE:
        return NEVER
    if s[FETCH] == _LOOKS:
        return _next(s, LEAVES, _LEAVES_AT)
    cycle: int = s[LOOKED] if s[FETCH] == BEGINS else s[REQUEST]
    return cycle


@_compiled
def _act(s: Integers, m: Dram, columns: Integers, tables: Integers, cycle: int) -> int:
    """Let the fetch do what it can in a cycle."""
    if s[FETCH] == BEGINS:
        s[REQUEST], s[COLUMN], s[WORD], s[WORD_END] = max(s[REQUEST], cycle), 0, 0, 0
    elif s[FETCH] >= _ASKS:
        number, matrix = s[NEXT_SEGMENT] - 1, s[FETCH] - _ASKS
        segment = _record(s, s[SEGMENTS], number)
        place = segment + _PLACES + 2 * matrix
        own = s[OWN]
        s[own + _KIND], s[own + WHEN], s[own + _WHERE], s[own + _MUCH] = READ, cycle, s[place], s[place + 1]
        s[own + _WORD], s[own + _OWNER] = s[WORD_BYTES + matrix], number
        if not _take(s, m, own):
            return NO_ROOM
        s[segment + _LAST_ASKED], s[REQUEST] = cycle, cycle + 1
        s[FETCH] += 1
        if matrix + 1 < s[MATRICES]:
            return NOTHING
    if _look(s, columns, tables, cycle):
        return NOTHING
    s[FETCH], s[LOOKED] = IDLE, cycle
    return FETCHED


# ------------------------------------------------------------------------------------------------ time passes


@_compiled
def _tell(s: Integers, m: Dram, gaps: Integers, due: Integers, until: int) -> int:
    """Find out what is known of the oldest read in a cycle; let all of it pass the port if it is finished."""
    read = _record(s, s[READS], s[FIRST_READ])
    awaited = (_tick(s, until), s[read + _UNKNOWN], s[read + _END])
    ticket, earliest = called_control(m.control, (m.address, AWAIT, *awaited, 0)), m.words[KNOWN_FROM]
    s[read + _UNKNOWN] = ticket
    if ticket < s[read + _END]:
        s[read + _LOOK] = max(scaled(earliest, s[CYCLES], s[TICKS]) - s[DELAY], until + 1)
        return NOTHING
    stretch = Stretch(s[read + _WHERE] % s[BURST_BYTES], s[BURST_BYTES], s[read + _MUCH], s[read + _WORD])
    passage, first, size = Passage(0, 0, 0, s[PASSED], 0, 0, 0), s[read + _TICKET], len(m.done)
    while first < ticket:  # in one piece, or in two where the ring begins again
        at = first & (size - 1)
        count = min(ticket - first, size - at)
        passage = pass_on(stretch, passage, m.done[at : at + count], s[CYCLES], s[TICKS], s[WIDTH], due)
        first += count
    s[PASSED] = max(s[PASSED], passage.cycle)
    s[READY], s[COME], s[TOLD_PASSED] = passage.ready, passage.come, passage.cycle
    s[FIRST_READ] += 1
    if s[read + _OWNER] == NOBODYS:
        return TOLD
    left = s[LEFT]
    _arrive(s, gaps, s[read + _OWNER])
    return FINISHED if left and not s[LEFT] else NOTHING


@_compiled
def _serve_others(s: Integers, m: Dram) -> int:
    """Take a request of others, behind the writes that are posted for its cycle."""
    others = s[OTHERS]
    while _next(s, POSTS, WHEN) <= s[others + WHEN]:
        if not _settle(s, m):
            return NO_ROOM
    if s[others + _KIND] != NO_REQUEST and not _take(s, m, others):
        return NO_ROOM
    s[others + WHEN] = NEVER
    return NOTHING


@partial(compiled, no_cfunc_wrapper=True, error_model="numpy", _nrt=False)
def play(
    s: Integers,
    control: int,
    address: int,
    words: Integers,
    done: Integers,
    columns: Integers,
    tables: Integers,
    gaps: Integers,
    due: Integers,
    now: int,
    limit: int,
) -> int:
    """Let everything happen before cycle `limit`, and in cycle `now`, until somebody must be told.

    Nobody else asks the memory before `limit`, except in answer to what is told. If others have left a request, that is
    taken and nothing else happens; of one that neither reads nor writes only the cycle counts.

    Parameters
    ----------
    s, control ... done
        The state; what `Dram` is made of, one by one, because Python hands over plain arrays faster.
    columns, tables
        The list of the op that is fetched; pairs of first word and words of every column of every matrix.
    gaps, due
        Room for the gaps of an op, and for the cycles in which the words of a read pass.
    now, limit
        The cycle it is, and that of the next event.

    Returns
    -------
    Why it comes back.
    """
    m = Dram(control, address, words, done)
    if s[s[OTHERS] + WHEN] < NEVER:
        return _serve_others(s, m)
    if s[LEFT]:
        _consume(s, gaps)  # its op may have begun now
        if not s[LEFT]:
            return FINISHED
    why = NOTHING
    while why == NOTHING:
        act, post, tell = _next_act(s), _next(s, POSTS, WHEN), _next(s, READS, _LOOK)
        until = min(min(limit, post), act)
        if tell <= until and tell < NEVER:
            why = _tell(s, m, gaps, due, until)
        elif post <= until and post < NEVER:
            why = NOTHING if _settle(s, m) else NO_ROOM
        elif act < limit or act <= now:
            why = _act(s, m, columns, tables, act)
        else:
            s[NEXT_CYCLE] = min(min(tell, post), act)
            return NOTHING
    return why
