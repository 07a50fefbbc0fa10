"""The controller, compiled: which command goes to which bank in which cycle.

Time does not pass cycle by cycle. Every queued request tells the first cycle in which its next command could be issued;
the least of these cycles is the next one in which anything happens, because no constraint gets looser in between and a
request that comes in between is looked at when it comes. So the result is that of a controller that looks at its queue
in every cycle, and the cost is that of the commands.

All is compiled as one function, because whatever is compiled by itself is optimised once more with all that it calls.
"""

from __future__ import annotations

from deltatrain.accel.compiling import compiled
from deltatrain.sim.dram.choice import first_ready, turn
from deltatrain.sim.dram.commands import has_room, lift
from deltatrain.sim.dram.door import admit, enter, find_place, takes
from deltatrain.sim.dram.inner import Words, called_once, inner, words_at
from deltatrain.sim.dram.refresh import refresh_ready
from deltatrain.sim.dram.rules import Integers
from deltatrain.sim.dram.service import step
from deltatrain.sim.dram.streams import is_stream, take_stream
from deltatrain.sim.dram.words import (
    ACCEPTS,
    CHANNEL_SIZE,
    CHANNELS,
    CHANNELS_AT,
    COLUMN_S,
    DONE_AT,
    DONE_MASK,
    FIELD_SIZE,
    FIELDS,
    FIELDS_AT,
    FINISHED_USED,
    FOUND_BANK,
    FOUND_CHANNEL,
    FOUND_LOWEST,
    FOUND_ROW,
    FREE_PLACE,
    IS_DONE,
    KNOWN_FROM,
    NEVER,
    NEXT_AT,
    NOW,
    RANK_WORDS,
    RANKS,
    RANKS_AT,
    READ_LATENCY,
    READS_MOST,
    REFRESH_DUE,
    REFRESH_WAITS,
    REQUESTS,
    TO_BANK,
    TO_CHANNEL,
    TO_ROW,
)

RUN, HAND_OVER, AWAIT, OFFER, NEXT_EVENT = range(5)
"""What `control` does."""


@called_once
def _run(w: Words, requests: Words, count: int, until: int) -> int:
    """Do what `run` says."""
    for n in range(count):
        find_place(w, requests[count + n])
        if not admit(w, requests[n], requests[count + n], requests[2 * count + n]):
            w[IS_DONE] = 0
            return n
    w[IS_DONE] = until == 0 or _let_pass(w, until)
    return count


@inner
def _let_pass(w: Words, until: int) -> bool:
    """Issue all commands before cycle `until`, or all that queued requests need if that is `NEVER`.

    Return False if the log was full before.
    """
    for ch in range(w[CHANNELS_AT], w[CHANNELS_AT] + w[CHANNELS] * w[CHANNEL_SIZE], w[CHANNEL_SIZE]):
        while until < NEVER or w[ch + REQUESTS] + w[ch + REQUESTS + 1] > 0:
            if not has_room(w):
                return False
            if step(w, ch, until) == NEVER:
                break
        if until < NEVER:
            lift(w, ch + NOW, until)
    return True


@called_once
def _hand_over(w: Words, cycle: int, burst: int, count: int, d: int) -> int:
    """Do what `hand_over` says."""
    end = burst + count
    lowest = w[FIELDS_AT]
    in_row = w[FIELDS] > 0 and w[lowest + TO_CHANNEL] == 0 and w[lowest + TO_BANK] == 0 and w[lowest + TO_ROW] == 0
    n = burst
    while n < end:
        w[FINISHED_USED] = 0
        find_place(w, n)
        taken = 0
        if in_row:
            row_end = min(end, n + w[lowest + FIELD_SIZE] - w[FOUND_LOWEST])
            if is_stream(w, n, row_end, d):
                taken = take_stream(w, cycle, n, row_end, d)
        if taken == 0:
            if not admit(w, cycle, n, d):
                break
            taken = 1
        n += taken
    w[FINISHED_USED] = 0
    return n - burst


@called_once
def _await_reads(w: Words, until: int, ticket: int, end: int) -> int:
    """Do what `await_reads` says."""
    now = NEVER
    going = True
    for n in range(w[CHANNELS]):
        now = min(now, w[w[CHANNELS_AT] + n * w[CHANNEL_SIZE] + NOW])
    while True:
        while ticket < end and w[w[DONE_AT] + (ticket & w[DONE_MASK])] != NEVER:
            ticket += 1
        if ticket == end or now >= until or not going:
            break
        now = until if end < ticket else min(until, now + w[READ_LATENCY])
        going = _let_pass(w, now)
        w[FINISHED_USED] = 0
    missing = 0
    most = 2 * w[CHANNELS] * max(w[READS_MOST], w[READS_MOST + 1])
    for n in range(ticket, min(end, ticket + most)):
        missing += w[w[DONE_AT] + (n & w[DONE_MASK])] == NEVER
    w[KNOWN_FROM] = now + (missing - 1) // w[CHANNELS] * w[COLUMN_S]
    w[IS_DONE] = going
    return ticket


@called_once
def _offer(w: Words, cycle: int, burst: int, d: int) -> int:
    """Do what `offer` says."""
    find_place(w, burst)
    ch = w[FOUND_CHANNEL]
    bank = w[FOUND_BANK]
    at = max(cycle, w[ch + NOW])
    if at < w[ch + FREE_PLACE] // w[ACCEPTS] or not takes(w, ch, bank, burst, d):
        return 0
    enter(w, ch, bank, w[FOUND_ROW], d, burst, at)
    return 1


@called_once
def _next_event(w: Words) -> int:
    """Do what `next_event` says."""
    found = NEVER
    for ch in range(w[CHANNELS_AT], w[CHANNELS_AT] + w[CHANNELS] * w[CHANNEL_SIZE], w[CHANNEL_SIZE]):
        turn(w, ch)
        first_ready(w, ch)
        found = min(found, w[ch + NEXT_AT])
        for rank in range(ch + w[RANKS_AT], ch + w[RANKS_AT] + w[RANKS] * RANK_WORDS, RANK_WORDS):
            if w[rank + REFRESH_WAITS]:
                at, _, _ = refresh_ready(w, ch, rank)
                found = min(found, at)
            else:
                found = min(found, w[rank + REFRESH_DUE])
    return found


def _control(address: int, operation: int, a: int, b: int, c: int, d: int) -> int:
    """Do one of the operations above, on the words at an address."""
    w = words_at(address)
    if operation == HAND_OVER:
        return _hand_over(w, a, b, c, d)
    if operation == AWAIT:
        return _await_reads(w, a, b, c)
    if operation == RUN:
        return _run(w, words_at(a), b, c)
    if operation == OFFER:
        return _offer(w, a, b, c)
    return _next_event(w)


control = compiled(_control, name="the memory model", no_cfunc_wrapper=True, error_model="numpy")


def run(words: int, requests: Integers, until: int) -> int:
    """Hand over requests and then let time pass until a cycle, or until all is served if that is `NEVER`.

    Parameters
    ----------
    words
        Address of the words.
    requests
        (3, N), contiguous: when each is offered first, its burst, 1 for a write.
    until
        Zero lets no further time pass.

    Returns
    -------
    How many requests were taken. The word `IS_DONE` tells whether all was done. If not, the log of commands was full:
    empty it and go on.
    """
    return control(words, RUN, requests.ctypes.data, requests.shape[1], until, 0)


def offer(words: int, cycle: int, burst: int, write: int) -> int:
    """Take one request in a cycle that was advanced to, if its channel can take it; tell whether it was taken."""
    return control(words, OFFER, cycle, burst, write, 0)


def next_event(words: int) -> int:
    """Return the first cycle in which a command is issued or a refresh becomes due, if no request comes before."""
    return control(words, NEXT_EVENT, 0, 0, 0, 0)


def hand_over(words: int, cycle: int, burst: int, count: int, write: int) -> int:
    """Hand over neighbouring bursts in order, each offered from a cycle on, and let time pass until all are taken.

    Nothing that is handed over later can change what happens until then, because each channel takes its requests in
    order.

    Parameters
    ----------
    words
        Address of the words.
    cycle, burst, count, write
        When they are offered; number of the first burst; how many there are; 1 for writes.

    Returns
    -------
    How many were taken: all, unless the log of commands was full before.
    """
    return control(words, HAND_OVER, cycle, burst, count, write)


def await_reads(words: int, until: int, ticket: int, end: int) -> int:
    """Let time pass until a cycle, or until all reads from `ticket` on and before `end` are finished.

    When the reads are finished, no channel has passed the cycle in which the data of the last one are there. So whoever
    makes a request because of these data can still make it. With an `end` before `ticket` only the cycle counts.

    Returns
    -------
    The first ticket that is not finished, or `end`. The word `KNOWN_FROM` holds a cycle before which the command that
    finishes the last one is not issued, and `IS_DONE` whether all was done, or the log of commands was full before.
    """
    return control(words, AWAIT, until, ticket, end, 0)
