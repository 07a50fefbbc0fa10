"""Columns on their way while nobody else acts: fetch, DRAM, port, column buffer and lanes, in one compiled function.

Between two events of other units nothing can come in between, so columns need no events of their own. `play` lets all
happen that `sim.machine.columns` and `sim.memory.port` let happen, in the same cycles and in the same order, and comes
back when somebody must be told. What it works on lies in one array `s` (`sim.machine.column_words`). The kernel is not
compiled once more: `play` calls it where it lies in memory. numba compiles a function for every constant that it is
called with, so most are handed on as words of `s`.
"""

from __future__ import annotations

from functools import partial

from deltatrain.accel.column_cache import HIT_CYCLES
from deltatrain.accel.column_fetch import ROOM_CYCLES
from deltatrain.accel.compiling import compiled
from deltatrain.sim.dram.kernel import AWAIT, HAND_OVER
from deltatrain.sim.dram.rules import Integers
from deltatrain.sim.dram.words import KNOWN_FROM
from deltatrain.sim.machine import column_words as w
from deltatrain.sim.machine import segments as of
from deltatrain.sim.machine.called_kernel import Dram, called_control
from deltatrain.sim.machine.lanes_law import arrive, consume, in_law, leave, record
from deltatrain.sim.memory.passage import Passage, Stretch
from deltatrain.sim.memory.passing import pass_on, scaled

_NEVER_TICK, _MOST_BURSTS = 1 << 60, 1 << 16


@in_law
def _next(s: Integers, ring: int, word: int) -> int:
    """Return the cycle that is a word of the first record of a ring."""
    if s[ring + 1] == s[ring + 2]:
        return w.NEVER
    cycle: int = s[record(s, s[ring], s[ring + 1]) + word]
    return cycle


# ------------------------------------------------------------------------------------------------ requests


@in_law
def _tick(s: Integers, cycle: int) -> int:
    """Return the tick in which the controller sees a request of a cycle."""
    return _NEVER_TICK if cycle >= w.NEVER else scaled(cycle + s[w.DELAY], s[w.TICKS], s[w.CYCLES])


@in_law
def _take(s: Integers, m: Dram, request: int) -> bool:
    """Hand a request to the controller; return whether the ring of tickets had room for it."""
    cycle, size_bytes, ticket = s[request + w.WHEN], s[request + w.MUCH], m.words[s[w.TICKETS_AT]]
    burst = s[request + w.WHERE] // s[w.BURST_BYTES]
    count = (s[request + w.WHERE] + size_bytes - 1) // s[w.BURST_BYTES] + 1 - burst
    s[w.FIRST_TICKET], s[w.LAST_TICKET] = ticket, ticket + count
    if s[w.FIRST_READ] < s[w.NEXT_READ]:
        s[w.FIRST_TICKET] = s[record(s, s[w.READS], s[w.FIRST_READ]) + w.TICKET]
    if s[w.LAST_TICKET] - s[w.FIRST_TICKET] > len(m.done):
        return False
    tick, kind = _tick(s, cycle), s[request + w.KIND]
    m.words[s[w.ACCEPTED_AT]] = -1
    while count:
        most = min(count, _MOST_BURSTS)  # all are taken, because nobody wants the commands
        called_control(m.control, (m.address, HAND_OVER, tick, burst, most, kind - w.READ))
        burst, count = burst + most, count - most
    accepted = m.words[s[w.ACCEPTED_AT]]
    if kind == w.READ:
        s[w.READ_BYTES] += size_bytes
        read = record(s, s[w.READS], s[w.NEXT_READ])
        s[w.NEXT_READ] += 1
        for n in range(w.REQUEST_WORDS):
            s[read + n] = s[request + n]
        s[read + w.TICKET], s[read + w.UNKNOWN], s[read + w.END] = ticket, ticket, s[w.LAST_TICKET]
        # Not before then; `_tell` finds out when.
        s[read + w.LOOK] = scaled(accepted, s[w.CYCLES], s[w.TICKS]) - s[w.DELAY]
    else:
        s[w.WRITE_BYTES] += size_bytes
        s[w.WRITE_FREE] = max(cycle, s[w.WRITE_FREE]) - (-size_bytes // s[w.WIDTH])
        queued = scaled(accepted + 1, s[w.CYCLES], s[w.TICKS])
        # The port tells of one write a cycle that it was taken.
        s[w.LAST_TAKEN] = max(max(s[w.WRITE_FREE] + s[w.DELAY], queued), s[w.LAST_TAKEN] + 1)
    return True


@in_law
def _settle(s: Integers, m: Dram) -> bool:
    """Hand over the next posted write; return whether the ring of tickets had room for it."""
    post = record(s, s[w.POSTS], s[w.FIRST_POST])
    if not _take(s, m, post):
        return False
    leave(s, s[w.LAST_TAKEN] + ROOM_CYCLES, post + w.FREED)
    if s[post + w.IS_OUT]:
        s[w.OUTS] += 1
        s[w.WENT_OUT] = s[post + w.WHEN] + 1
        if s[w.OUTS] == s[w.OUTS_WANTED]:
            s[w.GO_ON] = s[w.WENT_OUT]
    s[w.FIRST_POST] += 1
    return True


# ------------------------------------------------------------------------------------------------ the fetch


@in_law
def _look(s: Integers, segments: Integers, cycle: int) -> bool:
    """Let the fetch take room for its next segment if there is any in a cycle; False if there is no segment left."""
    n = s[w.SEGMENT]
    if n == s[w.ALL_SEGMENTS]:
        return False
    if s[w.FETCH] != w.WAITS_FOR_ROOM and s[w.FETCH] != w.WAITS_FOR_OUTS:
        s[w.REQUEST] += segments[n, of.SCANNED]
    behind = segments[n, of.BEHIND]
    if s[w.OUTS] < behind or (s[w.OUTS] == behind and cycle < s[w.WENT_OUT]):
        s[w.FETCH], s[w.OUTS_WANTED] = w.WAITS_FOR_OUTS, behind
        s[w.GO_ON] = w.NEVER if s[w.OUTS] < behind else s[w.WENT_OUT]
        return True
    while _next(s, w.LEAVES, w.LEAVES_AT) <= cycle:
        left = record(s, s[w.LEAVES], s[w.FIRST_LEAVE])
        s[w.USED] -= s[left + w.LEFT_BYTES]
        s[w.ASKED] -= s[left + w.LEFT_BYTES] == 0
        s[w.FIRST_LEAVE] += 1
    if s[w.FETCH] != w.WAITS_FOR_ROOM:
        s[w.FETCH], s[w.WANTED] = w.WAITS_FOR_ROOM, max(s[w.REQUEST], cycle)
    held, asks = segments[n, of.HELD_BYTES], segments[n, of.FROM_CACHE] == 0
    if s[w.USED] + held > s[w.CAPACITY] or (asks and s[w.ASKED] == s[w.MOST_ASKED]):
        return True
    s[w.USED] += held
    s[w.ASKED] += asks and s[w.MOST_ASKED] >= 0
    s[w.FETCH], s[w.REQUEST] = w.ASKS, max(s[w.REQUEST], cycle)
    _enter(s, segments, n, asks)
    s[w.SEGMENT] += 1
    return True


@in_law
def _enter(s: Integers, segments: Integers, n: int, asks: bool) -> None:
    """Enter a segment of the op among those in flight."""
    segment = record(s, s[w.SEGMENTS], s[w.NEXT_SEGMENT])
    s[w.NEXT_SEGMENT] += 1
    first, words = segments[n, of.FIRST_WORD], segments[n, of.WORDS]
    s[segment + w.WORDS], s[segment + w.MISSING] = words, s[w.MATRICES] if asks else 1
    s[segment + w.SEGMENT_READY], s[segment + w.LAST_PASSED], s[segment + w.SEGMENT_COME] = 0, 0, 0
    s[segment + w.AFTER] = w.NEVER if asks else 0
    s[segment + w.ROOM_WANTED], s[segment + w.FIRST_ASKED] = s[w.WANTED], s[w.REQUEST]
    for number in range(2):
        place, size_bytes = segment + w.PLACES + 2 * number, words * s[w.WORD_BYTES + number]
        s[place] = s[w.ADDRESS + number] + first * s[w.WORD_BYTES + number]
        s[place + 1] = size_bytes if asks and number < s[w.MATRICES] else 0
    s[segment + w.HELD], s[segment + w.OUT_WORDS] = segments[n, of.HELD_BYTES], segments[n, of.OUT_WORDS]
    s[segment + w.SINCE], s[segment + w.ABREAST] = segments[n, of.SINCE], segments[n, of.ABREAST]
    s[segment + w.LANE_CYCLES] = words * segments[n, of.TIMES]
    if s[segment + w.OUT_WORDS]:
        s[segment + w.OUT], s[segment + w.OUT + 1] = segments[n, of.OUT_ADDRESS], segments[n, of.OUT_BYTES]


@in_law
def _next_act(s: Integers) -> int:
    """Return the next cycle in which the fetch can do anything."""
    if s[w.FETCH] == w.IDLE:
        return w.NEVER
    if s[w.FETCH] == w.WAITS_FOR_ROOM:
        return _next(s, w.LEAVES, w.LEAVES_AT)
    if s[w.FETCH] == w.WAITS_FOR_OUTS:
        go_on: int = s[w.GO_ON]
        return go_on
    cycle: int = s[w.REQUEST] if s[w.FETCH] >= w.ASKS else s[w.LOOKED]
    return cycle


@in_law
def _act(s: Integers, m: Dram, segments: Integers, gaps: Integers, cycle: int) -> int:
    """Let the fetch do what it can in a cycle."""
    if s[w.FETCH] >= w.ASKS:
        number, matrix = s[w.NEXT_SEGMENT] - 1, s[w.FETCH] - w.ASKS
        segment = record(s, s[w.SEGMENTS], number)
        if s[segment + w.AFTER] != w.NEVER:
            return _find(s, gaps, number, cycle)
        place, own = segment + w.PLACES + 2 * matrix, s[w.OWN]
        s[own + w.KIND], s[own + w.WHEN], s[own + w.WHERE], s[own + w.MUCH] = w.READ, cycle, s[place], s[place + 1]
        s[own + w.WORD], s[own + w.OWNER] = s[w.WORD_BYTES + matrix], number
        if not _take(s, m, own):
            return w.NO_ROOM
        s[segment + w.LAST_ASKED], s[w.REQUEST] = cycle, cycle + 1
        s[w.FETCH] += 1
        if matrix + 1 < s[w.MATRICES]:
            return w.NOTHING
    if _look(s, segments, cycle):
        return w.NOTHING
    s[w.FETCH], s[w.LOOKED] = w.IDLE, cycle
    return w.FETCHED


@in_law
def _find(s: Integers, gaps: Integers, number: int, cycle: int) -> int:
    """Let a segment come from the cache that is found there in a cycle."""
    segment = record(s, s[w.SEGMENTS], number)
    s[segment + w.LAST_ASKED], s[w.REQUEST] = cycle, cycle + 1
    s[w.READY], s[w.COME], s[w.TOLD_PASSED] = cycle + HIT_CYCLES + s[segment + w.WORDS], cycle, 0
    s[w.FETCH], s[w.LOOKED] = w.GOES_ON, cycle
    return _goes_on(s, gaps, number)


@in_law
def _goes_on(s: Integers, gaps: Integers, number: int) -> int:
    """Let a segment arrive; return whether its op has its last word now."""
    left = s[w.LEFT]
    arrive(s, gaps, number)
    return w.FINISHED if left and not s[w.LEFT] else w.NOTHING


# ------------------------------------------------------------------------------------------------ time passes


@in_law
def _tell(s: Integers, m: Dram, gaps: Integers, due: Integers, until: int) -> int:
    """Find out what is known of the oldest read in a cycle; let all of it pass the port if it is finished."""
    read = record(s, s[w.READS], s[w.FIRST_READ])
    awaited = (_tick(s, until), s[read + w.UNKNOWN], s[read + w.END])
    ticket, earliest = called_control(m.control, (m.address, AWAIT, *awaited, 0)), m.words[KNOWN_FROM]
    s[read + w.UNKNOWN] = ticket
    if ticket < s[read + w.END]:
        s[read + w.LOOK] = max(scaled(earliest, s[w.CYCLES], s[w.TICKS]) - s[w.DELAY], until + 1)
        return w.NOTHING
    stretch = Stretch(s[read + w.WHERE] % s[w.BURST_BYTES], s[w.BURST_BYTES], s[read + w.MUCH], s[read + w.WORD])
    passage, first, size = Passage(0, 0, 0, s[w.PASSED], 0, 0, 0), s[read + w.TICKET], len(m.done)
    while first < ticket:  # in one piece, or in two where the ring begins again
        at = first & (size - 1)
        count = min(ticket - first, size - at)
        passage = pass_on(stretch, passage, m.done[at : at + count], s[w.CYCLES], s[w.TICKS], s[w.WIDTH], due)
        first += count
    s[w.PASSED] = max(s[w.PASSED], passage.cycle)
    s[w.READY], s[w.COME], s[w.TOLD_PASSED] = passage.ready, passage.come, passage.cycle
    s[w.FIRST_READ] += 1
    if s[read + w.OWNER] == w.NOBODYS:
        return w.TOLD
    return _goes_on(s, gaps, s[read + w.OWNER])


@in_law
def _serve_others(s: Integers, m: Dram) -> int:
    """Take a request of others, behind the writes that are posted for its cycle."""
    others = s[w.OTHERS]
    while _next(s, w.POSTS, w.WHEN) <= s[others + w.WHEN]:
        if not _settle(s, m):
            return w.NO_ROOM
    if s[others + w.KIND] != w.NO_REQUEST and not _take(s, m, others):
        return w.NO_ROOM
    s[others + w.WHEN] = w.NEVER
    return w.NOTHING


@partial(compiled, no_cfunc_wrapper=True, error_model="numpy", _nrt=False)
def play(
    s: Integers,
    control: int,
    address: int,
    words: Integers,
    done: Integers,
    segments: Integers,
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
    segments
        Of the op that is fetched (`sim.machine.segments.Segments.of`).
    gaps, due
        Room for the gaps of an op, and for the cycles in which the words of a read pass.
    now, limit
        The cycle it is, and that of the next event.

    Returns
    -------
    Why it comes back.
    """
    m = Dram(control, address, words, done)
    if s[s[w.OTHERS] + w.WHEN] < w.NEVER:
        return _serve_others(s, m)
    if s[w.LEFT]:
        consume(s, gaps)  # its op may have begun now
        if not s[w.LEFT]:
            return w.FINISHED
    why = w.NOTHING
    while why == w.NOTHING:
        act, post, tell = _next_act(s), _next(s, w.POSTS, w.WHEN), _next(s, w.READS, w.LOOK)
        until = min(min(limit, post), act)
        if tell <= until and tell < w.NEVER:
            why = _tell(s, m, gaps, due, until)
        elif post <= until and post < w.NEVER:
            why = w.NOTHING if _settle(s, m) else w.NO_ROOM
        elif act < limit or act <= now:
            why = _act(s, m, segments, gaps, act)
        else:
            s[w.NEXT_CYCLE] = min(min(tell, post), act)
            return w.NOTHING
    return why
