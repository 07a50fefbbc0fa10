"""What the fetch is told to do, and its first stage: columns become segments of words."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.op_table import PHASES
from deltatrain.rtl.off_chip.request import ADDRESS_BITS
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["ColumnsOp", "Segment", "SegmentSplitter"]

_WHAT_IS_FETCHED: dict[str, object] = {
    "weights": 1,
    "gradients": 1,
    "writes_back": 1,
    "weights_address": unsigned(ADDRESS_BITS),
    "gradients_address": unsigned(ADDRESS_BITS),
}


def _of_cache(line_bits: int) -> dict[str, object]:
    """Return what only a cache wants to know of an op."""
    return {"cached": 1, "phase": range(len(PHASES))} if line_bits else {}


class ColumnsOp(data.StructLayout):
    """The columns of one op that are fetched.

    Parameters
    ----------
    line_bits
        Width of the number of a line of the column cache; 0 without a cache.

    Members
    -------
    count : unsigned(INDEX_BITS + 1)
        Columns, n; 0 is an op in which nothing fired.
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
    first_line, column_lines : unsigned(line_bits)
        Number of the matrix's first run (`accel.column_cache.Lines`), and runs a column; with a cache, and not used
        where columns are compressed.
    """

    def __init__(self, line_bits: int = 0) -> None:
        lines = dict.fromkeys(("first_line", "column_lines"), unsigned(line_bits)) if line_bits else {}
        super().__init__(
            {
                "count": unsigned(INDEX_BITS + 1),
                "words": unsigned(INDEX_BITS),
                "segment_words": unsigned(INDEX_BITS),
                **_WHAT_IS_FETCHED,
                **_of_cache(line_bits),
                **lines,
            }
        )


class Segment(data.StructLayout):
    """A column or a part of one, or an op in which nothing fired.

    Parameters
    ----------
    line_bits
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
    line : unsigned(line_bits)
        Which run it is; with a cache.
    """

    def __init__(self, line_bits: int = 0) -> None:
        super().__init__(
            {
                "begins": 1,
                "empty": 1,
                "words": unsigned(INDEX_BITS),
                "first_word": unsigned(ADDRESS_BITS),
                "word": unsigned(INDEX_BITS),
                **_WHAT_IS_FETCHED,
                **_of_cache(line_bits),
                **({"line": unsigned(line_bits)} if line_bits else {}),
            }
        )


class SegmentSplitter(Component):
    """Splits columns into segments: one a cycle, without a gap between columns or ops, offered a cycle later.

    An op stays at its port until its last segment is made, and so does a column until its own last segment is.

    Parameters
    ----------
    line_bits
        As of `ColumnsOp`.
    row
        What names a compressed column (`rtl.lists.column_table`); None where columns are whole.
    most_columns, most_words
        Most columns of an op, and most words of a column or of `segment_words`: what counts them is no wider.

    Attributes
    ----------
    ops : In(stream.Signature(ColumnsOp()))
        The ops.
    columns : In(stream.Signature(unsigned(INDEX_BITS)))
        The columns of each, or their rows where they are compressed.
    segments : Out(stream.Signature(Segment()))
        The segments of each; an op without columns gives one that is `empty`.
    """

    def __init__(
        self,
        line_bits: int = 0,
        row: data.Layout | None = None,
        *,
        most_columns: int = 1 << INDEX_BITS,
        most_words: int = (1 << INDEX_BITS) - 1,
    ) -> None:
        self._line_bits, self._is_sparse = line_bits, row is not None
        self._most_columns, self._most_words = most_columns, most_words
        super().__init__(
            {
                "ops": In(stream.Signature(ColumnsOp(line_bits))),
                "columns": In(stream.Signature(unsigned(INDEX_BITS) if row is None else row)),
                "segments": Out(stream.Signature(Segment(line_bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count words and columns; register the segment."""
        m = Module()
        op, named = self.ops.payload, self.columns.payload
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
            op_ends.eq(empty | (column_ends & (next_column == count))),
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
                *(segment[name].eq(op[name]) for name in (*_WHAT_IS_FETCHED, *_of_cache(self._line_bits))),
            ]
            with m.If(op_ends):
                m.d.sync += [column.eq(0), next_column.eq(1)]
            with m.Elif(column_ends):
                m.d.sync += [column.eq(next_column), next_column.eq(next_column + 1)]
            if self._line_bits:
                number = Signal(self._line_bits)  # of the run in its column
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
