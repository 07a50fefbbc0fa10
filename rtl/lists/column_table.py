"""Where the compressed columns of a matrix are, and how long each is: a row of a table that W and dW share.

Compressed columns differ in length (`accel.tensor.CompressedColumns`). A reader looks the row of an entry up in the
cycle in which the ring of lists answers, so that a column's place comes with its entry and costs no cycle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

if TYPE_CHECKING:
    from deltatrain.rtl.commands.sizes import TileSizes

__all__ = ["ColumnRow", "ColumnTable", "row_of", "table_port", "table_writes"]


class ColumnRow(data.StructLayout):
    """The place of a compressed column.

    Parameters
    ----------
    matrix_words
        Words of the largest matrix.
    column_words
        Most words of a column.
    line_bits
        Width of the number of a run of the column cache; 0 without one.

    Members
    -------
    first : unsigned
        Its first word, counted from the matrix's own.
    words : unsigned
        Its words, at least 1.
    weights_line, gradients_line : unsigned(line_bits)
        Its first run in W and in dW (`accel.column_cache.Lines`), whose words differ in size; with a cache.
    """

    def __init__(self, matrix_words: int, column_words: int, line_bits: int = 0) -> None:
        lines = dict.fromkeys(("weights_line", "gradients_line"), unsigned(line_bits)) if line_bits else {}
        super().__init__(
            {"first": unsigned(max(ceil_log2(matrix_words), 1)), "words": range(column_words + 1), **lines}
        )


def row_of(sizes: TileSizes) -> ColumnRow | None:
    """Return a row of a tile's table; None where columns are whole."""
    if not sizes.number_bits:
        return None
    return ColumnRow(sizes.table_words, sizes.accumulator_words, sizes.cache.run_bits if sizes.cache else 0)


def table_port(sizes: TileSizes) -> ReadPort.Signature | None:
    """Return the port that reads a tile's table; None where columns are whole."""
    if not sizes.number_bits:
        return None
    return ReadPort.Signature(addr_width=ceil_log2(sizes.table_rows), shape=row_of(sizes))


def table_writes(sizes: TileSizes) -> data.StructLayout:
    """Return what the host writes into the table."""
    return data.StructLayout({"address": unsigned(ceil_log2(sizes.table_rows)), "row": row_of(sizes)})


class ColumnTable(Component):
    """The table, which the host writes before a program starts.

    Parameters
    ----------
    sizes
        Of the tile's memories; columns are compressed.
    readers
        How many look rows up.

    Attributes
    ----------
    writes : In(stream.Signature(table_writes(sizes)))
        Rows to be stored; always taken.
    read : Out(table_port(sizes)).array(readers)
        To each reader; answers in the next cycle.
    """

    def __init__(self, *, sizes: TileSizes, readers: int) -> None:
        self._sizes = sizes
        members = {"writes": In(stream.Signature(table_writes(sizes))), "read": Out(table_port(sizes)).array(readers)}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Connect the memory's ports."""
        m = Module()
        row = row_of(self._sizes)
        assert row is not None
        m.submodules.memory = memory = UncheckedMemory(shape=row, depth=self._sizes.table_rows)
        write = memory.write_port()
        m.d.comb += [
            self.writes.ready.eq(1),
            write.en.eq(self.writes.valid),
            write.addr.eq(self.writes.payload.address),
            write.data.eq(self.writes.payload.row),
        ]
        for port in self.read:
            connect(m, memory.read_port(), flipped(port))
        return m
