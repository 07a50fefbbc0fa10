"""The controller's decisions, compiled: which command goes to which bank in which cycle.

Time does not pass cycle by cycle. Every queued request tells the first cycle in which its next command could be issued;
the least of these cycles is the next one in which anything happens, because no constraint gets looser in between and a
request that comes in between is looked at when it comes. So the result is that of a controller that looks at its queue
in every cycle, and the cost is that of the commands.

`t` are the rules, `w` the words of all records; `ch`, `rank`, `group`, `bank` and `entry` are the places of records in
`w`. All that is compiled lies in this one file, constants included, because what numba keeps on disk is thrown away
when the function's own file changes, and no other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba.np.unsafe.ndarray import to_fixed_tuple

from deltatrain.sim.dram.rules import Integers, Rules, State
from deltatrain.workloads.compiling import compiled

ACTIVATE, PRECHARGE, PRECHARGE_ALL, READ, READ_AUTO, WRITE, WRITE_AUTO = range(7)
REFRESH, REFRESH_BANK, REFRESH_SAME = range(7, 10)
COMMANDS = ("ACT", "PRE", "PREA", "RD", "RDA", "WR", "WRA", "REF", "REFpb", "REFsb")

NEVER = 1 << 61
"""A cycle that does not come."""
CLOSED = -1
"""In the place of the row of a bank that has none open."""

# All that is kept lies in one array of words, and a record is named by the place of its first word: `w[bank +
# OPEN_ROW]`. That is one array to hand from function to function, whatever is built; compiled Python counts references
# of every array that it hands on, which cost more than the controller's decisions.

# First words of the array: the next ticket; the last cycle of any acceptance; rows of `finished` and `commands` in use.
TICKETS, LAST_ACCEPTED, FINISHED_USED, COMMANDS_USED, SHARED_WORDS = range(5)

# A bank, a group and a rank begin with the first cycles in which they may take a command of each kind.
ACTIVATE_FROM, READ_FROM, WRITE_FROM, PRECHARGE_FROM, LIMITS = range(5)

# A bank: number in its group, its group, rank and data bus; the open row; when its last write is recovered; requests
# for the open row served before an older one for another row; whether it waits for a refresh; the last scans of the
# queue in which a request for the open row was seen, for a closed bank, for another row; whether no column followed the
# last activate; when the last refresh became due, and when it ended.
BANK_NUMBER, GROUP, RANK, DATA_BUS, OPEN_ROW, RECOVERED_FROM, BYPASSES, REFRESHING = range(LIMITS, LIMITS + 8)
HIT_SCAN, CLOSED_SCAN, CONFLICT_SCAN, IS_FRESH = range(REFRESHING + 1, REFRESHING + 5)
REFRESH_BEGAN, REFRESH_ENDED, BANK_WORDS = range(IS_FRESH + 1, IS_FRESH + 4)

# A group: its number in the rank.
GROUP_NUMBER, GROUP_WORDS = range(LIMITS, LIMITS + 2)

# A rank: its number, first bank and the first rank of its data bus; ring of the cycles of the last four activates, and
# the place of the first of them; when the next refresh may begin, when one is due, whether it waits, the set of banks
# that it is for, and the sets that have had their turn as bits; banks open; since when any was and until when, and for
# how many cycles before.
RANK_NUMBER, FIRST_BANK, FIRST_RANK, WINDOW = range(LIMITS, LIMITS + 4)
WINDOW_AT, REFRESH_FROM, REFRESH_DUE, REFRESH_WAITS, REFRESH_NEXT, REFRESHED = range(WINDOW + 4, WINDOW + 10)
OPEN_BANKS, OPENED, LAST_CLOSED, ACTIVE_CYCLES, RANK_WORDS = range(REFRESHED + 1, REFRESHED + 6)

# A data bus, one for each pseudo channel: requests queued for it, and since when any is; when it is free again, and
# whether it moved a write last.
QUEUED, PENDING_FROM, BUS_FREE_FROM, BUS_WROTE, DATA_BUS_WORDS = range(5)

# A channel: its number; the cycle advanced to; first free cycle of the buses for column and row commands; whether the
# next and the last command are for writes; reads and writes queued; number of the last scan; when a request that had to
# wait can enter; end of the last burst; of the reads and writes queued those whose row is not open; the first place
# that is free at its door, of which every cycle has as many as requests can come in; and what it counts.
CHANNEL_NUMBER, NOW, COLUMN_BUS, ROW_BUS, WRITING, WROTE, READS, WRITES, SCAN, DOOR_FROM, DATA_UNTIL = range(11)
READS_WITHOUT_ROW, WRITES_WITHOUT_ROW, FREE_PLACE = range(11, 14)
HITS, MISSES, CONFLICTS, ACTIVATES, PRECHARGES, REFRESHES = range(14, 20)
READ_BURSTS, WRITE_BURSTS, FORWARDED, MERGED = range(20, 24)
WAITED_REFRESH, WAITED_ROW, WAITED_TURN, WAITED_COLUMN, CHANNEL_WORDS = range(24, 29)

# A queued request; MET is how its row was found: hit, miss or conflict.
TICKET, ACCEPTED, BURST, BANK, ROW, MET, ENTRY_WORDS = range(7)

_HIT, _MISS, _CONFLICT = range(3)
_NONE = -1
_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    """Compile a function at its first call from compiled code. Python cannot call it: that would cost a third more."""
    return compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _called_from_python(function: _Function) -> _Function:
    """Compile a function at its first call, and keep what came out on disk."""
    return compiled(function, name="the memory model")


def _inlined(function: _Function) -> _Function:
    """Write a function out where it is called."""
    return compiled(function, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


# ------------------------------------------------------------------------------------- what a command changes


@_inlined
def _raise(w: Integers, at: int, value: int) -> None:
    if w[at] < value:
        w[at] = value


@_inlined
def _issued(t: Rules, x: State, ch: int, at: int, command: int, rank: int, bank: int, row: int) -> None:
    """Occupy the command bus from cycle `at` on, and write the command down if that is wanted."""
    w, log = x.words, x.commands
    _raise(w, ch + NOW, at)  # the other bus is free, but not in the past
    column = command in (READ, READ_AUTO, WRITE, WRITE_AUTO)
    clocks = t.activate_clocks if command == ACTIVATE else t.column_clocks if column else 1
    if column or not t.row_bus:
        w[ch + COLUMN_BUS] = at + clocks
    if not column or not t.row_bus:
        w[ch + ROW_BUS] = at + clocks
    if len(log):
        n = w[COMMANDS_USED]
        log[n, 0], log[n, 1], log[n, 2], log[n, 3] = at, command, w[ch + CHANNEL_NUMBER], w[rank + RANK_NUMBER]
        log[n, 4] = _NONE if bank == _NONE or command == REFRESH_SAME else w[w[bank + GROUP] + GROUP_NUMBER]
        log[n, 5] = _NONE if bank == _NONE else w[bank + BANK_NUMBER]
        log[n, 6] = row
        w[COMMANDS_USED] = n + 1


@_compiled
def _activate(t: Rules, w: Integers, ch: int, bank: int, row: int, at: int) -> None:
    rank = w[bank + RANK]
    w[bank + OPEN_ROW], w[bank + IS_FRESH] = row, 1
    w[bank + READ_FROM] = at + t.tRCDRD
    w[bank + WRITE_FROM] = at + t.tRCDWR
    w[bank + PRECHARGE_FROM] = at + t.tRAS
    w[bank + ACTIVATE_FROM] = at + t.tRC
    w[bank + BYPASSES] = 0
    w[w[bank + GROUP] + ACTIVATE_FROM] = at + t.tRRD_L
    _raise(w, rank + ACTIVATE_FROM, at + t.tRRD_S)
    w[rank + WINDOW + w[rank + WINDOW_AT]] = at
    w[rank + WINDOW_AT] = (w[rank + WINDOW_AT] + 1) % 4
    if w[rank + OPEN_BANKS] == 0 and at > w[rank + LAST_CLOSED]:
        w[rank + ACTIVE_CYCLES] += w[rank + LAST_CLOSED] - w[rank + OPENED]
        w[rank + OPENED] = at
    w[rank + OPEN_BANKS] += 1
    w[ch + ACTIVATES] += 1


@_compiled
def _close_row(w: Integers, ch: int, bank: int, at: int, free_from: int) -> None:
    """Note that a bank's row is closed by a precharge that begins in cycle `at`."""
    rank = w[bank + RANK]
    w[bank + OPEN_ROW] = CLOSED
    _raise(w, bank + ACTIVATE_FROM, free_from)
    w[rank + OPEN_BANKS] -= 1
    _raise(w, rank + LAST_CLOSED, at)
    w[ch + PRECHARGES] += 1


@_compiled
def _precharge(t: Rules, w: Integers, ch: int, bank: int, at: int) -> None:
    _close_row(w, ch, bank, at, at + t.tRP)
    w[w[bank + RANK] + PRECHARGE_FROM] = at + t.tPPD


@_inlined
def _column_timing(t: Rules, w: Integers, ch: int, bank: int, at: int, writing: int) -> None:
    """Keep later commands away from a read or write in cycle `at`."""
    rank, group = w[bank + RANK], w[bank + GROUP]
    if writing:
        same, other = WRITE_FROM, READ_FROM
        turn_l, turn_s, turn_other = t.write_to_read_l, t.write_to_read_s, t.write_to_read_other
        again_l = t.write_column_l
        again_other, recovery = t.write_to_write_other, t.write_to_precharge
        w[bank + RECOVERED_FROM] = at + recovery
    else:
        same, other = READ_FROM, WRITE_FROM
        turn_l, turn_s, turn_other = t.read_to_write, t.read_to_write, t.read_to_write_other
        again_l = t.column_l
        again_other, recovery = t.read_to_read_other, t.tRTP
    _raise(w, bank + PRECHARGE_FROM, at + recovery)
    _raise(w, group + same, at + again_l)
    _raise(w, group + other, at + turn_l)
    first = w[rank + FIRST_RANK]
    for n in range(t.bus_ranks):
        each = first + n * RANK_WORDS
        _raise(w, each + same, at + (t.column_s if each == rank else again_other))
        _raise(w, each + other, at + (turn_s if each == rank else turn_other))


@_inlined
def _first_place(t: Rules, ch: int, writing: int) -> int:
    """Return where the list of a queue's entries begins."""
    return ch + t.order_at + writing * t.depth


@_inlined
def _column(t: Rules, w: Integers, ch: int, place: int, at: int) -> int:
    """Read or write a burst of the entry listed at `place`, unlist it, and return the command."""
    writing = w[ch + WRITING]
    end = _first_place(t, ch, writing) + w[ch + READS + writing]
    entry = w[place]
    bank, row = w[entry + BANK], w[entry + ROW]
    more = False
    # Of requests that are younger only closed rows need to know.
    for n in range(_first_place(t, ch, writing), end if t.closed_policy else place):
        other = w[n]
        if n != place and w[other + BANK] == bank:
            if w[other + ROW] == row:
                more = True
            elif n < place:
                w[bank + BYPASSES] += 1
                break
    command: int = WRITE if writing else READ
    _column_timing(t, w, ch, bank, at, writing)
    # An auto-precharge begins inside the part as soon as tRAS allows; that of a read must not meet a write's recovery.
    if t.closed_policy and not more and (writing or w[bank + RECOVERED_FROM] <= at + t.tRTP):
        command += 1
        closes = w[bank + PRECHARGE_FROM]
        _close_row(w, ch, bank, closes, closes + t.tRP)
    w[ch + HITS + w[entry + MET]] += 1
    w[ch + READ_BURSTS + writing] += 1
    for n in range(place, end - 1):
        w[n] = w[n + 1]
    w[end - 1] = entry
    w[ch + READS + writing] -= 1
    w[w[bank + DATA_BUS] + QUEUED] -= 1
    return command


@_inlined
def _finish(x: State, ticket: int, accepted: int, done: int, write: int) -> None:
    n = x.words[FINISHED_USED]
    x.finished[n, 0], x.finished[n, 1], x.finished[n, 2], x.finished[n, 3] = ticket, accepted, done, write
    x.words[FINISHED_USED] = n + 1


@_compiled
def _first_to_close(t: Rules, w: Integers, rank: int) -> int:
    """Return the bank whose row can be closed first of the set that is refreshed next, or -1 if none is open."""
    first = w[rank + FIRST_BANK]
    found = _NONE
    for n in range(w[rank + REFRESH_NEXT], t.banks, t.refresh_sets):
        bank = first + n * BANK_WORDS
        if w[bank + OPEN_ROW] != CLOSED and (found == _NONE or w[bank + PRECHARGE_FROM] < w[found + PRECHARGE_FROM]):
            found = bank
    return found


@_compiled
def _refresh_step(t: Rules, w: Integers, ch: int, rank: int, command: int, at: int) -> int:
    """Do the next step of a refresh and return its bank, the first of several, or -1 if it is for all."""
    first: int = w[rank + FIRST_BANK]
    chosen: int = w[rank + REFRESH_NEXT]
    if command == PRECHARGE:
        bank: int = _first_to_close(t, w, rank)
        _precharge(t, w, ch, bank, at)
        return bank
    if command == PRECHARGE_ALL:
        for each in range(first, first + t.banks * BANK_WORDS, BANK_WORDS):
            if w[each + OPEN_ROW] != CLOSED:
                _close_row(w, ch, each, at, at + t.tRPab)
        return _NONE
    due = w[rank + REFRESH_DUE]
    w[rank + REFRESH_DUE] = due + t.refresh_interval
    w[rank + REFRESH_WAITS] = 0
    w[ch + REFRESHES] += 1
    for n in range(chosen, t.banks, t.refresh_sets):
        each = first + n * BANK_WORDS
        w[each + ACTIVATE_FROM] = at + t.refresh
        w[each + REFRESH_BEGAN], w[each + REFRESH_ENDED] = due, at + t.refresh
        w[each + REFRESHING] = 0
    if command == REFRESH:
        return _NONE
    _raise(w, rank + ACTIVATE_FROM, at + t.refresh_to_activate)
    w[rank + REFRESH_FROM] = at + t.refresh
    w[rank + REFRESHED] += 1 << chosen
    if w[rank + REFRESHED] == (1 << t.refresh_sets) - 1:
        w[rank + REFRESHED] = 0
    return first + chosen * BANK_WORDS


# ---------------------------------------------------------------------------------------- what comes next


@_inlined
def _turn(t: Rules, w: Integers, ch: int) -> None:
    """Choose between reads and writes for the next command.

    What was chosen last is what the last command was for, so that it does not matter how often this is asked.
    """
    reads, writes = w[ch + READS], w[ch + WRITES]
    if w[ch + WROTE]:
        w[ch + WRITING] = writes > t.write_low or (writes > 0 and reads == 0)
    else:
        w[ch + WRITING] = writes >= t.write_high or (writes > 0 and reads == 0)


@_compiled
def _refreshes(t: Rules, w: Integers, bank: int) -> bool:
    """Tell whether a bank must wait for a refresh that is due."""
    return w[bank + REFRESHING] != 0 or (w[w[bank + RANK] + REFRESH_WAITS] != 0 and t.refresh_command == REFRESH)


@_inlined
def _column_ready(w: Integers, bank: int, direction: int, bus: int) -> int:
    at: int = max(w[bank + direction], w[w[bank + GROUP] + direction], w[w[bank + RANK] + direction], bus)
    return at


@_compiled
def _activate_ready(t: Rules, w: Integers, bank: int, bus: int) -> int:
    rank = w[bank + RANK]
    window = w[rank + WINDOW + w[rank + WINDOW_AT]] + t.tFAW
    at: int = max(w[bank + ACTIVATE_FROM], w[w[bank + GROUP] + ACTIVATE_FROM], w[rank + ACTIVATE_FROM], window, bus)
    return at


@_compiled
def _precharge_ready(w: Integers, bank: int, bus: int) -> int:
    at: int = max(w[bank + PRECHARGE_FROM], w[w[bank + RANK] + PRECHARGE_FROM], bus)
    return at


@_inlined
def _oldest_ready(t: Rules, w: Integers, ch: int) -> int:
    """Return the cycle of the oldest request's column command if it is certain to come first, else `NEVER`.

    It is if all that is queued wants an open row and the buses, which all need, keep the oldest longer than its bank.
    """
    writing = w[ch + WRITING]
    if w[ch + READS + writing] == 0 or w[ch + READS_WITHOUT_ROW + writing]:
        return NEVER
    direction = READ_FROM + writing
    bank = w[w[_first_place(t, ch, writing)] + BANK]
    bus = max(w[ch + NOW], w[ch + COLUMN_BUS])
    at = _column_ready(w, bank, direction, bus)
    for n in range(t.ranks):
        rank = ch + t.ranks_at + n * RANK_WORDS
        if w[rank + REFRESH_WAITS] or at > max(bus, w[rank + direction]):
            return NEVER
    return at


@_inlined
def _first_due(t: Rules, w: Integers, ch: int) -> int:
    """Return when the next refresh becomes due."""
    due = NEVER
    for n in range(t.ranks):
        due = min(due, w[ch + t.ranks_at + n * RANK_WORDS + REFRESH_DUE])
    return due


@_compiled
def _first_ready(t: Rules, w: Integers, ch: int) -> tuple[int, int, int]:
    """Return (cycle, command, place of the entry in the list) of the first command that a queued request can get.

    Of those ready in the same cycle, reads and writes of open rows come first, then the oldest request.
    """
    direction = READ_FROM + w[ch + WRITING]
    w[ch + SCAN] += 1
    scan = w[ch + SCAN]
    column_bus, row_bus = max(w[ch + NOW], w[ch + COLUMN_BUS]), max(w[ch + NOW], w[ch + ROW_BUS])
    column_at, column_place, row_at, row_place, row_command = NEVER, 0, NEVER, 0, ACTIVATE
    conflicts = ch + t.conflicts_at
    first = _first_place(t, ch, w[ch + WRITING])
    before, row_before = _NONE, _NONE
    for place in range(first, first + w[ch + READS + w[ch + WRITING]]):
        entry = w[place]
        bank = w[entry + BANK]
        if bank == before and w[entry + ROW] == row_before:
            continue  # whatever holds for the request before holds for this one, which is younger
        before, row_before = bank, w[entry + ROW]
        open_row = w[bank + OPEN_ROW]
        if open_row == w[entry + ROW]:
            passed_over = w[bank + CONFLICT_SCAN] == scan and w[bank + BYPASSES] >= t.most_bypasses
            if w[bank + HIT_SCAN] == scan or passed_over:
                continue
            w[bank + HIT_SCAN] = scan
            at = _column_ready(w, bank, direction, column_bus)
            if at < column_at and not _refreshes(t, w, bank):
                column_at, column_place = at, place
        elif open_row == CLOSED:
            if w[bank + CLOSED_SCAN] == scan:
                continue
            w[bank + CLOSED_SCAN] = scan
            at = _activate_ready(t, w, bank, row_bus)
            if at < row_at and not _refreshes(t, w, bank):
                row_at, row_place, row_command = at, place, ACTIVATE
        elif w[bank + CONFLICT_SCAN] != scan:
            w[bank + CONFLICT_SCAN] = scan
            w[conflicts] = place
            conflicts += 1
    # Whether a row may be closed is known only when the whole queue has been looked for requests that want it.
    for n in range(ch + t.conflicts_at, conflicts):
        place = w[n]
        bank = w[w[place] + BANK]
        if w[bank + HIT_SCAN] != scan and not _refreshes(t, w, bank):
            at = _precharge_ready(w, bank, row_bus)
            if at < row_at or (at == row_at and place < row_place):
                row_at, row_place, row_command = at, place, PRECHARGE
    if column_at <= row_at:
        return column_at, READ, column_place
    return row_at, row_command, row_place


@_compiled
def _refresh_ready(t: Rules, w: Integers, ch: int, rank: int) -> tuple[int, int]:
    """Return (cycle, command) of the next step of a rank whose refresh is due."""
    at = max(max(w[ch + NOW], w[ch + ROW_BUS]), w[rank + REFRESH_DUE])
    first = w[rank + FIRST_BANK]
    if t.refresh_command != REFRESH:
        bank = _first_to_close(t, w, rank)
        if bank != _NONE:
            return _precharge_ready(w, bank, at), PRECHARGE
        for n in range(w[rank + REFRESH_NEXT], t.banks, t.refresh_sets):
            bank = first + n * BANK_WORDS
            at = max(at, max(w[bank + ACTIVATE_FROM], w[w[bank + GROUP] + ACTIVATE_FROM]))
        return max(at, max(w[rank + ACTIVATE_FROM], w[rank + REFRESH_FROM])), t.refresh_command
    at = max(at, w[rank + LAST_CLOSED])  # a precharge of all banks must not meet one that a bank makes by itself
    for bank in range(first, first + t.banks * BANK_WORDS, BANK_WORDS):
        if w[rank + OPEN_BANKS] == 0:
            at = max(at, w[bank + ACTIVATE_FROM])
        elif w[bank + OPEN_ROW] != CLOSED:
            at = _precharge_ready(w, bank, at)
    return at, PRECHARGE_ALL if w[rank + OPEN_BANKS] else REFRESH


@_compiled
def _choose_set(t: Rules, w: Integers, ch: int, rank: int) -> None:
    """Let the set of banks that the fewest requests want be refreshed next, of those that have not had their turn.

    The standards leave the order to the controller, as long as each bank has its turn before any has its next one. A
    fixed order can fall into step with a stream of addresses and be in its way all the time.
    """
    first, wanted = w[rank + FIRST_BANK], ch + t.conflicts_at
    for n in range(t.refresh_sets):
        w[wanted + n] = 0
    for writing in range(2):
        listed = _first_place(t, ch, writing)
        for place in range(listed, listed + w[ch + READS + writing]):
            n = (w[w[place] + BANK] - first) // BANK_WORDS
            if 0 <= n < t.banks:
                w[wanted + n % t.refresh_sets] += 1
    least = NEVER
    for n in range(t.refresh_sets):
        if not w[rank + REFRESHED] >> n & 1 and w[wanted + n] < least:
            least = w[wanted + n]
            w[rank + REFRESH_NEXT] = n
    for n in range(w[rank + REFRESH_NEXT], t.banks, t.refresh_sets):
        w[first + n * BANK_WORDS + REFRESHING] = 1


@_compiled
def _next(t: Rules, w: Integers, ch: int, until: int) -> tuple[int, int, int, int]:
    """Return (cycle, command, place in the list, rank of a refresh or -1) of the next command before cycle `until`.

    A refresh that becomes due before then begins to wait, and keeps other commands from its banks.
    """
    while True:
        _turn(t, w, ch)
        at, command, place = _oldest_ready(t, w, ch), READ, _first_place(t, ch, w[ch + WRITING])
        if at == NEVER:
            at, command, place = _first_ready(t, w, ch)
        refreshed, due_rank, due = _NONE, ch + t.ranks_at, NEVER
        for n in range(t.ranks):
            rank = ch + t.ranks_at + n * RANK_WORDS
            if w[rank + REFRESH_WAITS]:
                step_at, step = _refresh_ready(t, w, ch, rank)
                if step_at <= at:  # a refresh goes before what is ready in the same cycle
                    at, command, refreshed = step_at, step, rank
            elif w[rank + REFRESH_DUE] < due:
                due, due_rank = w[rank + REFRESH_DUE], rank
        if due > at or due >= until:
            return at, command, place, refreshed
        w[due_rank + REFRESH_WAITS] = 1
        if t.refresh_command != REFRESH:
            _choose_set(t, w, ch, due_rank)


@_compiled
def _count_without_row(t: Rules, w: Integers, ch: int) -> None:
    """Count the requests whose row is not open, after a command that opened or closed one."""
    for writing in range(2):
        first, count = _first_place(t, ch, writing), 0
        for place in range(first, first + w[ch + READS + writing]):
            entry = w[place]
            count += w[w[entry + BANK] + OPEN_ROW] != w[entry + ROW]
        w[ch + READS_WITHOUT_ROW + writing] = count


@_inlined
def _explain_wait(t: Rules, w: Integers, ch: int, bank: int, at: int, begin: int) -> None:
    """Count the cycles in which a data bus idled with requests queued for it, by cause.

    They end in cycle `begin` with the burst of the column that is issued in cycle `at`. That burst decides the cause.
    Cycles in which a refresh was due, or kept the burst's bank, count as refresh. The others all have one cause: the
    row, if the bank was opened for this burst; else the turn-round, if data went the other way before; else the least
    distance between columns or between activates.
    """
    lead, writing = begin - at, w[ch + WRITING]
    bus = w[bank + DATA_BUS]
    since = max(w[bus + BUS_FREE_FROM], w[bus + PENDING_FROM] + lead)
    if begin > since:
        refreshed = min(at, w[bank + REFRESH_ENDED]) - max(since - lead, w[bank + REFRESH_BEGAN])
        refreshed = max(refreshed, 0)
        w[ch + WAITED_REFRESH] += refreshed
        cause = WAITED_COLUMN
        if w[bank + IS_FRESH]:
            cause = WAITED_ROW
        elif w[bus + BUS_WROTE] != writing:
            cause = WAITED_TURN
        w[ch + cause] += begin - since - refreshed
    w[bank + IS_FRESH] = 0
    w[bus + BUS_FREE_FROM], w[bus + BUS_WROTE] = begin + t.burst, writing


@_inlined
def _serve_entry(t: Rules, x: State, ch: int, place: int, at: int) -> None:
    """Read or write the burst of the entry listed at `place`, which is in an open row, in cycle `at`."""
    w = x.words
    writing, entry = w[ch + WRITING], w[place]
    bank, row = w[entry + BANK], w[entry + ROW]
    w[ch + WROTE] = writing
    done = at + (t.write_latency if writing else t.read_latency)
    _raise(w, ch + DATA_UNTIL, done)
    _explain_wait(t, w, ch, bank, at, done - t.burst)
    _finish(x, w[entry + TICKET], w[entry + ACCEPTED], done, writing)
    command = _column(t, w, ch, place, at)
    if command not in (READ, WRITE):
        _count_without_row(t, w, ch)
    _issued(t, x, ch, at, command, w[bank + RANK], bank, row)


@_compiled
def _step(t: Rules, x: State, ch: int, until: int) -> int:
    """Issue the next command of a channel if it comes before cycle `until`; return its cycle, or else `NEVER`."""
    w = x.words
    at, command, place, rank = _next(t, w, ch, until)
    if at >= until:
        return NEVER
    if rank != _NONE:
        row = _NONE
        if command == PRECHARGE:
            row = w[_first_to_close(t, w, rank) + OPEN_ROW]
        bank = _refresh_step(t, w, ch, rank, command, at)
        _count_without_row(t, w, ch)
        _issued(t, x, ch, at, command, rank, bank, row)
        return at
    w[ch + WROTE] = w[ch + WRITING]
    entry = w[place]
    bank, row = w[entry + BANK], w[entry + ROW]
    if command == ACTIVATE:
        _raise(w, entry + MET, _MISS)
        _activate(t, w, ch, bank, row, at)
    elif command == PRECHARGE:
        w[entry + MET] = _CONFLICT
        row = w[bank + OPEN_ROW]
        _precharge(t, w, ch, bank, at)
    else:
        _serve_entry(t, x, ch, place, at)
        return at
    _count_without_row(t, w, ch)
    _issued(t, x, ch, at, command, w[bank + RANK], bank, row)
    return at


@_compiled
def _pass_hits(t: Rules, x: State, ch: int, until: int) -> None:
    """Issue columns before cycle `until` as `_step` does, while it is certain that the oldest request is next."""
    w = x.words
    while _has_room(x):
        _turn(t, w, ch)
        at = _oldest_ready(t, w, ch)
        if at >= until or at >= _first_due(t, w, ch):
            break
        _serve_entry(t, x, ch, _first_place(t, ch, w[ch + WRITING]), at)


# ---------------------------------------------------------------------------------------- requests come in


@_compiled
def _queued(t: Rules, w: Integers, ch: int, burst: int, write: int) -> bool:
    """Tell whether a request for a burst is in the queue of reads or of writes."""
    first = _first_place(t, ch, write)
    found = False
    for place in range(first, first + w[ch + READS + write]):
        found = found or w[w[place] + BURST] == burst
    return found


@_compiled
def _takes(t: Rules, w: Integers, ch: int, burst: int, write: int) -> bool:
    """Tell whether a channel can take a request: room in its queue, and no older read that a write would overtake."""
    if write and _queued(t, w, ch, burst, 0):
        return False
    most = t.writes_most if write else t.reads_most
    return w[ch + READS + write] < most or _queued(t, w, ch, burst, 1)


@_inlined
def _door_open(t: Rules, w: Integers, ch: int, cycle: int) -> int:
    """Return the first cycle from `cycle` on in which one more request can come in at a channel's door."""
    at: int = max(cycle, w[ch + FREE_PLACE] // t.accepts, w[ch + DOOR_FROM], w[ch + NOW])
    return at


@_inlined
def _pass_door(t: Rules, w: Integers, ch: int, at: int) -> None:
    """Note that a request came in at a channel's door in cycle `at`."""
    w[ch + FREE_PLACE] = max(w[ch + FREE_PLACE], at * t.accepts) + 1
    _raise(w, LAST_ACCEPTED, at)


@_compiled
def _enter(t: Rules, x: State, ch: int, at: int, burst: int, bank: int, row: int, write: int) -> None:
    """Queue a request. A read that a queued write answers and a write that replaces one never reach the banks."""
    w = x.words
    if _queued(t, w, ch, burst, 1):
        w[ch + FORWARDED + write] += 1
        _raise(w, ch + DATA_UNTIL, at + 1)
        _finish(x, w[TICKETS], at, at + 1, write)
        w[TICKETS] += 1
        _pass_door(t, w, ch, at)
    else:
        _list(t, w, ch, at, burst, bank, row, write)


@_inlined
def _list(t: Rules, w: Integers, ch: int, at: int, burst: int, bank: int, row: int, write: int) -> None:
    """Queue a request of a burst that no write is queued for."""
    ticket = w[TICKETS]
    w[TICKETS] = ticket + 1
    _pass_door(t, w, ch, at)
    bus = w[bank + DATA_BUS]
    if w[bus + QUEUED] == 0:
        w[bus + PENDING_FROM] = at
    w[bus + QUEUED] += 1
    entry = w[_first_place(t, ch, write) + w[ch + READS + write]]
    w[entry + TICKET], w[entry + ACCEPTED], w[entry + BURST] = ticket, at, burst
    w[entry + BANK], w[entry + ROW], w[entry + MET] = bank, row, _HIT
    w[ch + READS + write] += 1
    w[ch + READS_WITHOUT_ROW + write] += w[bank + OPEN_ROW] != row


@_inlined
def _has_room(x: State) -> bool:
    """Tell whether a further command can be written down."""
    return len(x.commands) == 0 or x.words[COMMANDS_USED] < len(x.commands)


@_compiled
def _admit(t: Rules, x: State, cycle: int, burst: int, ch: int, bank: int, row: int, write: int) -> bool:
    """Take a request as soon as its cycle has come, its channel can take it and has a place at the door.

    Return False, and take nothing, if the log was full before.
    """
    w = x.words
    at = _door_open(t, w, ch, cycle)
    takes = _takes(t, w, ch, burst, write)
    while True:
        if not _has_room(x):
            return False
        issued = _step(t, x, ch, at if takes else NEVER)
        if issued == NEVER:
            _raise(w, ch + NOW, at)
            break
        # Room stays until the request is in; a write that would have answered it may have left the queue.
        takes = _takes(t, w, ch, burst, write)
        if issued >= at:
            at = issued + 1
            w[ch + DOOR_FROM] = at
            if takes and not t.row_bus:
                break  # else the other bus may have a command in the cycle in which room was made
    _enter(t, x, ch, at, burst, bank, row, write)
    return True


@_inlined
def _is_new(t: Rules, w: Integers, ch: int, burst: int, end: int) -> bool:
    """Tell whether no burst from `burst` on and before `end` is queued."""
    found = False
    for writing in range(2):
        first = _first_place(t, ch, writing)
        for place in range(first, first + w[ch + READS + writing]):
            found = found or burst <= w[w[place] + BURST] < end
    return not found


@_compiled
def _admit_neighbours(
    t: Rules, x: State, done: Integers, cycle: int, burst: int, end: int, ch: int, bank: int, row: int, write: int
) -> int:
    """Take bursts of one row, from `burst` on and before `end`, as `_admit` does, as long as only columns are issued.

    Return the first that was not taken.
    """
    w = x.words
    if not _is_new(t, w, ch, burst, end):
        return burst
    most = t.writes_most if write else t.reads_most
    while burst < end:
        at = _door_open(t, w, ch, cycle)
        while True:
            room = w[ch + READS + write] < most
            until = at if room else NEVER
            _turn(t, w, ch)
            issued = _oldest_ready(t, w, ch)
            sure = issued < NEVER or w[ch + READS] + w[ch + WRITES] == 0
            if not (sure and _has_room(x)) or _first_due(t, w, ch) <= min(issued, until):
                return burst
            if issued >= until:
                _raise(w, ch + NOW, at)
                break
            _serve_entry(t, x, ch, _first_place(t, ch, w[ch + WRITING]), issued)
            if issued >= at:
                at = issued + 1
                w[ch + DOOR_FROM] = at
                if w[ch + READS + write] < most and not t.row_bus:
                    break
        done[w[TICKETS] & (len(done) - 1)] = NEVER
        _list(t, w, ch, at, burst, bank, row, write)
        burst += 1
    return burst


@_compiled
def _serve(t: Rules, x: State, cycles: Integers, places: Integers, writes: Integers) -> int:
    """Hand over requests in order. Return how many were taken: all of them, unless the log was full before."""
    for n in range(len(cycles)):
        if not _admit(t, x, cycles[n], places[0, n], places[1, n], places[2, n], places[3, n], writes[n]):
            return n
    return len(cycles)


@_compiled
def _let_pass(t: Rules, x: State, channels: Integers, until: int) -> bool:
    """Issue all commands before cycle `until`, or all that queued requests need if that is `NEVER`.

    Return False if the log was full before.
    """
    w = x.words
    for ch in channels:
        while True:
            _pass_hits(t, x, ch, until)
            if until == NEVER and w[ch + READS] + w[ch + WRITES] == 0:
                break
            if not _has_room(x):
                return False
            if _step(t, x, ch, until) == NEVER:
                break
        if until < NEVER:
            _raise(w, ch + NOW, until)
    return True


@_called_from_python
def run(
    t: Rules, x: State, channels: Integers, cycles: Integers, places: Integers, writes: Integers, until: int
) -> tuple[int, bool]:
    """Hand over requests and then let time pass until a cycle, or until all is served if that is `NEVER`.

    Parameters
    ----------
    t, x, channels
        Rules, state, places of the channels.
    cycles, places, writes
        (N,) when each request is offered first; (4, N) burst, channel, bank, row; (N,) 1 for a write.
    until
        Zero lets no further time pass.

    Returns
    -------
    How many requests were taken, and whether all was done. If not, the log was full: empty it and go on.
    """
    taken = _serve(t, x, cycles, places, writes)
    return taken, taken == len(cycles) and (until == 0 or _let_pass(t, x, channels, until))


@_called_from_python
def offer(t: Rules, x: State, cycle: int, place: Integers, write: int) -> bool:
    """Take one request in a cycle that was advanced to, if its channel can take it; tell whether it was taken."""
    burst, ch, bank, row = place
    at = max(cycle, x.words[ch + NOW])
    if at < x.words[ch + FREE_PLACE] // t.accepts or not _takes(t, x.words, ch, burst, write):
        return False
    _enter(t, x, ch, at, burst, bank, row, write)
    return True


@_called_from_python
def next_event(t: Rules, x: State, channels: Integers) -> int:
    """Return the first cycle in which a command is issued or a refresh becomes due, if no request comes before."""
    w, found = x.words, NEVER
    for ch in channels:
        _turn(t, w, ch)
        at, _, _ = _first_ready(t, w, ch)
        found = min(found, at)
        for n in range(t.ranks):
            rank = ch + t.ranks_at + n * RANK_WORDS
            if w[rank + REFRESH_WAITS]:
                at, _ = _refresh_ready(t, w, ch, rank)
                found = min(found, at)
            else:
                found = min(found, w[rank + REFRESH_DUE])
    return found


# ---------------------------------------------------------------------------------------- transfers of many bursts


_RULES = len(Rules._fields)
_unpacked = cast(Callable[[Integers, int], tuple[int, ...]], to_fixed_tuple)


@_inlined
def _note(x: State, done: Integers) -> None:
    """Note when reads were finished, and empty the log of what was."""
    for n in range(x.words[FINISHED_USED]):
        if x.finished[n, 3] == 0:
            done[x.finished[n, 0] & (len(done) - 1)] = x.finished[n, 2]
    x.words[FINISHED_USED] = 0


@_called_from_python
def hand_over(
    rules: Integers,
    words: Integers,
    finished: Integers,
    commands: Integers,
    fields: Integers,
    done: Integers,
    cycle: int,
    burst: int,
    count: int,
    write: int,
) -> int:
    """Hand over neighbouring bursts in order, each offered from a cycle on, and let time pass until all are taken.

    Nothing that is handed over later can change what happens until then, because each channel takes its requests in
    order.

    Parameters
    ----------
    rules, words, finished, commands
        What `Rules` and `State` are made of, one by one, because Python hands over plain arrays ten times faster.
    fields
        (F, 4) from the lowest field of the address to the highest: its size, and what one more of it adds to the place
        of the channel, to that of the bank, and to the row. The places of the first channel and bank, and row 0, are in
        the last, of size 0.
    done
        Ring, a power of two long, of the cycles in which reads are finished by their tickets; NEVER until then.
    cycle, burst, count, write
        When they are offered; number of the first burst; how many there are; 1 for writes.

    Returns
    -------
    How many were taken: all, unless the log was full before.
    """
    t, x = Rules(*_unpacked(rules, _RULES)), State(words, finished, commands)
    w, last = words, len(fields) - 1
    n = 0
    while n < count:
        rest, ch, bank, row = burst + n, fields[last, 1], fields[last, 2], fields[last, 3]
        for f in range(last):
            value = rest % fields[f, 0]
            rest //= fields[f, 0]
            ch += value * fields[f, 1]
            bank += value * fields[f, 2]
            row += value * fields[f, 3]
        lowest = last and fields[0, 1] == 0 and fields[0, 2] == 0 and fields[0, 3] == 0
        end = min(count, n + fields[0, 0] - (burst + n) % fields[0, 0] if lowest else n + 1)
        while n < end:
            n = _admit_neighbours(t, x, done, cycle, burst + n, burst + end, ch, bank, row, write) - burst
            _note(x, done)
            if n < end:
                done[w[TICKETS] & (len(done) - 1)] = NEVER
                if not _admit(t, x, cycle, burst + n, ch, bank, row, write):
                    return n
                _note(x, done)
                n += 1
    return count


@_called_from_python
def let_pass_for(
    rules: Integers,
    words: Integers,
    finished: Integers,
    commands: Integers,
    channels: Integers,
    done: Integers,
    until: int,
    ticket: int,
    end: int,
) -> tuple[int, int, bool]:
    """Let time pass until a cycle, or until all reads from `ticket` on and before `end` are finished.

    When the reads are finished, no channel has passed the cycle in which the data of the last one are there. So whoever
    makes a request because of these data can still make it. With an `end` before `ticket` only the cycle counts.

    Returns
    -------
    The first ticket that is not finished, or `end`; a cycle before which the command that finishes the last one is not
    issued; and whether all was done, or the log was full before.
    """
    t, x = Rules(*_unpacked(rules, _RULES)), State(words, finished, commands)
    w, now, going = words, NEVER, True
    for ch in channels:
        now = min(now, w[ch + NOW])
    while True:
        while ticket < end and done[ticket & (len(done) - 1)] != NEVER:
            ticket += 1
        if ticket == end or now >= until or not going:
            break
        now = until if end < ticket else min(until, now + t.read_latency)
        going = _let_pass(t, x, channels, now)
        _note(x, done)
    missing = 0
    for n in range(ticket, min(end, ticket + 2 * len(channels) * t.depth)):
        missing += done[n & (len(done) - 1)] == NEVER
    return ticket, now + ((missing - 1) // len(channels)) * t.column_s, going
