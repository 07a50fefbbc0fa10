"""Forward on compressed columns: one lane's accumulators, each at its own place and moved between banks by itself."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory
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
    does not reach every accumulator, so that each moves when it is first reached in a step. Two memories of a bit for
    even and one for odd steps tell who has: `touched`, which the adder writes, and `given`, which the reader writes.
    The two bits of a step differ while an accumulator was reached in it and its M has not been read. The adder makes
    its bit differ; the reader, which reads every accumulator once a step, makes its own equal. Each step that reaches
    an accumulator turns one bit of `touched` over, so that their sum says in which bank the newest value is.

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

    Attributes
    ----------
    active, place, odd, first : In
        The word in stage 1: whether there is something to add, to which accumulator, whether its step is odd and
        whether it is the first of a sample, before which M is zero.
    product : In(signed(product_bits))
        That of the word in stage 3.
    en, addr, data : In(1), In, Out(signed(formats.memory_bits))
        Reads M in the next cycle. Address: accumulator times 2, plus whether the step is odd.
    """

    def __init__(self, *, formats: Formats, accumulator_words: int, product_bits: int) -> None:
        self._formats, self._depth = formats, max(accumulator_words, 2)
        place = ceil_log2(self._depth)
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
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the memories with who adds and who reads."""
        m = Module()
        shape = data.ArrayLayout(signed(self._formats.memory_bits), BANKS)
        m.submodules.banks = banks = UncheckedMemory(shape=shape, depth=self._depth)
        m.submodules.touched = touched = Memory(shape=2, depth=self._depth, init=[])
        m.submodules.given = given = Memory(shape=2, depth=self._depth, init=[])
        self._read(m, banks, touched, given)
        self._add(m, banks, touched, given)
        return m

    def _read(self, m: Module, banks: Memory, touched: Memory, given: Memory) -> None:
        """Give M of the step that may be read, wherever it is; make the bit of that step equal."""
        forgotten, forgets = Signal(range(self._depth + 1)), Signal()
        place, is_odd = Signal(len(self.place)), Signal()
        ports = [memory.read_port() for memory in (banks, touched, given)]
        m.d.comb += [
            forgets.eq((forgotten != self._depth) & ~self.en),
            place.eq(Mux(forgets, forgotten, self.addr[1:])),
        ]
        with m.If(forgets):
            m.d.sync += forgotten.eq(forgotten + 1)
        for port in ports:
            m.d.comb += [port.addr.eq(place), port.en.eq(self.en | forgets)]
        kept, reached, seen = (port.data for port in ports)
        moved = reached ^ seen
        of_later = Mux(is_odd, moved[0], moved[1])
        write = given.write_port(granularity=1)
        m.d.sync += is_odd.eq(self.addr[0])
        m.d.comb += [
            self.data.eq(Mux(reached[0] ^ reached[1] ^ of_later, kept[1], kept[0])),
            write.addr.eq(delayed(m, place, 1)),
            write.data.eq(reached),
            write.en.eq(Mux(delayed(m, forgets, 1), 3, delayed(m, self.en, 1) << is_odd)),
        ]

    def _add(self, m: Module, banks: Memory, touched: Memory, given: Memory) -> None:
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
        given: Memory,
        stages: list[data.View],
        result: Signal,
        marks: Signal,
    ) -> tuple[Value, Value, Value]:
        """Return newest value, bits of `touched` and of `given` in stage 3, as `Matvec` finds its newest value."""
        ports = [memory.read_port() for memory in (banks, touched, given)]
        m.d.comb += [port.addr.eq(self.place) for port in ports]
        kept, reached, seen = (port.data for port in ports)
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
                held_seen.eq(seen),
            ]
        newest = Mux(near, now, held)
        return newest[:width].as_signed(), newest[width:], held_seen
