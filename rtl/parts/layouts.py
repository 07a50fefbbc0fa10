"""Shapes of what travels between the parts of a tile: payloads of streams and words of memories."""

from __future__ import annotations

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

__all__ = ["INDEX_BITS", "Entry", "GroupColumn", "GroupEntry", "word"]

INDEX_BITS = 16
"""Width of a column index in a list, as `accel.modes.encode.list_entry_bytes` counts it."""


class Entry(data.StructLayout):
    """One entry of a list: a column and its value.

    The encoder's lists carry deltas in ``formats.activation``; the results of `matvec_t` travel as entries too, in
    ``formats.gradient``. Where a list ends is not marked in its entries, because a list may be empty: its length
    travels beside it. Only readers that are merged mark it, too (`rtl.lists.group_reader`).

    Parameters
    ----------
    value_bits
        Width of the value, 0 for an entry without.
    row
        Shape of what is known of a compressed column (`rtl.lists.column_table`); None where columns are whole.
    tells_last
        Whether it is marked which entry is the last of its op.

    Members
    -------
    index : unsigned(INDEX_BITS)
        The column.
    value : signed(value_bits)
        The value; present if it has bits.
    row : row
        What is known of the column; present with a `row`.
    last : unsigned(1)
        Whether it is the last of its op; present if `tells_last`.
    """

    def __init__(self, value_bits: int, row: data.Layout | None = None, *, tells_last: bool = False) -> None:
        value = {"value": signed(value_bits)} if value_bits else {}
        known = {} if row is None else {"row": row}
        super().__init__({"index": unsigned(INDEX_BITS), **value, **known, **({"last": 1} if tells_last else {})})


class GroupEntry(data.StructLayout):
    """A column and what the steps of a group add to it (`accel.engine.Engine.outer_steps`).

    Parameters
    ----------
    value_bits
        Width of a value.
    steps
        Most steps of a group.

    Members
    -------
    index : unsigned(INDEX_BITS)
        The column.
    last : unsigned(1)
        Whether it is the last of its op: how many columns several lists name together nobody knows before.
    fired : unsigned(steps)
        In which steps it fired, the one that is done first in the lowest bit; one at least.
    values : ArrayLayout(signed(value_bits))
        Its value in each of them.
    """

    def __init__(self, value_bits: int, steps: int) -> None:
        values = data.ArrayLayout(signed(value_bits), steps)
        super().__init__({"index": unsigned(INDEX_BITS), "last": 1, "fired": unsigned(steps), "values": values})


class GroupColumn(data.StructLayout):
    """What memories and the fetch know of a `GroupEntry`: its column, and whether it is its op's last.

    `several` tells the fetch whether the lanes take each of its words for more than one step.
    """

    def __init__(self) -> None:
        super().__init__({"index": unsigned(INDEX_BITS), "last": 1, "several": 1})


def word(value_bits: int, lanes: int) -> data.ArrayLayout:
    """Return the shape of one word: element i of a vector is in word i // `lanes`, in lane i mod `lanes`."""
    return data.ArrayLayout(signed(value_bits), lanes)
