"""What the column cache says of a segment, and what it counts."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data

from deltatrain.accel.op_table import PHASES
from deltatrain.rtl.off_chip.request import Request
from deltatrain.rtl.off_chip.segment_splitter import Segment
from deltatrain.rtl.parts.line_shape import LineShape

__all__ = ["COUNT_BITS", "Found", "looked_up_layout"]

COUNT_BITS = 32
"""Width of a count of lines: a program has fewer cycles than 2**32."""


def looked_up_layout() -> data.ArrayLayout:
    """Return the shape of what was looked up, as in `accel.counters.CacheCounters`, for each of `PHASES`."""
    count = unsigned(COUNT_BITS)
    return data.ArrayLayout(data.StructLayout(dict.fromkeys(("hits", "misses", "write_backs"), count)), len(PHASES))


class Found(data.StructLayout):
    """A segment that was looked up; or a line that goes out before its op, or a set of which none does.

    Parameters
    ----------
    shape
        Of the cache.
    groups
        As of `rtl.off_chip.segment_splitter.Segment`.

    Members
    -------
    segment : Segment
        The segment. Of a line that goes out before the op, or a set, `begins` alone means anything.
    hit : unsigned(1)
        It is in the cache.
    skips : unsigned(1)
        There is no segment, and nothing to do, which takes a cycle: no line of a set is dirty.
    flushed : unsigned(1)
        There is no segment: a line goes out before the op.
    goes_out : unsigned(1)
        A line goes out, before the op or because the segment takes its place.
    slot : range
        The line that the segment has, or that goes out.
    out : Request
        Where a line goes that goes out.
    behind : unsigned(COUNT_BITS)
        How many lines must have gone out before the segment may be asked for.
    """

    def __init__(self, shape: LineShape, *, groups: bool = False) -> None:
        super().__init__(
            {
                "segment": Segment(shape, groups=groups),
                **dict.fromkeys(("hit", "skips", "flushed", "goes_out"), 1),
                "slot": range(shape.slots),
                "out": Request(),
                "behind": unsigned(COUNT_BITS),
            }
        )
