"""Shapes of what travels between the parts of a tile: payloads of streams and words of memories."""

from __future__ import annotations

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

__all__ = ["INDEX_BITS", "Entry", "word"]

INDEX_BITS = 16
"""Width of a column index in a list, as `accel.modes.encode.list_entry_bytes` counts it."""


class Entry(data.StructLayout):
    """One entry of a list: a column and its value.

    The encoder's lists carry deltas in ``formats.activation``; the results of `matvec_t` travel as entries too, in
    ``formats.gradient``. Where a list ends is not marked in its entries, because a list may be empty: its length
    travels beside it.

    Parameters
    ----------
    value_bits
        Width of the value, 0 for an entry without.
    row
        Shape of what is known of a compressed column (`rtl.lists.column_table`); None where columns are whole.

    Members
    -------
    index : unsigned(INDEX_BITS)
        The column.
    value : signed(value_bits)
        The value; present if it has bits.
    row : row
        What is known of the column; present with a `row`.
    """

    def __init__(self, value_bits: int, row: data.Layout | None = None) -> None:
        value = {"value": signed(value_bits)} if value_bits else {}
        super().__init__({"index": unsigned(INDEX_BITS), **value, **({} if row is None else {"row": row})})


def word(value_bits: int, lanes: int) -> data.ArrayLayout:
    """Return the shape of one word: element i of a vector is in word i // `lanes`, in lane i mod `lanes`."""
    return data.ArrayLayout(signed(value_bits), lanes)
