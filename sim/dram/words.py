"""Where everything that the kernel works on lies: one array of 64-bit words, in which a record is named by its place.

`w[bank + OPEN_ROW]` is the open row of the bank whose record begins with the word `bank`. `ch`, `rank`, `group`, `bus`
and `entry` are places, too. A place is never 0, so 0 stands for none. That is one pointer to hand from function to
function, whatever is built.

A pair of words, or of rules, is of reads and of writes: `w[bank + HIT + d]` is that of direction `d`, 0 for reads.
"""

from __future__ import annotations

from deltatrain.sim.dram.rules import Rules

ACTIVATE, PRECHARGE, PRECHARGE_ALL, READ, READ_AUTO, WRITE, WRITE_AUTO = range(7)
REFRESH, REFRESH_BANK, REFRESH_SAME = range(7, 10)
COMMANDS = ("ACT", "PRE", "PREA", "RD", "RDA", "WR", "WRA", "REF", "REFpb", "REFsb")

NEVER = 1 << 61
"""A cycle that does not come."""
CLOSED = -1
"""In the place of the row of a bank that has none open."""
NONE = 0
"""In the place of a record that is not there."""

# First words of the array. The next ticket; the last cycle of any acceptance.
TICKETS, LAST_ACCEPTED = range(2)
# The log of what was finished, and that of commands: first word, rows in use; the commands that there is room for.
FINISHED_AT, FINISHED_USED, COMMANDS_AT, COMMANDS_USED, COMMANDS_ROOM = range(2, 7)
# The ring of the cycles in which reads are finished: first word; its length, a power of two, less one; -1 without one.
DONE_AT, DONE_MASK = range(7, 9)
# Where channels begin, the words of each, and how many there are.
CHANNELS_AT, CHANNEL_SIZE, CHANNELS = range(9, 12)
# The fields of the address, from the lowest, of more than one value: first word, and how many.
FIELDS_AT, FIELDS = range(12, 14)
# The burst whose place was found last, the value of its lowest field, its channel, bank and row.
FOUND_BURST, FOUND_LOWEST, FOUND_CHANNEL, FOUND_BANK, FOUND_ROW = range(14, 19)
# Results of a call, beside what it returns.
KNOWN_FROM, IS_DONE = range(19, 21)
RULES_AT = 21
SHARED_WORDS = RULES_AT + len(Rules._fields)

FINISHED_WORDS = 4
"""Words of a row of the log of what was finished: ticket, accepted, done, write."""
COMMAND_WORDS = 7
"""Words of a row of the log of commands: cycle, command, channel, rank, group, bank, row."""

# A field of the address: how many values it has; the bits of them if it is a power of two, else -1; what one more of it
# adds to the place of the channel, to that of the bank, and to the row.
FIELD_SIZE, FIELD_BITS, TO_CHANNEL, TO_BANK, TO_ROW, FIELD_WORDS = range(6)

# A bank, a group and a rank begin with the first cycles in which they may take a command of each kind.
ACTIVATE_FROM, READ_FROM, WRITE_FROM, PRECHARGE_FROM, LIMITS = range(5)

# A bank: number in its group, its group, rank and data bus; the open row; when its last write is recovered; requests
# for the open row served before an older one for another row; whether it waits for a refresh; whether no column
# followed the last activate; when the last refresh became due, and when it ended; requests queued.
BANK_NUMBER, GROUP, RANK, DATA_BUS, OPEN_ROW, RECOVERED_FROM, BYPASSES, REFRESHING = range(LIMITS, LIMITS + 8)
IS_FRESH, REFRESH_BEGAN, REFRESH_ENDED, BANK_QUEUED = range(REFRESHING + 1, REFRESHING + 5)
# And in pairs: the oldest request and the youngest; the oldest for the open row, and for another while one is open;
# where it stands in the list of the banks that requests wait for.
OLDEST, YOUNGEST, HIT, CONFLICT, WANTED_PLACE = range(BANK_QUEUED + 1, BANK_QUEUED + 11, 2)
BANK_WORDS = BANK_QUEUED + 11

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
# next and the last command are for writes; when a request that had to wait can enter; end of the last burst; the first
# place that is free at its door, of which every cycle has as many as requests can come in; the first free entry; the
# first cycle in which a refresh becomes due, and how many wait.
CHANNEL_NUMBER, NOW, COLUMN_BUS, ROW_BUS, WRITING, WROTE, DOOR_FROM, DATA_UNTIL, FREE_PLACE, FREE_ENTRY = range(10)
FIRST_DUE, REFRESHES_WAITING = range(10, 12)
# And in pairs: requests queued; banks that they wait for; where these are listed.
REQUESTS, WANTED, WANTED_AT = range(12, 18, 2)
# What comes next: cycle, command, the request it is for, the rank if it is for a refresh.
NEXT_AT, NEXT_COMMAND, NEXT_ENTRY, NEXT_RANK = range(18, 22)
# What it counts.
HITS, MISSES, CONFLICTS, ACTIVATES, PRECHARGES, REFRESHES = range(22, 28)
READ_BURSTS, WRITE_BURSTS, FORWARDED, MERGED = range(28, 32)
WAITED_REFRESH, WAITED_ROW, WAITED_TURN, WAITED_COLUMN, CHANNEL_WORDS = range(32, 37)

# A queued request; MET is how its row was found; the next older and the next younger one of its bank and direction.
TICKET, ACCEPTED, BURST, BANK, ROW, MET, OLDER, YOUNGER, ENTRY_WORDS = range(9)

MET_HIT, MET_MISS, MET_CONFLICT = range(3)


def rule(name: str) -> int:
    """Return the place of a rule, which `Rules` names."""
    return RULES_AT + Rules._fields.index(name)


READ_LATENCY, COLUMN_L, READ_TO_WRITE_L, READ_TO_WRITE_S = map(
    rule, ("read_latency", "column_l", "read_to_write_l", "read_to_write_s")
)
READ_TO_READ_OTHER, READ_TO_WRITE_OTHER, COLUMN_S = map(rule, ("read_to_read_other", "read_to_write_other", "column_s"))
BURST_CYCLES, TRCDRD, TRCDWR, TRP, TRPAB, TRAS = map(rule, ("burst", "tRCDRD", "tRCDWR", "tRP", "tRPab", "tRAS"))
TRC, TRRD_S, TRRD_L, TFAW, TRTP, TPPD = map(rule, ("tRC", "tRRD_S", "tRRD_L", "tFAW", "tRTP", "tPPD"))
REFRESH_CYCLES, REFRESH_INTERVAL, REFRESH_TO_ACTIVATE, REFRESH_SETS, REFRESH_COMMAND = map(
    rule, ("refresh", "refresh_interval", "refresh_to_activate", "refresh_sets", "refresh_command")
)
HAS_ROW_BUS, ACTIVATE_CLOCKS, COLUMN_CLOCKS = map(rule, ("row_bus", "activate_clocks", "column_clocks"))
CLOSED_POLICY, WRITE_HIGH, WRITE_LOW, MOST_BYPASSES = map(
    rule, ("closed_policy", "write_high", "write_low", "most_bypasses")
)
BUS_RANKS, RANKS, BANKS, RANKS_AT, READS_MOST, ACCEPTS = map(
    rule, ("bus_ranks", "ranks", "banks", "ranks_at", "reads_most", "accepts")
)
