"""The channels of an AXI4 port, as streams; `rtl.bus.pins` splits them into the wires that tools know by name."""

from __future__ import annotations

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, Signature

__all__ = [
    "ADDRESS_BITS",
    "BURST_BYTES",
    "MOST_BEAT_BYTES",
    "OKAY",
    "Burst",
    "MemoryPort",
    "ReadBeat",
    "WriteBeat",
    "burst_beats",
]

ADDRESS_BITS = 32
"""Width of a byte address on the bus of the memory."""

BURST_BYTES = 4096
"""No burst crosses a multiple of it (AXI4 specification, A3.4.1)."""

MOST_BEAT_BYTES = 128
"""Of the widest bus that AXI has, of 1024 bits."""

_BURST_BEATS = 256
"""Most beats that AXI4 allows in an incrementing burst."""

OKAY = 0
"""The response that tells no error."""


def burst_beats(beat_bytes: int) -> int:
    """Return the most beats that a burst can have."""
    return min(_BURST_BEATS, BURST_BYTES // beat_bytes)


class Burst(data.StructLayout):
    """An incrementing burst of whole beats.

    Members
    -------
    address : unsigned(ADDRESS_BITS)
        First byte, a multiple of a beat.
    last : unsigned(8)
        Beats less one.
    """

    def __init__(self) -> None:
        super().__init__({"address": ADDRESS_BITS, "last": 8})


class ReadBeat(data.StructLayout):
    """A beat from the memory: ``bytes``, ``response``, and whether it is the ``last`` of its burst."""

    def __init__(self, beat_bytes: int) -> None:
        super().__init__({"bytes": 8 * beat_bytes, "response": 2, "last": 1})


class WriteBeat(data.StructLayout):
    """A beat to the memory: ``bytes``, a bit of ``strobes`` for each that is written, whether it is the ``last``."""

    def __init__(self, beat_bytes: int) -> None:
        super().__init__({"bytes": 8 * beat_bytes, "strobes": beat_bytes, "last": 1})


class MemoryPort(Signature):
    """A port to the memory, seen from who asks. All that it asks has one identity, so answers come in order.

    Parameters
    ----------
    beat_bytes
        Bytes of a beat.

    Members
    -------
    reads : Out(stream.Signature(Burst())), read_beats : In(stream.Signature(ReadBeat(beat_bytes)))
        Bursts to read, and their beats.
    writes : Out(stream.Signature(Burst())), write_beats : Out(stream.Signature(WriteBeat(beat_bytes)))
        Bursts to write, and their beats.
    responses : In(stream.Signature(2))
        The response to each burst that was written.
    """

    def __init__(self, beat_bytes: int) -> None:
        super().__init__(
            {
                "reads": Out(stream.Signature(Burst())),
                "read_beats": In(stream.Signature(ReadBeat(beat_bytes))),
                "writes": Out(stream.Signature(Burst())),
                "write_beats": Out(stream.Signature(WriteBeat(beat_bytes))),
                "responses": In(stream.Signature(2)),
            }
        )
