"""The program image: the commands of a tile's units as they lie in memory, where the machine reads them.

A program is a row of records in the order of the program, each a header and a command, in words of 64 bits, the lowest
byte first. The header's fields are `HEADER`, and its other bits are 0. The command follows in as many words as the
header says: the bits of the payload of the unit's stream (`rtl.tile.Tile`), the lowest first, filled up with zeros.

A tile's units hold a few commands each. The machine hands commands out in the order of their records, and waits where a
unit takes no more. It does not wait for ever. Of all ops that are not done take the first, o. All ops before it are
done, so their commands have left their queues. If the record of o was not handed out, it is the next one, and the queue
of its unit is empty, because everything in that queue is before o. Once it is handed out it is in front of its unit,
and it waits only for ops before it, which are done. A record of the fetch is no op. It lies before the op of the engine
that it fetches for, and the fetch holds what it fetched in the order in which the engine takes it.
"""

from __future__ import annotations

from types import MappingProxyType

from deltatrain.accel.bus.register import Field

__all__ = ["FORMAT_VERSION", "HEADER", "RECORD_UNITS", "WORD_BYTES"]

FORMAT_VERSION = 1
"""Counts changes of this format that an older machine would not survive."""

WORD_BYTES = 8
"""Programs and their records are whole words."""

RECORD_UNITS = ("encoder", "engine", "elementwise", "load", "store", "fetch")
"""The command streams of a tile: a record names one by its number."""

HEADER = MappingProxyType(
    {
        field.name: field
        for field in (
            Field("unit", 0, 8, "Number in RECORD_UNITS"),
            Field("words", 8, 8, "Words of the command, which follow"),
            Field("threshold", 16, 8, "Number of the register for the encoder's `least`, or NO_THRESHOLD"),
        )
    }
)
"""The fields of a header."""
