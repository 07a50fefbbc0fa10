"""What the fetch is told to do, and its first stage: columns become runs of words."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from deltatrain.rtl.parts.layouts import INDEX_BITS
from deltatrain.rtl.parts.request import ADDRESS_BITS

__all__ = ["FetchOp", "Run", "RunSplitter"]

_WHAT_IS_FETCHED: dict[str, object] = {
    "weights": 1,
    "gradients": 1,
    "writes_back": 1,
    "weights_address": unsigned(ADDRESS_BITS),
    "gradients_address": unsigned(ADDRESS_BITS),
}


class FetchOp(data.StructLayout):
    """The columns of one op that are fetched.

    Members
    -------
    count : unsigned(INDEX_BITS + 1)
        Columns, n; 0 is an op in which nothing fired.
    words : unsigned(INDEX_BITS)
        Words a column, K, at least 1.
    run_words : unsigned(INDEX_BITS)
        Words of a run at most, 1 to K, so that two runs fit the buffer.
    weights, gradients : unsigned(1)
        Whether columns of W, of dW are fetched; one at least.
    writes_back : unsigned(1)
        Whether the op writes what is fetched for it.
    weights_address, gradients_address : unsigned(ADDRESS_BITS)
        First byte of W, of dW.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "count": unsigned(INDEX_BITS + 1),
                "words": unsigned(INDEX_BITS),
                "run_words": unsigned(INDEX_BITS),
                **_WHAT_IS_FETCHED,
            }
        )


class Run(data.StructLayout):
    """A column or a part of one, or an op in which nothing fired.

    Members
    -------
    begins : unsigned(1)
        Whether it is the first of its op.
    empty : unsigned(1)
        Whether its op has no columns; `words` and `first_word` mean nothing then.
    words : unsigned(INDEX_BITS)
        Words of each matrix.
    first_word : unsigned(ADDRESS_BITS)
        Words of a matrix that lie before it.
    weights, gradients, writes_back, weights_address, gradients_address
        Of its op.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "begins": 1,
                "empty": 1,
                "words": unsigned(INDEX_BITS),
                "first_word": unsigned(ADDRESS_BITS),
                **_WHAT_IS_FETCHED,
            }
        )


class RunSplitter(Component):
    """Splits columns into runs, one run a cycle, across columns and across ops; a run is offered a cycle later.

    An op stays at its port until its last run is made, a column until its last is.

    Attributes
    ----------
    ops : In(stream.Signature(FetchOp()))
        The ops.
    columns : In(stream.Signature(unsigned(INDEX_BITS)))
        The columns of each.
    runs : Out(stream.Signature(Run()))
        The runs of each, and one that is empty of an op without columns.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "ops": In(stream.Signature(FetchOp())),
                "columns": In(stream.Signature(unsigned(INDEX_BITS))),
                "runs": Out(stream.Signature(Run())),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Count words and columns; register the run."""
        m = Module()
        op = self.ops.payload
        column, word, rest = Signal.like(op.count), Signal.like(op.words), Signal.like(op.words)
        empty, makes, column_ends, op_ends = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            empty.eq(op.count == 0),
            rest.eq(op.words - word),
            column_ends.eq(rest <= op.run_words),
            op_ends.eq(empty | (column_ends & (column + 1 == op.count))),
            makes.eq(self.ops.valid & (empty | self.columns.valid) & (self.runs.ready | ~self.runs.valid)),
            self.ops.ready.eq(makes & op_ends),
            self.columns.ready.eq(makes & ~empty & column_ends),
        ]
        with m.If(self.runs.ready):
            m.d.sync += self.runs.valid.eq(0)
        with m.If(makes):
            run = self.runs.payload
            m.d.sync += [
                word.eq(Mux(empty | column_ends, 0, word + op.run_words)),
                column.eq(Mux(op_ends, 0, column + column_ends)),
                self.runs.valid.eq(1),
                run.begins.eq((column == 0) & (word == 0)),
                run.empty.eq(empty),
                run.words.eq(Mux(column_ends, rest, op.run_words)),
                run.first_word.eq(self.columns.payload * op.words + word),
                *(run[name].eq(op[name]) for name in _WHAT_IS_FETCHED),
            ]
        return m
