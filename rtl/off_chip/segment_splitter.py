"""What the fetch is told to do, and its first stage: columns become segments of words."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.op_table import PHASES
from deltatrain.rtl.off_chip.fired_steps import FiredOp
from deltatrain.rtl.off_chip.request import ADDRESS_BITS
from deltatrain.rtl.parts.layouts import INDEX_BITS, GroupColumn
from deltatrain.rtl.parts.line_shape import LineShape

__all__ = ["WHAT_IS_FETCHED", "ColumnsOp", "Segment", "SegmentSplitter"]

WHAT_IS_FETCHED: dict[str, object] = {
    "weights": 1,
    "gradients": 1,
    "writes_back": 1,
    "weights_address": unsigned(ADDRESS_BITS),
    "gradients_address": unsigned(ADDRESS_BITS),
}
"""What a segment is told of its op."""


def _of_cache(lines: LineShape | None) -> dict[str, object]:
    """Return what only a cache wants to know of an op."""
    return {"cached": 1, "phase": range(len(PHASES))} if lines else {}


def _of_fired(lines: LineShape | None) -> dict[str, object]:
    """Return what only a cache wants to know that goes by what fired."""
    return {"fired": FiredOp(lines.fired)} if lines and lines.fired else {}


class ColumnsOp(data.StructLayout):
    """The columns of one op that are fetched.

    Parameters
    ----------
    lines
        Of the column cache; None without one.
    arrays
        A.

    Members
    -------
    count : unsigned(INDEX_BITS + 1)
        Columns, n; 0 is an op in which nothing fired. Of several arrays the turns.
    counts : ArrayLayout(unsigned(INDEX_BITS + 1), A)
        Columns of each of several arrays.
    words : unsigned(INDEX_BITS)
        Words a column, K, at least 1.
    segment_words : unsigned(INDEX_BITS)
        Words of a segment at most, 1 to K, so that two segments fit the buffer.
    weights, gradients : unsigned(1)
        Whether columns of W, of dW are fetched; one at least.
    writes_back : unsigned(1)
        Whether the op writes what is fetched for it.
    weights_address, gradients_address : unsigned(ADDRESS_BITS)
        First byte of W, of dW.
    cached, phase : unsigned(1), range
        Whether it looks its segments up in the cache, and the phase of training that counts them; with a cache.
    first_line, column_lines : unsigned(lines.run_bits)
        Number of the matrix's first run (`accel.column_cache.Lines`), and runs a column; with a cache, and not used
        where columns are compressed.
    fired : FiredOp
        Where its matrix's columns are among those that fired, and when it is; with a cache that goes by these.
    """

    def __init__(self, lines: LineShape | None = None, arrays: int = 1) -> None:
        numbers: dict[str, object] = {}
        if lines:
            numbers = dict.fromkeys(("first_line", "column_lines"), unsigned(lines.run_bits))
        counts = {"counts": data.ArrayLayout(unsigned(INDEX_BITS + 1), arrays)} if arrays > 1 else {}
        super().__init__(
            {
                "count": unsigned(INDEX_BITS + 1),
                "words": unsigned(INDEX_BITS),
                "segment_words": unsigned(INDEX_BITS),
                **WHAT_IS_FETCHED,
                **_of_cache(lines),
                **_of_fired(lines),
                **numbers,
                **counts,
            }
        )


class Segment(data.StructLayout):
    """A column or a part of one, or an op in which nothing fired.

    Parameters
    ----------
    lines, arrays
        As of `ColumnsOp`.

    Members
    -------
    begins : unsigned(1)
        Whether it is the first of its op.
    empty : unsigned(1)
        Whether its op has no columns; `words`, `first_word` and `word` mean nothing then.
    words : unsigned(INDEX_BITS)
        Words of each matrix.
    first_word : unsigned(ADDRESS_BITS)
        Words of a matrix that lie before its column, or before it where `word` is 0.
    word : unsigned(INDEX_BITS)
        Words of its column that lie before it.
    weights, gradients, writes_back, weights_address, gradients_address
        Of its op.
    cached, phase
        Of its op; with a cache.
    line : unsigned(lines.run_bits)
        Which run it is; with a cache.
    fired : FiredOp
        Its column, and when its op is; with a cache that goes by these.
    several : unsigned(1)
        Whether the lanes take each word for more than one step; present if `groups`.
    array : range(A)
        Which of several arrays takes it.
    """

    def __init__(self, lines: LineShape | None = None, arrays: int = 1, *, groups: bool = False) -> None:
        super().__init__(
            {
                "begins": 1,
                "empty": 1,
                "words": unsigned(INDEX_BITS),
                "first_word": unsigned(ADDRESS_BITS),
                "word": unsigned(INDEX_BITS),
                **WHAT_IS_FETCHED,
                **_of_cache(lines),
                **_of_fired(lines),
                **({"line": unsigned(lines.run_bits)} if lines else {}),
                **({"several": 1} if groups else {}),
                **({"array": range(arrays)} if arrays > 1 else {}),
            }
        )


class SegmentSplitter(Component):
    """Splits columns into segments: one a cycle, without a gap between columns or ops, offered a cycle later.

    An op stays at its port until its last segment is made, and so does a column until its own last segment is.

    Parameters
    ----------
    lines
        As of `ColumnsOp`.
    row
        What names a compressed column (`rtl.lists.column_table`); None where columns are whole.
    groups
        Whether an op may be of several steps: each column is a `GroupColumn` then, and their number may be any but 0.
    most_columns, most_words
        Most columns of an op, and most words of a column or of `segment_words`, if fewer than an index
        can count: what counts them is no wider.

    Attributes
    ----------
    ops : In(stream.Signature(ColumnsOp()))
        The ops.
    columns : In(stream.Signature(unsigned(INDEX_BITS)))
        The columns of each, or their rows where they are compressed.
    index : In(INDEX_BITS)
        The number of the column in its matrix; with a cache that goes by what fired.
    segments : Out(stream.Signature(Segment()))
        The segments of each; an op without columns gives one that is `empty`.
    """

    def __init__(
        self,
        lines: LineShape | None = None,
        row: data.Layout | None = None,
        *,
        groups: bool = False,
        most_columns: int | None = None,
        most_words: int | None = None,
    ) -> None:
        self._lines, self._is_sparse, self._groups = lines, row is not None, groups
        self._most_columns = 1 << INDEX_BITS if most_columns is None else most_columns
        self._most_words = (1 << INDEX_BITS) - 1 if most_words is None else most_words
        column = GroupColumn() if groups else unsigned(INDEX_BITS) if row is None else row
        super().__init__(
            {
                "ops": In(stream.Signature(ColumnsOp(lines))),
                "columns": In(stream.Signature(column)),
                **({"index": In(INDEX_BITS)} if lines and lines.fired else {}),
                "segments": Out(stream.Signature(Segment(lines, groups=groups))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count words and columns; register the segment."""
        m = Module()
        op: Any = self.ops.payload
        named: Any = self.columns.payload.index if self._groups else self.columns.payload
        word, rest, left, length, of_segment = (Signal(range(self._most_words + 1)) for _ in range(5))
        count, column, next_column = (Signal(range(self._most_columns + 1), init=init) for init in (0, 0, 1))
        first = named.first if self._is_sparse else named * length
        # What is left of a column that has begun, and whether it is its last segment, are in registers.
        begun, ends = Signal(), Signal()
        empty, makes, column_ends, op_ends = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            count.eq(op.count),
            length.eq(named.words if self._is_sparse else op.words),
            of_segment.eq(op.segment_words),
            empty.eq(count == 0),
            rest.eq(Mux(begun, left, length)),
            column_ends.eq(Mux(begun, ends, length <= of_segment)),
            op_ends.eq(empty | (column_ends & (self.columns.payload.last if self._groups else next_column == count))),
            makes.eq(self.ops.valid & (empty | self.columns.valid) & (self.segments.ready | ~self.segments.valid)),
            self.ops.ready.eq(makes & op_ends),
            self.columns.ready.eq(makes & ~empty & column_ends),
        ]
        with m.If(self.segments.ready):
            m.d.sync += self.segments.valid.eq(0)
        with m.If(makes):
            segment = self.segments.payload
            m.d.sync += [
                word.eq(Mux(empty | column_ends, 0, word + of_segment)),
                begun.eq(~(empty | column_ends)),
                left.eq(rest - of_segment),
                ends.eq(rest <= of_segment << 1),
                self.segments.valid.eq(1),
                segment.begins.eq((column == 0) & ~begun),
                segment.empty.eq(empty),
                segment.words.eq(Mux(column_ends, rest, of_segment)),
                segment.first_word.eq(first),  # a product is late
                segment.word.eq(word),
                *(segment[name].eq(op[name]) for name in (*WHAT_IS_FETCHED, *_of_cache(self._lines))),
            ]
            if self._groups:
                m.d.sync += segment.several.eq(self.columns.payload.several)
            with m.If(op_ends):
                m.d.sync += [column.eq(0), next_column.eq(1)]
            with m.Elif(column_ends):
                m.d.sync += [column.eq(next_column), next_column.eq(next_column + 1)]
            if self._lines and self._lines.fired:
                m.d.sync += [
                    segment.fired.column.eq(op.fired.column + self.index),
                    segment.fired.now.eq(op.fired.now),
                ]
            if self._lines:
                number = Signal(self._lines.run_bits)  # of the run in its column
                of_column = (
                    op.first_line + named * op.column_lines
                    if not self._is_sparse
                    else Mux(op.weights, named.weights_line, named.gradients_line)
                )
                m.d.sync += [
                    number.eq(Mux(empty | column_ends, 0, number + 1)),
                    segment.line.eq(of_column + number),
                ]
        return m
