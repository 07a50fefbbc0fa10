"""Where an op's columns and values come from: the request that an entry reader turns into entries."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data, enum
from amaranth.utils import ceil_log2

from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["ListSource", "SourceKind"]


class SourceKind(enum.Enum, shape=unsigned(2)):
    """What the entries of a source are."""

    FIRED = 0
    """A list that the encoder wrote."""
    VECTOR = 1
    """Every element of a vector that was never encoded."""
    ALL = 2
    """Every column, for ops that need no values; all values are 0, that of the bias too."""
    SHARE = 3
    """Like VECTOR, in one of several tiles that share the elements; the bias is 0, because another tile has it."""


class ListSource(data.StructLayout):
    """The columns of one op, from 0 on in increasing order, the bias last.

    Parameters
    ----------
    lists
        Lists that the store of lists has room for.
    vector_words
        Words of the memory of vectors.
    spikes
        Whether lists are of spikes and of gradient-only neurons.
    table_rows
        Rows of the table of compressed columns; 0 where columns are whole.

    Members
    -------
    kind : SourceKind
        What the entries are.
    list : unsigned
        FIRED: number of the list.
    learning : unsigned(1)
        FIRED: whether gradient-only neurons follow the spikes; present if `spikes`.
    base : unsigned
        VECTOR and SHARE: the vector's first word.
    count : unsigned(INDEX_BITS + 1)
        All but FIRED: columns without the bias, at most 2**INDEX_BITS. A FIRED list knows its own length.
    bias : unsigned(1)
        Whether one more entry follows: column `width`, whose value is 1.0.
    width : unsigned(INDEX_BITS)
        Elements of the whole vector, so the column of the bias.
    table : unsigned
        Row of the matrix's first column in the table; present if that has rows.
    """

    def __init__(self, lists: int, vector_words: int, *, spikes: bool = False, table_rows: int = 0) -> None:
        table = {"table": unsigned(ceil_log2(table_rows))} if table_rows else {}
        super().__init__(
            {
                "kind": SourceKind,
                "list": unsigned(ceil_log2(lists)),
                **({"learning": unsigned(1)} if spikes else {}),
                "base": unsigned(ceil_log2(vector_words)),
                "count": unsigned(INDEX_BITS + 1),
                "bias": unsigned(1),
                "width": unsigned(INDEX_BITS),
                **table,
            }
        )
