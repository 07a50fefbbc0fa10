"""Queued requests: each bank has a list of its reads and one of its writes, from the oldest to the youngest.

A bank knows of each direction `d` the oldest request for its open row, and the oldest for another row. A channel lists
the banks that requests of a direction wait for, in any order.
"""

from __future__ import annotations

from deltatrain.sim.dram.inner import Words, inner, written_out
from deltatrain.sim.dram.words import (
    ACCEPTED,
    BANK,
    BANK_QUEUED,
    BURST,
    CLOSED,
    CONFLICT,
    DATA_BUS,
    FREE_ENTRY,
    HIT,
    MET,
    MET_HIT,
    NONE,
    OLDER,
    OLDEST,
    OPEN_ROW,
    PENDING_FROM,
    QUEUED,
    REQUESTS,
    ROW,
    TICKET,
    WANTED,
    WANTED_AT,
    WANTED_PLACE,
    YOUNGER,
    YOUNGEST,
)


@inner
def is_queued(w: Words, oldest: int, burst: int) -> bool:
    """Tell whether a request for a burst is in the list that the word `oldest` begins."""
    entry = w[oldest]
    while entry != NONE and w[entry + BURST] != burst:
        entry = w[entry + YOUNGER]
    return entry != NONE


@inner
def append(w: Words, ch: int, bank: int, row: int, d: int, burst: int, ticket: int, at: int) -> int:
    """Put a request that comes in cycle `at` at the end of its bank's list; return it."""
    entry = w[ch + FREE_ENTRY]
    w[ch + FREE_ENTRY] = w[entry + YOUNGER]
    w[entry + TICKET] = ticket
    w[entry + ACCEPTED] = at
    w[entry + BURST] = burst
    w[entry + BANK] = bank
    w[entry + ROW] = row
    w[entry + MET] = MET_HIT
    older = w[bank + YOUNGEST + d]
    w[entry + OLDER] = older
    w[entry + YOUNGER] = NONE
    w[bank + YOUNGEST + d] = entry
    if older != NONE:
        w[older + YOUNGER] = entry
    return entry


@inner
def enqueue(w: Words, ch: int, bank: int, row: int, d: int, burst: int, ticket: int, at: int) -> None:
    """Queue a request that comes in cycle `at`."""
    entry = append(w, ch, bank, row, d, burst, ticket, at)
    if w[bank + OLDEST + d] == NONE:
        w[bank + OLDEST + d] = entry
        place = w[ch + WANTED_AT + d] + w[ch + WANTED + d]
        w[place] = bank
        w[bank + WANTED_PLACE + d] = place
        w[ch + WANTED + d] += 1
    if w[bank + OPEN_ROW] == row:
        if w[bank + HIT + d] == NONE:
            w[bank + HIT + d] = entry
    elif w[bank + OPEN_ROW] != CLOSED and w[bank + CONFLICT + d] == NONE:
        w[bank + CONFLICT + d] = entry
    w[ch + REQUESTS + d] += 1
    w[bank + BANK_QUEUED] += 1
    bus = w[bank + DATA_BUS]
    if w[bus + QUEUED] == 0:
        w[bus + PENDING_FROM] = at
    w[bus + QUEUED] += 1


@inner
def dequeue(w: Words, ch: int, bank: int, d: int, entry: int) -> None:
    """Take the oldest request for a bank's open row out of its lists, and find the next one for that row."""
    older = w[entry + OLDER]
    younger = w[entry + YOUNGER]
    if older != NONE:
        w[older + YOUNGER] = younger
    else:
        w[bank + OLDEST + d] = younger
    if younger != NONE:
        w[younger + OLDER] = older
    else:
        w[bank + YOUNGEST + d] = older
    row = w[entry + ROW]
    while younger != NONE and w[younger + ROW] != row:
        younger = w[younger + YOUNGER]
    w[bank + HIT + d] = younger
    if w[bank + OLDEST + d] == NONE:
        w[ch + WANTED + d] -= 1
        last = w[w[ch + WANTED_AT + d] + w[ch + WANTED + d]]
        place = w[bank + WANTED_PLACE + d]
        w[place] = last
        w[last + WANTED_PLACE + d] = place
    w[entry + YOUNGER] = w[ch + FREE_ENTRY]
    w[ch + FREE_ENTRY] = entry
    w[ch + REQUESTS + d] -= 1
    w[bank + BANK_QUEUED] -= 1
    w[w[bank + DATA_BUS] + QUEUED] -= 1


@inner
def open_row(w: Words, bank: int, row: int) -> None:
    """Note that a row is open, and find the oldest requests for it and for another."""
    w[bank + OPEN_ROW] = row
    for d in range(2):
        entry = w[bank + OLDEST + d]
        while entry != NONE and (w[bank + HIT + d] == NONE or w[bank + CONFLICT + d] == NONE):
            kind = (HIT if w[entry + ROW] == row else CONFLICT) + d
            if w[bank + kind] == NONE:
                w[bank + kind] = entry
            entry = w[entry + YOUNGER]


@written_out
def close_row(w: Words, bank: int) -> None:
    """Note that a bank has no row open."""
    w[bank + OPEN_ROW] = CLOSED
    for d in range(2):
        w[bank + HIT + d] = NONE
        w[bank + CONFLICT + d] = NONE


@written_out
def passed_over(w: Words, bank: int, d: int) -> bool:
    """Tell whether an older request than the oldest one for the open row, which there is, wants another row."""
    conflict = w[bank + CONFLICT + d]
    return conflict != NONE and w[conflict + TICKET] < w[w[bank + HIT + d] + TICKET]
