"""Forward on compressed columns: one lane's accumulators, each at its own place and moved between banks by itself."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Formats
from deltatrain.rtl.lanes.op import BANKS
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.number import fit
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["SparseMemory"]


class SparseMemory(Component):
    """M of one lane, and the adder that accumulates into it.

    M of step t may be read while words of step t + 1 are added to it, as in `rtl.lanes.banks`; but a compressed column
    does not reach every accumulator, so that each moves when it is first reached in a step. Two memories tell which
    has moved, with a bit for even steps and one for odd: `touched`, which the adder writes, and `given`, the reader's.
    The two bits of a step differ while an accumulator was reached in it and its M has not been read. The adder makes
    its bit differ; the reader, which reads every accumulator once a step, makes its own equal. Each step that reaches
    an accumulator turns one bit of `touched` over, so that their sum says in which bank the newest value is.

    In one of several tiles the exchange reads logits, beside the element-wise unit, which reads everything else. Each
    of the two readers writes a memory of its own, and `given` is their sum: as no accumulator has both, that is what
    the one that has it wrote.

    Stages are those of `rtl.lanes.modes.matvec.Matvec`. After a reset, what was not read is forgotten, an accumulator a
    cycle.

    Parameters
    ----------
    formats
        Of the engine.
    accumulator_words
        Accumulators of the lane in one bank.
    product_bits
        Width of a product.
    is_part
        Whether this is a lane of one of several tiles.

    Attributes
    ----------
    active, place, odd, first : In
        The word in stage 1: whether there is something to add, to which accumulator, whether its step is odd and
        whether it is the first of a sample, before which M is zero.
    product : In(signed(product_bits))
        That of the word in stage 3.
    en, addr, data : In(1), In, Out(signed(formats.memory_bits))
        Reads M in the next cycle. Address: accumulator times 2, plus whether the step is odd.
    partial : In(ReadPort.Signature)
        Likewise, for the exchange; present if `is_part`.
    """

    def __init__(self, *, formats: Formats, accumulator_words: int, product_bits: int, is_part: bool = False) -> None:
        self._formats, self._depth, self._is_part = formats, max(accumulator_words, 2), is_part
        place = ceil_log2(self._depth)
        partial = ReadPort.Signature(addr_width=1 + place, shape=signed(formats.memory_bits))
        super().__init__(
            {
                "active": In(1),
                "place": In(place),
                "odd": In(1),
                "first": In(1),
                "product": In(signed(product_bits)),
                "en": In(1),
                "addr": In(1 + place),
                "data": Out(signed(formats.memory_bits)),
                **({"partial": Out(partial)} if is_part else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the memories with who adds and who reads."""
        m = Module()
        shape = data.ArrayLayout(signed(self._formats.memory_bits), BANKS)
        m.submodules.banks = banks = UncheckedMemory(shape=shape, depth=self._depth)
        m.submodules.touched = touched = Memory(shape=2, depth=self._depth, init=[])
        m.submodules.given = given = Memory(shape=2, depth=self._depth, init=[])
        marks = [given]
        if self._is_part:
            m.submodules.given_partial = given_partial = Memory(shape=2, depth=self._depth, init=[])
            marks.append(given_partial)
        forgotten, forgets = Signal(range(self._depth + 1)), Signal()
        m.d.comb += forgets.eq((forgotten != self._depth) & ~self.en)
        with m.If(forgets):
            m.d.sync += forgotten.eq(forgotten + 1)
        m.d.comb += self.data.eq(
            self._read(m, (banks, touched, *marks), self.en, self.addr, Mux(forgets, forgotten, 0), forgets)
        )
        if self._is_part:
            partial, own = self.partial, (given_partial, given)
            m.d.comb += partial.data.eq(self._read(m, (banks, touched, *own), partial.en, partial.addr))
        self._add(m, banks, touched, marks)
        return m

    def _read(
        self,
        m: Module,
        memories: tuple[Memory, ...],
        en: Value,
        addr: Value,
        forgotten: Value | int = 0,
        forgets: Value | int = 0,
    ) -> Value:
        """Give M of the step that may be read, wherever it is; make the bit of that step equal.

        `memories` are the banks, `touched`, and those of `given`, the reader's own first.
        """
        place, is_odd, forgot, was_read = Signal(len(self.place)), Signal(), Signal(), Signal()
        m.d.comb += place.eq(Mux(forgets, forgotten, addr[1:]))
        ports = [memory.read_port() for memory in memories]
        for port in ports:
            m.d.comb += [port.addr.eq(place), port.en.eq(en | forgets)]
        kept, reached, *marks = (port.data for port in ports)
        moved = reached ^ _sum(marks)
        of_later = Mux(is_odd, moved[0], moved[1])
        write = memories[2].write_port(granularity=1)
        m.d.sync += [is_odd.eq(addr[0]), forgot.eq(forgets), was_read.eq(en)]
        m.d.comb += [
            write.addr.eq(delayed(m, place, 1)),
            write.data.eq(_sum([reached, *marks[1:]])),
            write.en.eq(Mux(forgot, 3, was_read << is_odd)),
        ]
        found: Value = Mux(reached[0] ^ reached[1] ^ of_later, kept[1], kept[0])
        return found

    def _add(self, m: Module, banks: Memory, touched: Memory, given: list[Memory]) -> None:
        """Add to the newest value, and write where the step's value belongs."""
        formats, result = self._formats, Signal(signed(self._formats.memory_bits))
        marks = Signal(2)  # bits of `touched` of the word in stage 4
        word = Signal(data.StructLayout({"active": 1, "place": self.place.shape(), "odd": 1, "first": 1}))
        m.d.comb += [word[name].eq(getattr(self, name)) for name, _ in word.shape()]
        stages = [word]
        for _ in range(3):
            stages.append(delayed(m, stages[-1], 1))
        value, reached, seen = self._newest(m, banks, touched, given, stages, result, marks)
        bit, is_new = Mux(stages[2].odd, 2, 1), Signal()
        m.d.comb += is_new.eq(((reached ^ seen) & bit) == 0)
        total = Signal(signed(formats.memory_bits + 1))
        product = self.product[: formats.weight.bits + formats.activation.bits].as_signed()
        m.d.comb += total.eq(Mux(stages[2].first & is_new, 0, value) + product)
        with m.If(stages[2].active):
            m.d.sync += [result.eq(fit(total, formats.memory)), marks.eq(reached ^ Mux(is_new, bit, 0))]
        write, write_marks = banks.write_port(granularity=1), touched.write_port()
        m.d.comb += [
            write.addr.eq(stages[3].place),
            *(kept.eq(result) for kept in write.data),
            write.en.eq(Mux(stages[3].active, 1 << (marks[0] ^ marks[1]), 0)),
            write_marks.addr.eq(stages[3].place),
            write_marks.data.eq(marks),
            write_marks.en.eq(stages[3].active),
        ]

    def _newest(
        self,
        m: Module,
        banks: Memory,
        touched: Memory,
        given: list[Memory],
        stages: list[data.View],
        result: Signal,
        marks: Signal,
    ) -> tuple[Value, Value, Value]:
        """Return newest value, bits of `touched` and of `given` in stage 3, as `Matvec` finds its newest value."""
        ports = [memory.read_port() for memory in (banks, touched, *given)]
        m.d.comb += [port.addr.eq(self.place) for port in ports]
        kept, reached, *marked = (port.data for port in ports)
        near_2, near, from_result, from_older = Signal(), Signal(), Signal(), Signal()
        for flag, before in zip((near_2, from_result, from_older), stages[1:], strict=True):
            m.d.sync += flag.eq(before.active & (before.place == self.place))
        m.d.sync += near.eq(near_2)
        shown = Cat(Mux(reached[0] ^ reached[1], kept[1], kept[0]), reached)
        now, width = Cat(result, marks), len(result)
        held, held_seen, older = Signal(len(now)), Signal(2), delayed(m, now, 1)
        with m.If(stages[1].active):
            m.d.sync += [
                held.eq(Mux(from_result, now, Mux(from_older, older, shown))),
                held_seen.eq(_sum(marked)),
            ]
        newest = Mux(near, now, held)
        return newest[:width].as_signed(), newest[width:], held_seen


def _sum(bits: Sequence[Value]) -> Value:
    """Return the sum of bits without carries."""
    return functools.reduce(operator.xor, bits)
