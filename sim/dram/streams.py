"""A stream of bursts in an open row, as a law: one column after the other, as far apart as the standard asks.

While the queue of a channel holds nothing but requests of one direction for the open row of one bank, and no refresh is
due, the oldest is always next. What its column keeps other commands away from only grows, so that the last column of a
stream decides. That leaves of every burst when it comes in and when its column is issued, each the latest of a few
cycles.
"""

from __future__ import annotations

from deltatrain.sim.dram.commands import issue, keep_columns_apart, lift
from deltatrain.sim.dram.door import door_open, pass_door
from deltatrain.sim.dram.inner import Words, inner
from deltatrain.sim.dram.queue import append
from deltatrain.sim.dram.service import complete
from deltatrain.sim.dram.words import (
    BANK_QUEUED,
    BURST,
    CLOSED_POLICY,
    COLUMN_BUS,
    COLUMN_CLOCKS,
    COLUMN_L,
    COLUMN_S,
    COMMANDS_ROOM,
    CONFLICT,
    DATA_BUS,
    DOOR_FROM,
    FIRST_DUE,
    FOUND_BANK,
    FOUND_BURST,
    FOUND_CHANNEL,
    FOUND_LOWEST,
    FOUND_ROW,
    FREE_ENTRY,
    GROUP,
    HAS_ROW_BUS,
    HIT,
    NONE,
    NOW,
    OLDER,
    OLDEST,
    OPEN_ROW,
    QUEUED,
    RANK,
    READ,
    READ_FROM,
    READS_MOST,
    REFRESHES_WAITING,
    REQUESTS,
    WANTED,
    WRITE,
    WROTE,
    YOUNGER,
)


@inner
def is_stream(w: Words, burst: int, end: int, d: int) -> bool:
    """Tell whether the law holds for the burst whose place was found, and those after it before `end`, in one row."""
    ch = w[FOUND_CHANNEL]
    bank = w[FOUND_BANK]
    if w[bank + OPEN_ROW] != w[FOUND_ROW] or w[bank + HIT + d] == NONE or w[bank + CONFLICT + d] != NONE:
        return False
    if w[ch + WANTED + d] != 1 or w[ch + REQUESTS + 1 - d] or w[ch + REFRESHES_WAITING]:
        return False
    if w[CLOSED_POLICY] or w[COMMANDS_ROOM]:
        return False
    entry = w[bank + OLDEST + 1] if d else NONE  # a write that replaces another is not queued again
    while entry != NONE and (w[entry + BURST] < burst or w[entry + BURST] >= end):
        entry = w[entry + YOUNGER]
    return entry == NONE


@inner
def take_stream(w: Words, cycle: int, burst: int, end: int, d: int) -> int:
    """Take bursts of a stream from `burst` on and before `end`, each offered from a cycle on, as `door.admit` does.

    Return how many were taken: the law ends where a refresh becomes due or the queue runs empty.
    """
    ch = w[FOUND_CHANNEL]
    bank = w[FOUND_BANK]
    first = burst
    queued = w[ch + REQUESTS + d]
    before = queued
    now = w[ch + NOW]
    gap = max(w[COLUMN_L + d], w[COLUMN_S], w[COLUMN_CLOCKS])
    last = _first_column(w, ch, bank, d) - gap
    at = door_open(w, ch, cycle)
    while burst < end:
        column = max(last + gap, now)
        if w[ch + FIRST_DUE] <= max(column, at):
            break
        enters = queued < w[READS_MOST + d] and column >= at
        if enters:
            now = at
        elif queued == 1:
            break
        else:
            _serve_oldest(w, ch, bank, d, column)
            queued -= 1
            last = now = column
            if column >= at:
                at = column + 1
                w[ch + DOOR_FROM] = at
                enters = w[HAS_ROW_BUS] == 0
        if enters:
            append(w, ch, bank, w[FOUND_ROW], d, burst, pass_door(w, ch, at), at)
            queued += 1
            burst += 1
            at = max(door_open(w, ch, cycle), now)
    _end_stream(w, ch, bank, d, burst - first, before + burst - first - queued, last)
    lift(w, ch + NOW, now)
    return burst - first


@inner
def _first_column(w: Words, ch: int, bank: int, d: int) -> int:
    """Return the first cycle in which the bank's open row can be read or written."""
    limit = READ_FROM + d
    return max(w[bank + limit], w[w[bank + GROUP] + limit], w[w[bank + RANK] + limit], w[ch + COLUMN_BUS])


@inner
def _serve_oldest(w: Words, ch: int, bank: int, d: int, at: int) -> None:
    """Read or write the burst of the oldest request in cycle `at`, which is not the only one."""
    entry = w[bank + OLDEST + d]
    complete(w, ch, entry, d, at)
    w[bank + OLDEST + d] = w[entry + YOUNGER]
    w[entry + YOUNGER] = w[ch + FREE_ENTRY]
    w[ch + FREE_ENTRY] = entry


@inner
def _end_stream(w: Words, ch: int, bank: int, d: int, taken: int, served: int, last: int) -> None:
    """Leave everything as the last column leaves it, which was issued in cycle `last`, if any was."""
    w[FOUND_BURST] += max(taken - 1, 0)
    w[FOUND_LOWEST] += max(taken - 1, 0)
    oldest = w[bank + OLDEST + d]
    w[oldest + OLDER] = NONE
    w[bank + HIT + d] = oldest
    w[ch + REQUESTS + d] += taken - served
    w[bank + BANK_QUEUED] += taken - served
    w[w[bank + DATA_BUS] + QUEUED] += taken - served
    if served:
        w[ch + WROTE] = d
        keep_columns_apart(w, bank, d, last)
        issue(w, ch, last, WRITE if d else READ, w[bank + RANK], bank, w[FOUND_ROW])
