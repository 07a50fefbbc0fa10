"""Refresh: when a rank's next one is due, which banks it is for, what is done first, and what it changes."""

from __future__ import annotations

from deltatrain.sim.dram.commands import close, lift, precharge
from deltatrain.sim.dram.inner import Words, inner, written_out
from deltatrain.sim.dram.words import (
    ACTIVATE_FROM,
    BANK_QUEUED,
    BANK_WORDS,
    BANKS,
    CLOSED,
    FIRST_BANK,
    FIRST_DUE,
    GROUP,
    LAST_CLOSED,
    NEVER,
    NONE,
    NOW,
    OPEN_BANKS,
    OPEN_ROW,
    PRECHARGE,
    PRECHARGE_ALL,
    PRECHARGE_FROM,
    RANK,
    RANK_WORDS,
    RANKS,
    RANKS_AT,
    REFRESH,
    REFRESH_BEGAN,
    REFRESH_COMMAND,
    REFRESH_CYCLES,
    REFRESH_DUE,
    REFRESH_ENDED,
    REFRESH_FROM,
    REFRESH_INTERVAL,
    REFRESH_NEXT,
    REFRESH_SETS,
    REFRESH_TO_ACTIVATE,
    REFRESH_WAITS,
    REFRESHED,
    REFRESHES,
    REFRESHES_WAITING,
    REFRESHING,
    ROW_BUS,
    TRPAB,
)


@written_out
def precharge_ready(w: Words, bank: int, bus: int) -> int:
    """Return the first cycle from `bus` on in which a bank can take a precharge."""
    return max(w[bank + PRECHARGE_FROM], w[w[bank + RANK] + PRECHARGE_FROM], bus)


@inner
def _first_to_close(w: Words, rank: int) -> int:
    """Return the bank whose row can be closed first of the set that is refreshed next, or NONE if none is open."""
    first = w[rank + FIRST_BANK]
    found = NONE
    for n in range(w[rank + REFRESH_NEXT], w[BANKS], w[REFRESH_SETS]):
        bank = first + n * BANK_WORDS
        if w[bank + OPEN_ROW] != CLOSED and (found == NONE or w[bank + PRECHARGE_FROM] < w[found + PRECHARGE_FROM]):
            found = bank
    return found


@inner
def refresh_ready(w: Words, ch: int, rank: int) -> tuple[int, int, int]:
    """Return (cycle, command, bank to close or NONE) of the next step of a rank whose refresh is due."""
    at = max(w[ch + NOW], w[ch + ROW_BUS], w[rank + REFRESH_DUE])
    first = w[rank + FIRST_BANK]
    command = w[REFRESH_COMMAND]
    if command == REFRESH:
        at = max(at, w[rank + LAST_CLOSED])  # a precharge of all banks must not meet one that a bank makes by itself
        if w[rank + OPEN_BANKS]:
            command = PRECHARGE_ALL
        for bank in range(first, first + w[BANKS] * BANK_WORDS, BANK_WORDS):
            if command == REFRESH:
                at = max(at, w[bank + ACTIVATE_FROM])
            elif w[bank + OPEN_ROW] != CLOSED:
                at = precharge_ready(w, bank, at)
        return at, command, NONE
    bank = _first_to_close(w, rank)
    if bank != NONE:
        return precharge_ready(w, bank, at), PRECHARGE, bank
    for n in range(w[rank + REFRESH_NEXT], w[BANKS], w[REFRESH_SETS]):
        bank = first + n * BANK_WORDS
        at = max(at, w[bank + ACTIVATE_FROM], w[w[bank + GROUP] + ACTIVATE_FROM])
    return max(at, w[rank + ACTIVATE_FROM], w[rank + REFRESH_FROM]), command, NONE


@inner
def refresh_step(w: Words, ch: int, rank: int, command: int, bank: int, at: int) -> int:
    """Do the next step of a refresh and return its bank, the first of several, or NONE if it is for all."""
    first = w[rank + FIRST_BANK]
    if command == PRECHARGE:
        precharge(w, ch, bank, at)
        return bank
    if command == PRECHARGE_ALL:
        for each in range(first, first + w[BANKS] * BANK_WORDS, BANK_WORDS):
            if w[each + OPEN_ROW] != CLOSED:
                close(w, ch, each, at, at + w[TRPAB])
        return NONE
    due = w[rank + REFRESH_DUE]
    chosen = w[rank + REFRESH_NEXT]
    w[rank + REFRESH_DUE] = due + w[REFRESH_INTERVAL]
    w[rank + REFRESH_WAITS] = 0
    _find_first_due(w, ch)
    w[ch + REFRESHES] += 1
    for n in range(chosen, w[BANKS], w[REFRESH_SETS]):
        each = first + n * BANK_WORDS
        w[each + ACTIVATE_FROM] = at + w[REFRESH_CYCLES]
        w[each + REFRESH_BEGAN] = due
        w[each + REFRESH_ENDED] = at + w[REFRESH_CYCLES]
        w[each + REFRESHING] = 0
    if command == REFRESH:
        return NONE
    lift(w, rank + ACTIVATE_FROM, at + w[REFRESH_TO_ACTIVATE])
    w[rank + REFRESH_FROM] = at + w[REFRESH_CYCLES]
    w[rank + REFRESHED] |= 1 << chosen
    if w[rank + REFRESHED] == (1 << w[REFRESH_SETS]) - 1:
        w[rank + REFRESHED] = 0
    return first + chosen * BANK_WORDS


@inner
def _find_first_due(w: Words, ch: int) -> None:
    """Find out when the next refresh becomes due of a rank in which none waits, and how many wait."""
    w[ch + FIRST_DUE] = NEVER
    w[ch + REFRESHES_WAITING] = 0
    for rank in range(ch + w[RANKS_AT], ch + w[RANKS_AT] + w[RANKS] * RANK_WORDS, RANK_WORDS):
        if w[rank + REFRESH_WAITS]:
            w[ch + REFRESHES_WAITING] += 1
        else:
            w[ch + FIRST_DUE] = min(w[ch + FIRST_DUE], w[rank + REFRESH_DUE])


@inner
def begin_to_wait(w: Words, ch: int) -> None:
    """Let the refresh that is due first wait, and keep other commands from its banks."""
    rank = ch + w[RANKS_AT]
    while w[rank + REFRESH_WAITS] or w[rank + REFRESH_DUE] != w[ch + FIRST_DUE]:
        rank += RANK_WORDS
    w[rank + REFRESH_WAITS] = 1
    _choose_set(w, rank)
    _find_first_due(w, ch)


@inner
def _choose_set(w: Words, rank: int) -> None:
    """Let the set of banks that the fewest requests want be refreshed next, of those that have not had their turn.

    The standards leave the order to the controller, as long as each bank has its turn before any has its next one. A
    fixed order can fall into step with a stream of addresses and be in its way all the time.
    """
    first = w[rank + FIRST_BANK]
    least = NEVER
    for n in range(w[REFRESH_SETS]):
        wanted = 0
        for each in range(n, w[BANKS], w[REFRESH_SETS]):
            wanted += w[first + each * BANK_WORDS + BANK_QUEUED]
        if not w[rank + REFRESHED] >> n & 1 and wanted < least:
            least = wanted
            w[rank + REFRESH_NEXT] = n
    for n in range(w[rank + REFRESH_NEXT], w[BANKS], w[REFRESH_SETS]):
        w[first + n * BANK_WORDS + REFRESHING] = 1
