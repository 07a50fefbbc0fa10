"""Requests come in at a channel's door: where their bursts lie, when they enter, and what a queued write answers."""

from __future__ import annotations

from deltatrain.sim.dram.commands import has_room, lift
from deltatrain.sim.dram.inner import Words, inner, written_out
from deltatrain.sim.dram.queue import enqueue, is_queued
from deltatrain.sim.dram.service import finish, step
from deltatrain.sim.dram.words import (
    ACCEPTS,
    DATA_UNTIL,
    DONE_AT,
    DONE_MASK,
    DOOR_FROM,
    FIELD_BITS,
    FIELD_SIZE,
    FIELD_WORDS,
    FIELDS,
    FIELDS_AT,
    FORWARDED,
    FOUND_BANK,
    FOUND_BURST,
    FOUND_CHANNEL,
    FOUND_LOWEST,
    FOUND_ROW,
    FREE_PLACE,
    HAS_ROW_BUS,
    LAST_ACCEPTED,
    NEVER,
    NOW,
    OLDEST,
    READS_MOST,
    REQUESTS,
    TICKETS,
    TO_BANK,
    TO_CHANNEL,
    TO_ROW,
)


@inner
def find_place(w: Words, burst: int) -> None:
    """Find the channel, bank and row of a burst."""
    lowest = w[FIELDS_AT]
    first = w[FOUND_LOWEST] + 1
    if burst == w[FOUND_BURST] + 1 and first < w[lowest + FIELD_SIZE]:
        w[FOUND_BURST] = burst
        w[FOUND_LOWEST] = first
        w[FOUND_CHANNEL] += w[lowest + TO_CHANNEL]
        w[FOUND_BANK] += w[lowest + TO_BANK]
        w[FOUND_ROW] += w[lowest + TO_ROW]
        return
    end = lowest + w[FIELDS] * FIELD_WORDS
    w[FOUND_BURST] = burst
    ch = w[end + TO_CHANNEL]
    bank = w[end + TO_BANK]
    row = 0
    rest = burst
    for field in range(lowest, end, FIELD_WORDS):
        bits = w[field + FIELD_BITS]
        if bits >= 0:
            value = rest & (w[field + FIELD_SIZE] - 1)
            rest >>= bits
        else:
            value = rest % w[field + FIELD_SIZE]
            rest //= w[field + FIELD_SIZE]
        if field == lowest:
            w[FOUND_LOWEST] = value
        ch += value * w[field + TO_CHANNEL]
        bank += value * w[field + TO_BANK]
        row += value * w[field + TO_ROW]
    w[FOUND_CHANNEL] = ch
    w[FOUND_BANK] = bank
    w[FOUND_ROW] = row


@inner
def takes(w: Words, ch: int, bank: int, burst: int, d: int) -> bool:
    """Tell whether a channel can take a request: room in its queue, and no older read that a write would overtake."""
    if d and w[ch + REQUESTS] and is_queued(w, bank + OLDEST, burst):
        return False
    return w[ch + REQUESTS + d] < w[READS_MOST + d] or is_queued(w, bank + OLDEST + 1, burst)


@written_out
def door_open(w: Words, ch: int, cycle: int) -> int:
    """Return the first cycle from `cycle` on in which one more request can come in at a channel's door."""
    place = w[ch + FREE_PLACE]
    return max(cycle, place if w[ACCEPTS] == 1 else place // w[ACCEPTS], w[ch + DOOR_FROM], w[ch + NOW])


@written_out
def pass_door(w: Words, ch: int, at: int) -> int:
    """Note that a request comes in at a channel's door in cycle `at`; return its ticket."""
    ticket = w[TICKETS]
    w[TICKETS] += 1
    if w[DONE_MASK] >= 0:
        w[w[DONE_AT] + (ticket & w[DONE_MASK])] = NEVER
    w[ch + FREE_PLACE] = max(w[ch + FREE_PLACE], at * w[ACCEPTS]) + 1
    w[LAST_ACCEPTED] = max(w[LAST_ACCEPTED], at)
    return ticket


@inner
def enter(w: Words, ch: int, bank: int, row: int, d: int, burst: int, at: int) -> None:
    """Let a request in. A read that a queued write answers and a write that replaces one never reach the banks."""
    ticket = pass_door(w, ch, at)
    if w[ch + REQUESTS + 1] and is_queued(w, bank + OLDEST + 1, burst):
        w[ch + FORWARDED + d] += 1
        lift(w, ch + DATA_UNTIL, at + 1)
        finish(w, ticket, at, at + 1, d)
    else:
        enqueue(w, ch, bank, row, d, burst, ticket, at)


@inner
def admit(w: Words, cycle: int, burst: int, d: int) -> bool:
    """Take the burst whose place was found, as soon as its cycle has come and its channel can take it and has a place.

    Return False, and take nothing, if the log was full before.
    """
    ch = w[FOUND_CHANNEL]
    bank = w[FOUND_BANK]
    at = door_open(w, ch, cycle)
    can = takes(w, ch, bank, burst, d)
    while True:
        if not has_room(w):
            return False
        issued = step(w, ch, at if can else NEVER)
        if issued == NEVER:
            lift(w, ch + NOW, at)
            break
        # Room stays until the request is in; a write that would have answered it may have left the queue.
        can = takes(w, ch, bank, burst, d)
        if issued >= at:
            at = issued + 1
            w[ch + DOOR_FROM] = at
            if can and not w[HAS_ROW_BUS]:
                break  # else the other bus may have a command in the cycle in which room was made
    enter(w, ch, bank, w[FOUND_ROW], d, burst, at)
    return True
