"""The local home of all matrices of one kind, W or dW: reads fired columns for the lanes, stores what they return."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import Component, In, Out, Signature
from amaranth.utils import ceil_log2

from deltatrain.rtl.engine.single_port_banks import SinglePortBanks, bank_of
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.layouts import INDEX_BITS, GroupColumn, word
from deltatrain.rtl.parts.read_buffer import ReadBuffer
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["RETURN_CYCLES", "Banks", "HostPort", "MatrixOp", "MatrixStore"]

RETURN_CYCLES = 7
"""Most cycles from a word's taking to its return that sustain a word a cycle; a later return only costs cycles.

The lanes need 5 for W and 4 for dW (the table in `rtl.lanes.unit`); two are spare.
"""


@dataclass(frozen=True)
class Banks:
    """Banks of one port.

    Attributes
    ----------
    number
        B.
    return_cycles
        From the cycle in which the law addresses a word to that in which the word is stored that returns for it
        (`accel.modes.outer`, `accel.modes.update`).
    """

    number: int
    return_cycles: int


class MatrixOp(data.StructLayout):
    """One op on a matrix: which columns' words are read is said by the list of entries beside it.

    Parameters
    ----------
    words
        Words of the store.

    Members
    -------
    base : unsigned
        First word of the matrix; word k of column j is at base + j * K + k, of a compressed column at base + its
        first word + k.
    columns : unsigned(INDEX_BITS + 1)
        Columns, n; 0 is an op in which nothing fired.
    words : unsigned
        Words a column, K, at least 1; not used where columns are compressed.
    writes_back : unsigned(1)
        Whether for each word that is read a new one returns, which takes its place.
    """

    def __init__(self, words: int) -> None:
        super().__init__(
            {
                "base": range(words),
                "columns": unsigned(INDEX_BITS + 1),
                "words": range(words + 1),
                "writes_back": 1,
            }
        )


class HostPort(Signature):
    """The host's access to a local matrix, seen from its home.

    Parameters
    ----------
    value_bits, lanes, words
        As of the `MatrixStore`.

    Members
    -------
    host_writes : In(stream.Signature({"address", "word"}))
        Words to be stored.
    host_addresses : In(stream.Signature(unsigned))
        Words to be read.
    host_words : Out(stream.Signature(word))
        The words at these addresses.
    """

    def __init__(self, *, value_bits: int, lanes: int, words: int) -> None:
        address, shape = unsigned(ceil_log2(words)), word(value_bits, lanes)
        super().__init__(
            {
                "host_writes": In(stream.Signature(data.StructLayout({"address": address, "word": shape}))),
                "host_addresses": In(stream.Signature(address)),
                "host_words": Out(stream.Signature(shape)),
            }
        )


class MatrixStore(Component):
    """One wide memory that reads a word a cycle, across columns and across ops.

    A word of column j takes this way; only the memory registers it:

        cycle    s            s + 1                          s + 2                  w            w + 1
                 op offered   entry j offered: address       word offered; its      new word     the new word
                              base + j * K + k; room for     taking may wait        returns:     may be
                              the word and for its return    without a bubble       stored       addressed
                              was there

    An op and an entry stay at their ports until their last address is out. An entry leaves with its column's last word,
    an op with its last column's; an op without columns takes one cycle. So the addresses of the next column and of the
    next op follow without a gap. Nothing compares addresses: an op that reads what an earlier op wrote may be offered
    only after the last of those words has returned, at the earliest in the cycle after.

    An op in which nothing fired never stalls. All others wait for an entry and for a place in the buffer. Ops that
    write back also wait for a place among the addresses to which words will return.

    The memory has one port to read and one to write, or banks of one port. There a read waits while a word is stored in
    its bank. So that no word comes late, lanes wait for one that returns if that which was taken `return_cycles` before
    it is of its bank: just then it might have had to be read in the cycle of that one's return. Words that nobody waits
    for so are read in time, as they have the cycle before they are taken, if none earlier (`sim.memory.banks`).

    The host reads and writes between ops. Its reads wait while an op is offered or the lanes do not take words; its
    writes wait for a word that returns. It must take what it reads, because words for the lanes queue behind.

    Parameters
    ----------
    value_bits
        Width of a value.
    lanes
        P, values in a word.
    words
        Words in the memory.
    row
        What names a compressed column (`rtl.lists.column_table`); None where columns are whole.
    banks
        Of one port; None for a memory of two ports.
    tells_last
        Whether entries tell which is their op's last, whose columns are then not counted: any number but 0 will do.

    Attributes
    ----------
    ops : In(stream.Signature(MatrixOp))
        The ops, in their order; what they read may be addressed from the cycle in which they are offered.
    entries : In(stream.Signature(unsigned(INDEX_BITS)))
        The columns of each op, or their rows where they are compressed; a `GroupColumn` each if they tell the last.
    read_words : Out(stream.Signature(word))
        The words of these columns.
    new_words : In(stream.Signature(word))
        The words that return, in the order in which they were read; always ready. Only words of ops that write back
        return.
    host : Out(HostPort)
        The host's access.
    """

    def __init__(
        self,
        *,
        value_bits: int,
        lanes: int,
        words: int,
        row: data.Layout | None = None,
        banks: Banks | None = None,
        tells_last: bool = False,
    ) -> None:
        check_at_least("value_bits", value_bits, 1)
        check_at_least("lanes", lanes, 1)
        check_at_least("words", words, 2)
        self._word = word(value_bits, lanes)
        self._depth, self._is_sparse, self._banks = words, row is not None, banks
        self._tells_last = tells_last
        column = GroupColumn() if tells_last else unsigned(INDEX_BITS) if row is None else row
        super().__init__(
            {
                "ops": In(stream.Signature(MatrixOp(words))),
                "entries": In(stream.Signature(column)),
                "read_words": Out(stream.Signature(self._word)),
                "new_words": In(stream.Signature(self._word)),
                "host": Out(HostPort(value_bits=value_bits, lanes=lanes, words=words)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Choose who addresses the memory; send what it answers there; let what returns follow."""
        m = Module()
        read, write, may_read = self._memory(m)
        places = SyncFIFO(width=len(read.addr), depth=RETURN_CYCLES + 2)
        m.submodules.places = places  # addresses of words that are still to return
        item = data.StructLayout({"word": self._word, "for_host": 1, **(self._turn if self._banks else {})})
        m.submodules.buffer = buffer = ReadBuffer(shape=item)
        by_op, by_host = Signal(), Signal()
        returns = self.ops.payload.writes_back
        free = buffer.free if may_read is None else buffer.free & may_read
        address = self._walk(m, by_op, free & (places.w_rdy | ~returns))
        m.d.comb += [
            self.host.host_addresses.ready.eq(free & ~self.ops.valid),
            by_host.eq(self.host.host_addresses.valid & self.host.host_addresses.ready),
            read.addr.eq(Mux(self.ops.valid, address, self.host.host_addresses.payload)),
            read.en.eq(by_op | by_host),
            buffer.read.eq(read.en),
            buffer.item.word.eq(read.data),
        ]
        whose = {"for_host": by_host}
        if self._banks:
            whose |= {"returns": by_op & returns, "bank": bank_of(read.addr, self._banks.number)}
        for name, value in whose.items():
            held = Signal.like(value, name=name)  # of the word that the memory's register holds
            m.d.comb += buffer.item[name].eq(held)
            with m.If(read.en):
                m.d.sync += held.eq(value)
        self._hand_out(m, buffer)
        m.d.comb += [places.w_data.eq(address), places.w_en.eq(by_op & self.ops.payload.writes_back)]
        self._store(m, write, places)
        return m

    def _memory(self, m: Module) -> tuple[ReadPort, WritePort, Value | None]:
        """Return the two ports of the memory, and whether what is addressed may be read now, unless it always may."""
        if self._banks is None:
            m.submodules.memory = memory = UncheckedMemory(shape=self._word, depth=self._depth)
            read, write = memory.read_port(), memory.write_port()
            return read, write, None
        m.submodules.memory = banks = SinglePortBanks(shape=self._word, depth=self._depth, banks=self._banks.number)
        return banks.read, banks.write, banks.may_read

    @property
    def _turn(self) -> dict[str, object]:
        """What a word tells with banks of one port: whether a new one returns for it, and its bank."""
        assert self._banks is not None
        return {"returns": 1, "bank": range(max(self._banks.number, 2))}

    def _walk(self, m: Module, fire: Signal, has_room: Signal) -> Signal:
        """Drive `fire`, whether the op offered addresses a word in this cycle, and return the address."""
        op, entry = self.ops.payload, self.entries.payload
        index = entry.index if self._tells_last else entry
        first, length = (entry.first, entry.words) if self._is_sparse else (index * op.words, op.words)
        column, number = Signal.like(op.columns), Signal.like(op.words)
        address, running = Signal(ceil_log2(self._depth)), Signal(ceil_log2(self._depth))
        column_ends, op_ends, nothing_fired = Signal(), Signal(), Signal()
        m.d.comb += [
            nothing_fired.eq(op.columns == 0),
            fire.eq(self.ops.valid & ~nothing_fired & self.entries.valid & has_room),
            address.eq(Mux(number == 0, op.base + first, running)),
            column_ends.eq(number + 1 == length),
            op_ends.eq(column_ends & (entry.last if self._tells_last else column + 1 == op.columns)),
            self.entries.ready.eq(fire & column_ends),
            self.ops.ready.eq(self.ops.valid & (nothing_fired | (fire & op_ends))),
        ]
        with m.If(fire):
            m.d.sync += [running.eq(address + 1), number.eq(Mux(column_ends, 0, number + 1))]
            with m.If(column_ends):
                m.d.sync += column.eq(Mux(op_ends, 0, column + 1))
        return address

    def _hand_out(self, m: Module, buffer: ReadBuffer) -> None:
        """Offer each word to the lanes or to the host, whichever asked for it."""
        for_host = buffer.o.payload.for_host
        may_be_taken = buffer.o.valid & ~for_host
        if self._banks:
            may_be_taken = may_be_taken & ~self._waits(m, buffer.o.payload)
        m.d.comb += [
            self.read_words.payload.eq(buffer.o.payload.word),
            self.host.host_words.payload.eq(buffer.o.payload.word),
            self.read_words.valid.eq(may_be_taken),
            self.host.host_words.valid.eq(buffer.o.valid & for_host),
            buffer.o.ready.eq(Mux(for_host, self.host.host_words.ready, self.read_words.ready)),
        ]

    def _waits(self, m: Module, item: data.View) -> Value:
        """Return whether the word offered is of the bank of the one that was taken its return's cycles before it."""
        assert self._banks is not None
        taken = Signal(data.StructLayout(self._turn))
        m.d.comb += [
            taken.returns.eq(self.read_words.valid & self.read_words.ready & item.returns),
            taken.bank.eq(item.bank),
        ]
        before = delayed(m, taken, self._banks.return_cycles)
        waits: Value = item.returns & before.returns & (before.bank == item.bank)
        return waits

    def _store(self, m: Module, write: WritePort, places: SyncFIFO) -> None:
        """Store what returns where it was read, at once; what the host writes when nothing returns."""
        returns, host = self.new_words, self.host.host_writes
        m.d.comb += [
            returns.ready.eq(1),
            host.ready.eq(~returns.valid),
            places.r_en.eq(returns.valid),
            write.en.eq(returns.valid | host.valid),
            write.addr.eq(Mux(returns.valid, places.r_data, host.payload.address)),
            write.data.eq(Mux(returns.valid, returns.payload, host.payload.word)),
        ]
