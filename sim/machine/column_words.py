"""What the words of the state of columns on their way mean (`sim.machine.column_law`).

The state lies in one array, and a record is named by the place of its first word, as in `sim.dram.kernel`.
"""

from __future__ import annotations

from deltatrain.accel.column_cache import MOST_SINCE
from deltatrain.accel.counters import Starved

NEVER = 1 << 44
"""A cycle that does not come: more engine cycles than any run has."""

NOTHING, TOLD, FINISHED, FETCHED, NO_ROOM = range(5)
"""Why `play` comes back: there is nothing to do before the limit; a read of others has passed the port; the lanes' op
has its last word; all columns of the fetched op are asked for; the ring of tickets is too small."""

# The port: when the last word passed it, when the next may be written, when the last write was taken; bytes moved.
PASSED, WRITE_FREE, LAST_TAKEN, READ_BYTES, WRITE_BYTES = range(5)
# Four rings of as many records, a power of two: where each begins, the number of its first record and of its next.
MASK, READS, FIRST_READ, NEXT_READ, POSTS, FIRST_POST, NEXT_POST = range(5, 12)
LEAVES, FIRST_LEAVE, NEXT_LEAVE, SEGMENTS, FIRST_SEGMENT, FIRST_MISSING, NEXT_SEGMENT = range(12, 19)
# The clocks: how many cycles last as long as how many ticks; a request's way in cycles; the port's width; a burst.
CYCLES, TICKS, DELAY, WIDTH, BURST_BYTES = range(19, 24)
# The buffer: bytes that it has, and in use; segments that may be in flight (-1 for any number), and are.
CAPACITY, USED, MOST_ASKED, ASKED = range(24, 28)
# The fetch: what it does, since when; the cycle in which it could ask next, and could have for this segment; the next
# segment of its op, how many there are; how many matrices are read; whether there is a column cache; how many lines
# must have gone out of it, how many have, and from which cycle on the last counts; address of each matrix; bytes of a
# word of each.
FETCH, LOOKED, REQUEST, WANTED, SEGMENT, ALL_SEGMENTS, MATRICES, CACHED, OUTS_WANTED, OUTS, WENT_OUT = range(28, 39)
ADDRESS, WORD_BYTES = 39, 41
# The lanes: words of their op that are left; when they are free; cycles until a word goes back, and whether it does.
LEFT, FREE, DRAIN, RETURNS, GAPS = range(43, 48)
# What was told last: when all had passed for lanes that waited, when it had come, when it had passed.
READY, COME, TOLD_PASSED = range(48, 51)
# A cycle before which there is nothing to do; the tickets that the ring must hold, from the first to before the last.
NEXT_CYCLE, FIRST_TICKET, LAST_TICKET = range(51, 54)
# Where the kernel's array has the next ticket, and when the last burst was taken.
TICKETS_AT, ACCEPTED_AT = range(54, 56)
# Where the requests of others and of the fetch are left.
OTHERS, OWN = range(56, 58)
# With a cache: when a fetch that waits for lines goes on; the cycle after the last step of what was taken; how many
# segments of the cache were; cycles until a line that goes out is posted; when the last segments had been taken.
GO_ON, STEPPED, TAKEN, OUT_DRAIN, ENDED = range(58, 63)
SCALARS = ENDED + MOST_SINCE + 1

IDLE, BEGINS, GOES_ON, WAITS_FOR_OUTS, WAITS_FOR_ROOM, ASKS = range(6)
"""What the fetch does; ASKS + n while it asks for matrix n."""

RECORD_WORDS = 19
# A request, as others leave it and as it is posted: kind, cycle, address, bytes; of a read bytes of a word, and whose
# segment; of a post bytes of the buffer that are free when it is taken, and whether it is a line that goes out.
KIND, WHEN, WHERE, MUCH, WORD, OWNER, REQUEST_WORDS = range(7)
FREED, IS_OUT = WORD, OWNER
NO_REQUEST, READ, WRITE, NOBODYS = 0, 1, 2, -1
# A read: as its request; its first ticket that has not passed, the first that is not known, their end; when to look.
TICKET, UNKNOWN, END, LOOK = range(6, 10)
# What leaves the buffer, or is no longer in flight if it has no bytes: when, how many bytes.
LEAVES_AT, LEFT_BYTES = range(2)
# A segment: words; matrices whose words are not known to come; when its words are ready, the last has passed; then as
# in `columns.Segment` what lanes lack before which cycle; address and bytes in each of two matrices, or in one and of
# the line that goes out; no bytes; bytes of the buffer that it holds; words of the line that goes out; how many
# segments of the cache ago its line was written, see `sim.machine.segments`; how many segments, from it on, the arrays
# take abreast; for how many cycles it keeps the lanes.
WORDS, MISSING, SEGMENT_READY, LAST_PASSED, ROOM_WANTED, FIRST_ASKED, LAST_ASKED, SEGMENT_COME, AFTER, PLACES = range(
    10
)
OUT, NO_BYTES, HELD, OUT_WORDS, SINCE, ABREAST, LANE_CYCLES = (PLACES + 2, *range(PLACES + 4, PLACES + 10))

WHY: tuple[Starved, ...] = ("list", "buffer", "list", "memory", "port", "cache")
"""What lanes lack before the cycles that a segment names from `ROOM_WANTED` on; last, what they lack of the cache."""
OF_CACHE = WHY.index("cache")
GAP_WORDS, MOST_GAPS = 3, len(WHY)  # a gap is from, to, index into WHY
