"""What a command changes: from when on banks, groups, ranks and buses take the next one, and the log of commands."""

from __future__ import annotations

from deltatrain.sim.dram.inner import Words, inner, written_out
from deltatrain.sim.dram.queue import close_row, open_row
from deltatrain.sim.dram.words import (
    ACTIVATE,
    ACTIVATE_CLOCKS,
    ACTIVATE_FROM,
    ACTIVATES,
    ACTIVE_CYCLES,
    BANK_NUMBER,
    BUS_RANKS,
    BYPASSES,
    CHANNEL_NUMBER,
    COLUMN_BUS,
    COLUMN_CLOCKS,
    COLUMN_L,
    COLUMN_S,
    COMMAND_WORDS,
    COMMANDS_AT,
    COMMANDS_ROOM,
    COMMANDS_USED,
    FIRST_RANK,
    GROUP,
    GROUP_NUMBER,
    HAS_ROW_BUS,
    IS_FRESH,
    LAST_CLOSED,
    NONE,
    NOW,
    OPEN_BANKS,
    OPENED,
    PRECHARGE_FROM,
    PRECHARGES,
    RANK,
    RANK_NUMBER,
    RANK_WORDS,
    READ,
    READ_FROM,
    READ_TO_READ_OTHER,
    READ_TO_WRITE_L,
    READ_TO_WRITE_OTHER,
    READ_TO_WRITE_S,
    RECOVERED_FROM,
    REFRESH_SAME,
    ROW_BUS,
    TPPD,
    TRAS,
    TRC,
    TRCDRD,
    TRCDWR,
    TRP,
    TRRD_L,
    TRRD_S,
    TRTP,
    WINDOW,
    WINDOW_AT,
    WRITE_AUTO,
    WRITE_FROM,
)


@written_out
def lift(w: Words, at: int, value: int) -> None:
    """Raise a word to a value, if it is less."""
    if w[at] < value:
        w[at] = value


@inner
def issue(w: Words, ch: int, at: int, command: int, rank: int, bank: int, row: int) -> None:
    """Occupy the command bus from cycle `at` on, and write the command down if that is wanted."""
    lift(w, ch + NOW, at)  # the other bus is free, but not in the past
    column = READ <= command <= WRITE_AUTO
    clocks = w[COLUMN_CLOCKS] if column else w[ACTIVATE_CLOCKS] if command == ACTIVATE else 1
    if column or not w[HAS_ROW_BUS]:
        w[ch + COLUMN_BUS] = at + clocks
    if not column or not w[HAS_ROW_BUS]:
        w[ch + ROW_BUS] = at + clocks
    if w[COMMANDS_ROOM]:
        note = w[COMMANDS_AT] + COMMAND_WORDS * w[COMMANDS_USED]
        w[COMMANDS_USED] += 1
        w[note] = at
        w[note + 1] = command
        w[note + 2] = w[ch + CHANNEL_NUMBER]
        w[note + 3] = w[rank + RANK_NUMBER]
        w[note + 4] = -1 if bank == NONE or command == REFRESH_SAME else w[w[bank + GROUP] + GROUP_NUMBER]
        w[note + 5] = -1 if bank == NONE else w[bank + BANK_NUMBER]
        w[note + 6] = row


@written_out
def has_room(w: Words) -> bool:
    """Tell whether a further command can be written down."""
    return w[COMMANDS_ROOM] == 0 or w[COMMANDS_USED] < w[COMMANDS_ROOM]


@inner
def activate(w: Words, ch: int, bank: int, row: int, at: int) -> None:
    """Open a row in cycle `at`."""
    rank = w[bank + RANK]
    open_row(w, bank, row)
    w[bank + IS_FRESH] = 1
    w[bank + READ_FROM] = at + w[TRCDRD]
    w[bank + WRITE_FROM] = at + w[TRCDWR]
    w[bank + PRECHARGE_FROM] = at + w[TRAS]
    w[bank + ACTIVATE_FROM] = at + w[TRC]
    w[bank + BYPASSES] = 0
    w[w[bank + GROUP] + ACTIVATE_FROM] = at + w[TRRD_L]
    lift(w, rank + ACTIVATE_FROM, at + w[TRRD_S])
    w[rank + WINDOW + w[rank + WINDOW_AT]] = at
    w[rank + WINDOW_AT] = (w[rank + WINDOW_AT] + 1) & 3
    if w[rank + OPEN_BANKS] == 0 and at > w[rank + LAST_CLOSED]:
        w[rank + ACTIVE_CYCLES] += w[rank + LAST_CLOSED] - w[rank + OPENED]
        w[rank + OPENED] = at
    w[rank + OPEN_BANKS] += 1
    w[ch + ACTIVATES] += 1


@inner
def close(w: Words, ch: int, bank: int, at: int, free_from: int) -> None:
    """Note that a bank's row is closed by a precharge that begins in cycle `at`."""
    rank = w[bank + RANK]
    close_row(w, bank)
    lift(w, bank + ACTIVATE_FROM, free_from)
    w[rank + OPEN_BANKS] -= 1
    lift(w, rank + LAST_CLOSED, at)
    w[ch + PRECHARGES] += 1


@written_out
def precharge(w: Words, ch: int, bank: int, at: int) -> None:
    """Close a bank's row by a command in cycle `at`."""
    close(w, ch, bank, at, at + w[TRP])
    w[w[bank + RANK] + PRECHARGE_FROM] = at + w[TPPD]


@inner
def keep_columns_apart(w: Words, bank: int, d: int, at: int) -> None:
    """Keep later commands away from a read or write in cycle `at`."""
    rank = w[bank + RANK]
    group = w[bank + GROUP]
    same = READ_FROM + d
    other = WRITE_FROM - d
    recovered = at + w[TRTP + d]
    if d:
        w[bank + RECOVERED_FROM] = recovered
    lift(w, bank + PRECHARGE_FROM, recovered)
    lift(w, group + same, at + w[COLUMN_L + d])
    lift(w, group + other, at + w[READ_TO_WRITE_L + d])
    lift(w, rank + same, at + w[COLUMN_S])
    lift(w, rank + other, at + w[READ_TO_WRITE_S + d])
    if w[BUS_RANKS] > 1:
        first = w[rank + FIRST_RANK]
        for each in range(first, first + w[BUS_RANKS] * RANK_WORDS, RANK_WORDS):
            if each != rank:
                lift(w, each + same, at + w[READ_TO_READ_OTHER + d])
                lift(w, each + other, at + w[READ_TO_WRITE_OTHER + d])
