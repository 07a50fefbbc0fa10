"""The first stage of the fetch of several arrays: columns become segments in the order in which arrays take them."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.off_chip.segment_splitter import WHAT_IS_FETCHED, ColumnsOp, Segment
from deltatrain.rtl.parts.layouts import INDEX_BITS

__all__ = ["TurnSplitter"]


class TurnSplitter(Component):
    """Splits columns into segments, one a cycle: turn after turn, in it piece after piece, of each array after array.

    An array without a column in a turn is passed over in no time. An op stays at its port until its last segment is
    made, and so does a column until its own last segment is.

    Parameters
    ----------
    arrays
        A, at least 2.

    Attributes
    ----------
    ops : In(stream.Signature(ColumnsOp(arrays=A)))
        What to fetch.
    columns : In(stream.Signature(unsigned(INDEX_BITS))).array(A)
        The columns of each op, of each array its own.
    segments : Out(stream.Signature(Segment(arrays=A)))
        The segments of each; an op without columns gives one that is `empty`.
    """

    def __init__(self, *, arrays: int) -> None:
        self._arrays = arrays
        super().__init__(
            {
                "ops": In(stream.Signature(ColumnsOp(arrays=arrays))),
                "columns": In(stream.Signature(unsigned(INDEX_BITS))).array(arrays),
                "segments": Out(stream.Signature(Segment(arrays=arrays))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count turns, words and the arrays that had their segment of a piece; register the segment."""
        m = Module()
        op, arrays = self.ops.payload, range(self._arrays)
        turn, next_turn = Signal.like(op.count), Signal.like(op.count, init=1)
        word, left = Signal.like(op.words), Signal.like(op.words)
        begun, ends, served = Signal(), Signal(), Signal(self._arrays)
        pending, array = self._next(m, turn, served)
        empty, makes, piece_ends, column_ends, op_ends = (Signal() for _ in range(5))
        rest = Mux(begun, left, op.words)
        valid = Array(column.valid for column in self.columns)[array]
        m.d.comb += [
            empty.eq(op.count == 0),
            piece_ends.eq((pending & (pending - 1)) == 0),
            column_ends.eq(Mux(begun, ends, op.words <= op.segment_words)),
            op_ends.eq(empty | (piece_ends & column_ends & (next_turn == op.count))),
            makes.eq(self.ops.valid & (empty | valid) & (self.segments.ready | ~self.segments.valid)),
            self.ops.ready.eq(makes & op_ends),
            *(self.columns[one].ready.eq(makes & ~empty & column_ends & (array == one)) for one in arrays),
        ]
        with m.If(self.segments.ready):
            m.d.sync += self.segments.valid.eq(0)
        with m.If(makes):
            segment = self.segments.payload
            named = Array(column.payload for column in self.columns)[array]
            m.d.sync += [
                self.segments.valid.eq(1),
                served.eq(Mux(empty | piece_ends, 0, served | (1 << array))),
                segment.begins.eq((turn == 0) & ~begun & (served == 0)),
                segment.empty.eq(empty),
                segment.array.eq(array),
                segment.words.eq(Mux(column_ends, rest, op.segment_words)),
                segment.first_word.eq(named * op.words),
                segment.word.eq(word),
                *(segment[name].eq(op[name]) for name in WHAT_IS_FETCHED),
            ]
            with m.If(empty | piece_ends):
                m.d.sync += [
                    word.eq(Mux(empty | column_ends, 0, word + op.segment_words)),
                    begun.eq(~(empty | column_ends)),
                    left.eq(rest - op.segment_words),
                    ends.eq(rest <= op.segment_words << 1),
                ]
            with m.If(op_ends):
                m.d.sync += [turn.eq(0), next_turn.eq(1)]
            with m.Elif(piece_ends & column_ends):
                m.d.sync += [turn.eq(next_turn), next_turn.eq(next_turn + 1)]
        return m

    def _next(self, m: Module, turn: Value, served: Value) -> tuple[Signal, Signal]:
        """Return which arrays have a segment of the piece still to come, and the first of them."""
        pending, array = Signal(self._arrays, name="pending"), Signal(range(self._arrays), name="array")
        m.d.comb += pending.eq(Cat(turn < count for count in self.ops.payload.counts) & ~served)
        for number in reversed(range(self._arrays)):
            with m.If(pending[number]):
                m.d.comb += array.eq(number)
        return pending, array
