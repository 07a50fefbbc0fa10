"""What comes next on a channel's command buses: the first command that a queued request or a refresh can get."""

from __future__ import annotations

from deltatrain.sim.dram.inner import Words, called_once, inner, written_out
from deltatrain.sim.dram.queue import passed_over
from deltatrain.sim.dram.refresh import begin_to_wait, precharge_ready, refresh_ready
from deltatrain.sim.dram.words import (
    ACTIVATE,
    ACTIVATE_FROM,
    BYPASSES,
    CLOSED,
    COLUMN_BUS,
    CONFLICT,
    FIRST_DUE,
    GROUP,
    HIT,
    MOST_BYPASSES,
    NEVER,
    NEXT_AT,
    NEXT_COMMAND,
    NEXT_ENTRY,
    NEXT_RANK,
    NONE,
    NOW,
    OLDEST,
    OPEN_ROW,
    PRECHARGE,
    RANK,
    RANK_WORDS,
    RANKS,
    RANKS_AT,
    READ,
    READ_FROM,
    REFRESH_WAITS,
    REFRESHES_WAITING,
    REFRESHING,
    REQUESTS,
    ROW_BUS,
    TFAW,
    TICKET,
    WANTED,
    WANTED_AT,
    WINDOW,
    WINDOW_AT,
    WRITE_HIGH,
    WRITE_LOW,
    WRITING,
    WROTE,
)


@written_out
def turn(w: Words, ch: int) -> None:
    """Choose between reads and writes for the next command.

    What was chosen last is what the last command was for, so that it does not matter how often this is asked.
    """
    writes = w[ch + REQUESTS + 1]
    enough = writes > w[WRITE_LOW] if w[ch + WROTE] else writes >= w[WRITE_HIGH]
    w[ch + WRITING] = enough or (writes > 0 and w[ch + REQUESTS] == 0)


@inner
def _activate_ready(w: Words, bank: int, bus: int) -> int:
    rank = w[bank + RANK]
    window = w[rank + WINDOW + w[rank + WINDOW_AT]] + w[TFAW]
    return max(w[bank + ACTIVATE_FROM], w[w[bank + GROUP] + ACTIVATE_FROM], w[rank + ACTIVATE_FROM], window, bus)


@inner
def first_ready(w: Words, ch: int) -> None:
    """Find the first command that a queued request can get.

    Of those ready in the same cycle, reads and writes of open rows come first, then the oldest request.
    """
    d = w[ch + WRITING]
    column_bus = max(w[ch + NOW], w[ch + COLUMN_BUS])
    row_bus = max(w[ch + NOW], w[ch + ROW_BUS])
    column_at = NEVER
    column_entry = NONE
    row_at = NEVER
    row_entry = NONE
    row_command = ACTIVATE
    first = w[ch + WANTED_AT + d]
    for place in range(first, first + w[ch + WANTED + d]):
        bank = w[place]
        if w[bank + REFRESHING]:
            continue
        entry = w[bank + HIT + d]
        if entry != NONE and not (w[bank + BYPASSES] >= w[MOST_BYPASSES] and passed_over(w, bank, d)):
            at = max(
                w[bank + READ_FROM + d],
                w[w[bank + GROUP] + READ_FROM + d],
                w[w[bank + RANK] + READ_FROM + d],
                column_bus,
            )
            if at < column_at or (at == column_at and w[entry + TICKET] < w[column_entry + TICKET]):
                column_at = at
                column_entry = entry
            continue
        if w[bank + OPEN_ROW] == CLOSED:
            command = ACTIVATE
            entry = w[bank + OLDEST + d]
            at = _activate_ready(w, bank, row_bus)
        else:
            command = PRECHARGE
            entry = w[bank + CONFLICT + d]
            at = precharge_ready(w, bank, row_bus)
        if at < row_at or (at == row_at and w[entry + TICKET] < w[row_entry + TICKET]):
            row_at = at
            row_entry = entry
            row_command = command
    if column_at <= row_at:
        w[ch + NEXT_AT] = column_at
        w[ch + NEXT_COMMAND] = READ
        w[ch + NEXT_ENTRY] = column_entry
    else:
        w[ch + NEXT_AT] = row_at
        w[ch + NEXT_COMMAND] = row_command
        w[ch + NEXT_ENTRY] = row_entry


@called_once
def find_next(w: Words, ch: int, until: int) -> None:
    """Find the next command before cycle `until`.

    A refresh that becomes due before then begins to wait, and keeps other commands from its banks.
    """
    while True:
        turn(w, ch)
        first_ready(w, ch)
        w[ch + NEXT_RANK] = NONE
        if w[ch + REFRESHES_WAITING]:
            for rank in range(ch + w[RANKS_AT], ch + w[RANKS_AT] + w[RANKS] * RANK_WORDS, RANK_WORDS):
                if w[rank + REFRESH_WAITS]:
                    at, command, bank = refresh_ready(w, ch, rank)
                    if at <= w[ch + NEXT_AT]:  # a refresh goes before what is ready in the same cycle
                        w[ch + NEXT_AT] = at
                        w[ch + NEXT_COMMAND] = command
                        w[ch + NEXT_ENTRY] = bank
                        w[ch + NEXT_RANK] = rank
        if w[ch + FIRST_DUE] > w[ch + NEXT_AT] or w[ch + FIRST_DUE] >= until:
            return
        begin_to_wait(w, ch)
