"""Reads the columns of an op: a source becomes a stream of entries, one a cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.memory import ReadPort
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.rtl.lists.ports import list_port
from deltatrain.rtl.lists.source import ListSource, SourceKind
from deltatrain.rtl.parts.arguments import check_at_least, check_power_of_two
from deltatrain.rtl.parts.division import divided
from deltatrain.rtl.parts.fall_through_queue import FallThroughQueue
from deltatrain.rtl.parts.layouts import INDEX_BITS, Entry, word

__all__ = ["READ_CYCLES", "EntryReader"]

READ_CYCLES = 2
"""From asking for an entry to offering it."""


class EntryReader(Component):
    """Turns each source into its entries, the bias last; sources follow each other without a gap.

    An entry takes this way, if the queue behind has room for it:

    ====== ===================================================================================================
    cycle  stage
    ====== ===================================================================================================
    0      ask: the source at the port is looked up in the table; ring or memory of vectors is addressed
    1      answer: the memory's data, or a constant, is registered, as a memory answers late in its cycle
    2      it is offered at once; what is not taken now enters the queue
    ====== ===================================================================================================

    A source of n columns stays at the port for max(1, n) cycles, or longer under backpressure. It is read while it is
    at the port, so everything that it names must be stored when it is offered.

    Parameters
    ----------
    value_bits
        Width of a value.
    lanes
        P, elements of a word of a vector, a power of two.
    ring_depth
        Entries of the ring of lists, a power of two of at least 2.
    lists
        Numbers of lists, at least 2.
    vector_words
        Words of the memory of vectors, at least 2.
    one
        The value of the bias: 1.0, or the nearest there is.
    array, arrays
        Of several arrays the one whose columns are read: those that are `array` modulo `arrays`.
    table
        The port to a table of compressed columns (`rtl.lists.column_table`); None where columns are whole.
    spikes
        Whether lists are of spikes, whose value is 1.0, and of gradient-only neurons, whose value is 0.
    tells_last
        Whether entries tell which is the last of its source.
    marks
        Whether gradient-only neurons have a mark in a vector, a negative value, which is read as 0, too.
    most_columns
        Most columns of a source, with the bias, if fewer than an index can count; numbers are no wider than that needs.

    Attributes
    ----------
    sources : In(stream.Signature(ListSource(lists, vector_words)))
        What to read; one is taken when its last entry is asked for.
    columns : In(range(most_columns + 1))
        What `columns_of` tells of the source at the port: from a register if it was looked up ahead.
    count : Out(range(most_columns + 1))
        Entries of the source at the port, with the bias; of meaning while ``sources.valid``.
    empty : Out(1)
        Whether there are none, sooner in the cycle.
    lists : In(list_port(value_bits=value_bits, entries=ring_depth, lists=lists))
        To the table of lists, which answers in the same cycle, and to the ring of entries, which does in the next.
    vectors : In(ReadPort.Signature)
        To the memory of vectors, which answers in the next cycle with a whole word.
    table : In(ReadPort.Signature)
        To the table, which answers in the next cycle; present with a `table`.
    entries : Out(stream.Signature(Entry(value_bits, row)))
        The entries, with the table's row of each column.
    """

    def __init__(
        self,
        *,
        value_bits: int,
        lanes: int,
        ring_depth: int,
        lists: int,
        vector_words: int,
        one: int,
        array: int = 0,
        arrays: int = 1,
        table: ReadPort.Signature | None = None,
        spikes: bool = False,
        most_columns: int | None = None,
        tells_last: bool = False,
        marks: bool = False,
    ) -> None:
        check_at_least("value_bits", value_bits, 2)
        most = 1 << INDEX_BITS if most_columns is None else most_columns
        check_at_least("most_columns", most, 1)
        check_power_of_two("lanes", lanes)
        check_at_least("ring_depth", ring_depth, 2)
        check_power_of_two("ring_depth", ring_depth)
        check_at_least("lists", lists, 2)
        check_at_least("vector_words", vector_words, 2)
        check_at_least("one", one, 1)
        if one >= 1 << (value_bits - 1):
            raise ValueError(f"one must be at most {(1 << (value_bits - 1)) - 1}, the highest value, not {one!r}")
        check_at_least("arrays", arrays, 1)
        self._value_bits, self._lane_bits, self._one = value_bits, ceil_log2(lanes), one
        self._array, self._arrays, self._spikes, self._has_table = array, arrays, spikes, table is not None
        self._marks = marks
        rows = 1 << table.addr_width if table is not None else 0
        self._source = ListSource(lists, vector_words, spikes=spikes, table_rows=rows)
        self._entry, self._tells_last = Entry(value_bits, table and table.shape, tells_last=tells_last), tells_last
        vectors = ReadPort.Signature(addr_width=ceil_log2(vector_words), shape=word(value_bits, lanes))
        super().__init__(
            {
                "sources": In(stream.Signature(self._source)),
                "columns": In(range(most + 1)),
                "count": Out(range(most + 1)),
                "empty": Out(1),
                "lists": In(list_port(value_bits=value_bits, entries=ring_depth, lists=lists, spikes=spikes)),
                "vectors": In(vectors),
                **({} if table is None else {"table": In(table)}),
                "entries": Out(stream.Signature(self._entry)),
            }
        )

    def columns_of(self, source: data.View, place: data.View) -> Value:
        """Return the entries of a source, whose list if it has one is at `place`, without the bias."""
        own, _, _ = self._own(source, Const(0))
        return Mux(source.kind == SourceKind.FIRED, self._listed(source, place), own)

    def elaborate(self, platform: object) -> Module:
        """Ask for entries while there is room for them; queue the answers."""
        m = Module()
        m.submodules.queue = queue = FallThroughQueue(shape=self._entry, depth=READ_CYCLES + 1)
        of_entry = _Asked(self._spikes, self._tells_last)
        asked, answered = (Signal(of_entry, name=name) for name in ("asked", "answered"))
        self._ask(m, asked, queue)
        m.d.sync += answered.eq(asked)
        self._answer(m, answered, queue)
        m.d.comb += [
            self.entries.valid.eq(queue.o.valid),
            self.entries.payload.eq(queue.o.payload),
            queue.o.ready.eq(self.entries.ready),
        ]
        return m

    def _ask(self, m: Module, asked: data.View, queue: FallThroughQueue) -> None:
        """Say what the entry of this cycle is, address it, and move on to the next."""
        source, place = self.sources.payload, self.lists.table.place
        listed, columns = Signal(), self.columns
        # The number and the one after it are in registers, so that no comparison waits for an adder.
        column, after = Signal.like(columns), Signal.like(columns, init=1)
        at_end, last, shares = Signal(), Signal(), source.kind == SourceKind.SHARE
        _, bias, index = self._own(source, column)
        empty, at_bias = self.empty, bias & at_end
        learns = (column >= place.count) if self._spikes else Const(0)
        m.d.comb += [
            self.lists.table.list.eq(source.list),
            self.lists.reads.eq(source.list),
            listed.eq(source.kind == SourceKind.FIRED),
            self.count.eq(columns + bias),
            empty.eq(~bias & (columns == 0)),
            at_end.eq(column == columns),
            last.eq(Mux(bias, at_end, after == columns)),
            asked.valid.eq(self.sources.valid & ~empty & queue.free),
            asked.from_ring.eq(listed & ~at_bias),
            asked.from_vector.eq(((source.kind == SourceKind.VECTOR) | shares) & ~at_bias),
            asked.one.eq(at_bias & (source.kind != SourceKind.ALL) & ~shares),
            asked.index.eq(Mux(at_bias, source.width, index)),
            queue.reserve.eq(asked.valid),
            self.sources.ready.eq(self.sources.valid & (empty | (asked.valid & last))),
            self.lists.ring.en.eq(asked.valid & asked.from_ring),
            self.lists.ring.addr.eq(self._address(place, column, learns)),
            self.vectors.en.eq(asked.valid & asked.from_vector),
            self.vectors.addr.eq(source.base + index[self._lane_bits :]),
        ]
        if self._spikes:
            m.d.comb += asked.spike.eq(~learns)
        if self._tells_last:
            m.d.comb += asked.last.eq(last)
        with m.If(asked.valid):
            m.d.sync += [column.eq(Mux(last, 0, after)), after.eq(Mux(last, 1, after + 1))]

    def _listed(self, source: data.View, place: data.View) -> Value:
        """Return the entries of the list at `place` that are read."""
        return place.count + Mux(source.learning, place.learning, 0) if self._spikes else place.count

    def _address(self, place: data.View, column: Value, learns: Value) -> Value:
        """Return where entry `column` of the list at `place` is, which is of a gradient-only neuron if `learns`."""
        if not self._spikes:
            return place.base + column
        first = Mux(learns, place.learning_base - place.count, place.base)
        return Cat((first + column)[: len(place.base)], learns)

    def _own(self, source: data.View, column: Value) -> tuple[Value, Value, Value]:
        """Return the array's own columns of a whole vector, whether the bias is one more, and which is number `column`.

        One array has all of them.
        """
        if self._arrays == 1:
            return source.count, source.bias, column
        bits, arrays = ceil_log2(self._arrays), self._arrays
        own = divided(source.count + (arrays - 1 - self._array), arrays).quotient
        bias = source.bias & (divided(source.width, arrays).remainder == self._array)
        return (
            own,
            bias,
            Cat(Const(self._array, bits), column) if arrays == 1 << bits else column * arrays + self._array,
        )

    def _answer(self, m: Module, answered: data.View, queue: FallThroughQueue) -> None:
        """Put together the entry that was asked for in the cycle before, for the cycle after."""
        m.d.sync += queue.push.eq(answered.valid)
        with m.If(answered.valid):
            m.d.sync += [queue.item.index.eq(answered.index), queue.item.value.eq(Mux(answered.one, self._one, 0))]
            if self._tells_last:
                m.d.sync += queue.item.last.eq(answered.last)
            with m.If(answered.from_ring):
                ring = self.lists.ring.data
                value = Mux(answered.spike, self._one, 0) if self._spikes else ring.value
                m.d.sync += [queue.item.index.eq(ring.index), queue.item.value.eq(value)]
            with m.Elif(answered.from_vector):
                value = self.vectors.data[answered.index[: self._lane_bits]]
                m.d.sync += queue.item.value.eq(Mux(value < 0, 0, value) if self._marks else value)
        if self._has_table:
            self._look_up(m, answered, queue)

    def _look_up(self, m: Module, answered: data.View, queue: FallThroughQueue) -> None:
        """Look the column of the entry up in the table, whose row comes with the entry in the next cycle."""
        begins = Signal.like(self.table.addr)  # where the matrix's rows begin, of the entry that was asked for
        m.d.sync += begins.eq(self.sources.payload.table)
        index = Mux(answered.from_ring, self.lists.ring.data.index, answered.index)
        m.d.comb += [
            self.table.en.eq(answered.valid),
            self.table.addr.eq(begins + index),
            queue.item.row.eq(self.table.data),
        ]


class _Asked(data.StructLayout):
    """An entry on its way: where it comes from, and its column where it does not come from the ring.

    If it comes neither from the ring nor from a vector its value is 1.0 (`one`) or 0. So it is of an entry of a list of
    spikes (`spike`). It may be told whether it is the `last` of its source.
    """

    def __init__(self, spikes: bool, tells_last: bool) -> None:
        more = (*(("spike",) if spikes else ()), *(("last",) if tells_last else ()))
        fields = dict.fromkeys(("valid", "from_ring", "from_vector", "one", *more), 1)
        super().__init__({**fields, "index": INDEX_BITS})
