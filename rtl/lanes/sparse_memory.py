"""Forward on compressed columns: one lane's accumulators, each at its own place and moved between banks by itself."""

from __future__ import annotations

import functools
import operator
from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Formats
from deltatrain.rtl.lanes.op import BANKS
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.number import fit
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["SparseMemory"]


class _Marks(data.StructLayout):
    """What the adder notes of an accumulator.

    Members
    -------
    touched : unsigned(2)
        A bit for even steps and one for odd.
    taken : unsigned(1)
        Differs from the bit of what was restored until that is added to.
    from_third : unsigned(1)
        Whether the newest step began from what was restored. Both are present if `restores`.
    """

    def __init__(self, restores: bool) -> None:
        super().__init__({"touched": 2, **({"taken": 1, "from_third": 1} if restores else {})})


class _Answer(NamedTuple):
    """What the memories answer of an accumulator, in the cycle after they are asked."""

    banks: Any
    marks: Any
    given: list[Any]
    laid: Any
    third: Any

    @property
    def moved(self) -> Value:
        """For even and for odd steps whether one has reached the accumulator whose M has not been read."""
        return functools.reduce(operator.xor, self.given, self.marks.touched)

    @property
    def is_restored(self) -> Value:
        """Whether the newest value is what was restored."""
        found: Value = self.laid ^ self.marks.taken
        return found


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

    Where states are kept, M that is restored is written to a third memory, and a bit beside it, `laid`, is made to
    differ from `taken`, which the adder makes equal when it first adds to the accumulator. A step that is undone is
    taken out in place: nobody reads meanwhile.

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
    restores
        Whether M is restored, and steps are undone.

    Attributes
    ----------
    active, place, odd, first, undoes : In
        The word in stage 1: whether there is something to add, to which accumulator, whether its step is odd, whether
        it is the first of a sample, before which M is zero, and whether it is taken out, if `restores`.
    product : In(signed(product_bits))
        That of the word in stage 3.
    en, addr, data : In(1), In, Out(signed(formats.memory_bits))
        Reads M in the next cycle. Address: accumulator times 2, plus whether the step is odd.
    partial : In(ReadPort.Signature)
        Likewise, for the exchange; present if `is_part`.
    restored : In(WritePort.Signature)
        Restores M, by accumulator; it may be read and added to two cycles later. Present if `restores`.
    """

    def __init__(
        self,
        *,
        formats: Formats,
        accumulator_words: int,
        product_bits: int,
        is_part: bool = False,
        restores: bool = False,
    ) -> None:
        self._formats, self._depth = formats, max(accumulator_words, 2)
        self._is_part, self._restores = is_part, restores
        place, value = ceil_log2(self._depth), signed(formats.memory_bits)
        partial = ReadPort.Signature(addr_width=1 + place, shape=value)
        self._word = {"active": 1, "place": place, "odd": 1, "first": 1, **({"undoes": 1} if restores else {})}
        super().__init__(
            {
                **{name: In(width) for name, width in self._word.items()},
                "product": In(signed(product_bits)),
                "en": In(1),
                "addr": In(1 + place),
                "data": Out(value),
                **({"partial": Out(partial)} if is_part else {}),
                **({"restored": In(WritePort.Signature(addr_width=place, shape=value))} if restores else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the memories with who adds, who reads and who restores."""
        m = Module()
        value = signed(self._formats.memory_bits)
        shapes: dict[str, Any] = {"touched": _Marks(self._restores), "given": 2}
        shapes |= {"given_partial": 2} if self._is_part else {}
        shapes |= {"laid": 1} if self._restores else {}
        self._marks = {name: Memory(shape=shape, depth=self._depth, init=[]) for name, shape in shapes.items()}
        self._banks = UncheckedMemory(shape=data.ArrayLayout(value, BANKS), depth=self._depth)
        self._third = UncheckedMemory(shape=value, depth=self._depth) if self._restores else None
        for name, memory in {"banks": self._banks, **self._marks}.items():
            m.submodules[name] = memory
        forgotten, forgets = Signal(range(self._depth + 1)), Signal()
        m.d.comb += forgets.eq((forgotten != self._depth) & ~self.en)
        with m.If(forgets):
            m.d.sync += forgotten.eq(forgotten + 1)
        place = Signal(len(self.place))
        m.d.comb += place.eq(Mux(forgets, forgotten, self.addr[1:]))
        givers = ("given", "given_partial")
        m.d.comb += self.data.eq(self._read(m, givers, self.en, self.addr[0], place, forgets))
        if self._is_part:
            partial = self.partial
            found = self._read(m, givers[::-1], partial.en, partial.addr[0], partial.addr[1:])
            m.d.comb += partial.data.eq(found)
        if self._restores:
            self._restore(m)
        self._add(m)
        return m

    def _ask(self, m: Module, place: Value, en: Value | int = 1, givers: tuple[str, ...] = ("given",)) -> _Answer:
        """Ask all memories of an accumulator; those of `givers` in their order."""

        def asked(memory: Any) -> Any:
            port = memory.read_port()
            m.d.comb += [port.addr.eq(place), port.en.eq(en)]
            return port.data

        of = self._marks
        laid, third = (None, None) if self._third is None else (asked(of["laid"]), asked(self._third))
        given = [asked(of[name]) for name in givers if name in of]
        return _Answer(asked(self._banks), asked(of["touched"]), given, laid, third)

    def _read(
        self, m: Module, givers: tuple[str, ...], en: Value, odd: Value, place: Value, forgets: Value | int = 0
    ) -> Value:
        """Make the reader's bit of the step that may be read equal, and return M of that step, wherever it is.

        The reader's own marks are the first of `givers`.
        """
        answer = self._ask(m, place, en | forgets, givers)
        is_odd, was_read, forgot = Signal(), Signal(), Signal()
        m.d.sync += [is_odd.eq(odd), was_read.eq(en), forgot.eq(forgets)]
        touched, marks = answer.marks.touched, answer.marks
        of_later = Mux(is_odd, answer.moved[0], answer.moved[1])
        write = self._marks[givers[0]].write_port(granularity=1)
        m.d.comb += [
            write.addr.eq(delayed(m, place, 1)),
            write.data.eq(functools.reduce(operator.xor, answer.given[1:], touched)),
            write.en.eq(Mux(forgot, 3, was_read << is_odd)),
        ]
        found: Value = Mux(touched[0] ^ touched[1] ^ of_later, answer.banks[1], answer.banks[0])
        if self._restores:
            found = Mux(Mux(of_later, marks.from_third, answer.is_restored), answer.third, found)
        return found

    def _restore(self, m: Module) -> None:
        """Write what is restored, and let `laid` differ from `taken`; the first step of a sample makes them equal."""
        assert self._third is not None
        m.submodules.third = self._third
        taken, restored, en = self._marks["touched"].read_port(), self.restored, Signal()
        write, laid = self._third.write_port(), self._marks["laid"].write_port()
        m.d.sync += en.eq(restored.en)
        m.d.comb += [
            taken.addr.eq(restored.addr),
            write.en.eq(en),
            write.addr.eq(delayed(m, restored.addr, 1)),
            write.data.eq(delayed(m, restored.data, 1)),
            laid.en.eq(en),
            laid.addr.eq(write.addr),
            laid.data.eq(~taken.data.taken),
        ]

    def _add(self, m: Module) -> None:
        """Add to the newest value, and write where the step's value belongs."""
        formats, result = self._formats, Signal(signed(self._formats.memory_bits))
        marks = Signal(_Marks(self._restores))  # of the word in stage 4
        word = Signal(data.StructLayout(self._word))
        m.d.comb += [word[name].eq(getattr(self, name)) for name in self._word]
        stages = [word]
        for _ in range(3):
            stages.append(delayed(m, stages[-1], 1))
        value, before, given, is_restored = self._newest(m, stages, result, marks)
        under_way, bit, is_new, new_marks = stages[2], Signal(2), Signal(), Signal.like(marks)
        total = Signal(signed(formats.memory_bits + 1))
        product: Value = self.product[: formats.weight.bits + formats.activation.bits].as_signed()
        m.d.comb += [
            bit.eq(Mux(under_way.odd, 2, 1)),
            is_new.eq(((before.touched ^ given) & bit) == 0),
            new_marks.touched.eq(before.touched ^ Mux(is_new, bit, 0)),
        ]
        if self._restores:
            product = Mux(under_way.undoes, -product, product)
            m.d.comb += new_marks.taken.eq(before.taken ^ is_restored)
            m.d.comb += new_marks.from_third.eq(Mux(is_new, is_restored, before.from_third))
            with m.If(under_way.undoes):
                m.d.comb += is_new.eq(0)
        m.d.comb += total.eq(Mux(under_way.first & is_new, 0, value) + product)
        with m.If(under_way.active):
            m.d.sync += [result.eq(fit(total, formats.memory)), marks.eq(new_marks)]
        write, write_marks = self._banks.write_port(granularity=1), self._marks["touched"].write_port()
        m.d.comb += [
            write.addr.eq(stages[3].place),
            *(kept.eq(result) for kept in write.data),
            write.en.eq(Mux(stages[3].active, 1 << (marks.touched[0] ^ marks.touched[1]), 0)),
            write_marks.addr.eq(stages[3].place),
            write_marks.data.eq(marks),
            write_marks.en.eq(stages[3].active),
        ]

    def _newest(
        self, m: Module, stages: list[data.View], result: Signal, marks: Signal
    ) -> tuple[Value, Any, Value, Value]:
        """Return newest value, its marks, `given`, and whether it was restored, in stage 3, as `Matvec` finds them."""
        answer = self._ask(m, self.place, 1, ("given", "given_partial"))
        touched = answer.marks.touched
        near_2, near, from_result, from_older = Signal(), Signal(), Signal(), Signal()
        for flag, before in zip((near_2, from_result, from_older), stages[1:], strict=True):
            m.d.sync += flag.eq(before.active & (before.place == self.place))
        m.d.sync += near.eq(near_2)
        kept = Mux(touched[0] ^ touched[1], answer.banks[1], answer.banks[0])
        shown_restored: Value | int = 0
        if self._restores:
            shown_restored = answer.is_restored
            kept = Mux(shown_restored, answer.third, kept)
        now = Cat(result, marks)
        held, held_given, older = Signal(len(now)), Signal(2), delayed(m, now, 1)
        held_restored = Signal()
        with m.If(stages[1].active):
            m.d.sync += [
                held.eq(Mux(from_result, now, Mux(from_older, older, Cat(kept[: len(result)], answer.marks)))),
                held_given.eq(functools.reduce(operator.xor, answer.given)),
                held_restored.eq(shown_restored & ~from_result & ~from_older),
            ]
        newest = Signal(len(now), name="newest")
        m.d.comb += newest.eq(Mux(near, now, held))
        found = data.View(marks.shape(), newest[len(result) :])
        return newest[: len(result)].as_signed(), found, held_given, held_restored & ~near
