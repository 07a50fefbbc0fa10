"""The next command of a channel, done: a read or write of a queued request, what makes way for it, or a refresh."""

from __future__ import annotations

from deltatrain.sim.dram.choice import find_next
from deltatrain.sim.dram.commands import activate, close, issue, keep_columns_apart, lift, precharge
from deltatrain.sim.dram.inner import Words, inner, written_out
from deltatrain.sim.dram.queue import dequeue, passed_over
from deltatrain.sim.dram.refresh import refresh_step
from deltatrain.sim.dram.words import (
    ACCEPTED,
    ACTIVATE,
    BANK,
    BURST_CYCLES,
    BUS_FREE_FROM,
    BUS_WROTE,
    BYPASSES,
    CLOSED_POLICY,
    DATA_BUS,
    DATA_UNTIL,
    DONE_AT,
    DONE_MASK,
    FINISHED_AT,
    FINISHED_USED,
    FINISHED_WORDS,
    HIT,
    HITS,
    IS_FRESH,
    MET,
    MET_CONFLICT,
    MET_MISS,
    NEVER,
    NEXT_AT,
    NEXT_COMMAND,
    NEXT_ENTRY,
    NEXT_RANK,
    NONE,
    OPEN_ROW,
    PENDING_FROM,
    PRECHARGE,
    PRECHARGE_FROM,
    RANK,
    READ,
    READ_BURSTS,
    READ_LATENCY,
    RECOVERED_FROM,
    REFRESH_BEGAN,
    REFRESH_ENDED,
    ROW,
    TICKET,
    TRP,
    TRTP,
    WAITED_COLUMN,
    WAITED_REFRESH,
    WAITED_ROW,
    WAITED_TURN,
    WRITE,
    WRITING,
    WROTE,
)


@inner
def finish(w: Words, ticket: int, accepted: int, done: int, d: int) -> None:
    """Note when a request is finished."""
    note = w[FINISHED_AT] + FINISHED_WORDS * w[FINISHED_USED]
    w[FINISHED_USED] += 1
    w[note] = ticket
    w[note + 1] = accepted
    w[note + 2] = done
    w[note + 3] = d
    if w[DONE_MASK] >= 0 and d == 0:
        w[w[DONE_AT] + (ticket & w[DONE_MASK])] = done


@written_out
def _explain_wait(w: Words, ch: int, bank: int, d: int, at: int, begin: int) -> None:
    """Count the cycles in which a data bus idled with requests queued for it, by cause.

    They end in cycle `begin` with the burst of the column that is issued in cycle `at`. That burst decides the cause.
    Cycles in which a refresh was due, or kept the burst's bank, count as refresh. The others all have one cause: the
    row, if the bank was opened for this burst; else the turn-round, if data went the other way before; else the least
    distance between columns or between activates.
    """
    lead = begin - at
    bus = w[bank + DATA_BUS]
    since = max(w[bus + BUS_FREE_FROM], w[bus + PENDING_FROM] + lead)
    if begin > since:
        refreshed = max(min(at, w[bank + REFRESH_ENDED]) - max(since - lead, w[bank + REFRESH_BEGAN]), 0)
        w[ch + WAITED_REFRESH] += refreshed
        cause = WAITED_COLUMN
        if w[bank + IS_FRESH]:
            cause = WAITED_ROW
        elif w[bus + BUS_WROTE] != d:
            cause = WAITED_TURN
        w[ch + cause] += begin - since - refreshed
    w[bank + IS_FRESH] = 0
    w[bus + BUS_FREE_FROM] = begin + w[BURST_CYCLES]
    w[bus + BUS_WROTE] = d


@written_out
def complete(w: Words, ch: int, entry: int, d: int, at: int) -> None:
    """Count the burst of a request that is read or written in cycle `at`, and note when it is finished."""
    done = at + w[READ_LATENCY + d]
    lift(w, ch + DATA_UNTIL, done)
    _explain_wait(w, ch, w[entry + BANK], d, at, done - w[BURST_CYCLES])
    finish(w, w[entry + TICKET], w[entry + ACCEPTED], done, d)
    w[ch + HITS + w[entry + MET]] += 1
    w[ch + READ_BURSTS + d] += 1


@inner
def serve_entry(w: Words, ch: int, entry: int, at: int) -> None:
    """Read or write the burst of a request, the oldest for the open row of its bank, in cycle `at`."""
    d = w[ch + WRITING]
    bank = w[entry + BANK]
    w[ch + WROTE] = d
    complete(w, ch, entry, d, at)
    last = False
    if passed_over(w, bank, d):
        w[bank + BYPASSES] += 1
        last = True
    keep_columns_apart(w, bank, d, at)
    dequeue(w, ch, bank, d, entry)
    command = WRITE if d else READ
    # An auto-precharge begins inside the part as soon as tRAS allows; that of a read must not meet a write's recovery.
    if w[CLOSED_POLICY] and (last or w[bank + HIT + d] == NONE) and (d or w[bank + RECOVERED_FROM] <= at + w[TRTP]):
        command += 1
        closes = w[bank + PRECHARGE_FROM]
        close(w, ch, bank, closes, closes + w[TRP])
    issue(w, ch, at, command, w[bank + RANK], bank, w[entry + ROW])


@inner
def step(w: Words, ch: int, until: int) -> int:
    """Issue the next command of a channel if it comes before cycle `until`; return its cycle, or else `NEVER`."""
    find_next(w, ch, until)
    at = w[ch + NEXT_AT]
    if at >= until:
        return NEVER
    command = w[ch + NEXT_COMMAND]
    entry = w[ch + NEXT_ENTRY]
    rank = w[ch + NEXT_RANK]
    if rank != NONE:
        row = w[entry + OPEN_ROW] if command == PRECHARGE else -1
        issue(w, ch, at, command, rank, refresh_step(w, ch, rank, command, entry, at), row)
        return at
    if command == READ:
        serve_entry(w, ch, entry, at)
        return at
    w[ch + WROTE] = w[ch + WRITING]
    bank = w[entry + BANK]
    row = w[entry + ROW]
    if command == ACTIVATE:
        if w[entry + MET] != MET_CONFLICT:
            w[entry + MET] = MET_MISS
        activate(w, ch, bank, row, at)
    else:
        w[entry + MET] = MET_CONFLICT
        row = w[bank + OPEN_ROW]
        precharge(w, ch, bank, at)
    issue(w, ch, at, command, w[bank + RANK], bank, row)
    return at
