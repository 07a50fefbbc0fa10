"""Forward: M += W[:, j] * delta_j, in a memory of accumulators that takes a word in each cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Formats
from deltatrain.rtl.lanes.modes import Inputs
from deltatrain.rtl.lanes.op import BANKS, Mode, Underway
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.layouts import word
from deltatrain.rtl.parts.number import fit
from deltatrain.rtl.parts.unchecked_memory import UncheckedMemory

__all__ = ["Matvec", "factors"]


def factors(inputs: Inputs) -> tuple[Value, Value]:
    """Return weight and delta."""
    return inputs.weight, inputs.delta


class Matvec(Component):
    """The delta memory M of some lanes, and the adders that accumulate into it.

    Stages as in `rtl.lanes.unit`, for a word that is issued in stage 0:

        1  its accumulators are addressed, and their address is compared with those of the three words before
        2  M answers; the result of the second or third word before replaces the answer if it is newer
        3  add, fit; the result of the word right before is used if it went to the same place (K = 1)
        4  M is written

    A read does not see the write of its own cycle, so the three words in stages 2 to 4 are those that M does not show.

    Parameters
    ----------
    formats
        Of the engine.
    lanes
        How many lanes. In all of them a word meets the accumulators at the same place.
    accumulator_words
        Words of accumulators in one bank.
    product_bits
        Width of a product.
    term_bits
        Bits of it that are added: those that a product of weight and activation has, unless something else is added.
    is_part
        Whether M is also read to be added to that of other tiles.
    hands_on
        Whether these are the sums of an array that are handed on in stage 4 and not kept after an op.
    restores
        Whether there is a third bank, which only the element-wise unit writes (`rtl.lanes.banks`), and products may be
        taken out of M.

    Attributes
    ----------
    word : In(Underway)
        The word in stage 1.
    products : In(signed(product_bits)).array(lanes)
        Those of the word in stage 3.
    memory : Out(ReadPort.Signature)
        M, for the element-wise unit. Address: accumulator word times 2, plus bank; the highest bit is for the third
        bank, if there is one.
    restored : Out(WritePort.Signature)
        To the third bank, by accumulator word; only if `restores`.
    partial : Out(ReadPort.Signature)
        M, for the exchange, likewise; only if `is_part`.
    sums : Out(signed(formats.memory_bits)).array(lanes)
        What the word in stage 4 has become; only if `hands_on`.
    """

    def __init__(
        self,
        *,
        formats: Formats,
        lanes: int,
        accumulator_words: int,
        product_bits: int,
        term_bits: int | None = None,
        is_part: bool = False,
        hands_on: bool = False,
        restores: bool = False,
    ) -> None:
        self._formats, self._restores = formats, restores
        self._lanes, self._is_part, self._hands_on = lanes, is_part, hands_on
        self._term_bits = term_bits or formats.weight.bits + formats.activation.bits
        self._depth = BANKS * accumulator_words
        shape = word(formats.memory_bits, lanes)
        port = ReadPort.Signature(addr_width=ceil_log2(self._depth), shape=shape)
        shown = ReadPort.Signature(addr_width=ceil_log2(self._depth) + restores, shape=shape)
        new = WritePort.Signature(addr_width=ceil_log2(accumulator_words), shape=shape)
        super().__init__(
            {
                "word": In(Underway(accumulator_words, restores=restores)),
                "products": In(signed(product_bits)).array(lanes),
                "memory": Out(shown),
                **({"restored": Out(new)} if restores else {}),
                **({"partial": Out(port)} if is_part else {}),
                **({"sums": Out(signed(formats.memory_bits)).array(lanes)} if hands_on else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect M with what finds its newest value and with the adders."""
        m = Module()
        shape = word(self._formats.memory_bits, self._lanes)
        m.submodules.accumulators = accumulators = UncheckedMemory(shape=shape, depth=self._depth)
        shown, read, write = accumulators.read_port(), accumulators.read_port(), accumulators.write_port()
        read_data = self._restore(m, shown, read.data) if self._restores else read.data
        if not self._restores:
            connect(m, shown, flipped(self.memory))
        if self._is_part:
            connect(m, accumulators.read_port(), flipped(self.partial))
        under_way = self._under_way(m)
        result = [Signal(signed(self._formats.memory_bits), name=f"result_{lane}") for lane in range(self._lanes)]
        m.d.comb += [
            read.addr.eq(self.word.source),
            write.addr.eq(under_way[-1].target),
            write.en.eq(under_way[-1].active),
            write.data.eq(Cat(result)),
        ]
        self._add(m, under_way[2], self._newest(m, under_way, read_data, result), result)
        if self._hands_on:
            m.d.comb += [port.eq(value) for port, value in zip(self.sums, result, strict=True)]
        return m

    def _restore(self, m: Module, shown: ReadPort, answer: data.View) -> data.View:
        """Add the third bank; return what the word in stage 2 reads, from there or from either of the others."""
        shape, memory = answer.shape(), self.memory
        m.submodules.third = third = UncheckedMemory(shape=shape, depth=self._depth // BANKS)
        write, read, shown_there = third.write_port(), third.read_port(), third.read_port()
        is_third, shows_third, chosen = Signal(), Signal(), Signal(shape)
        connect(m, write, flipped(self.restored))
        m.d.comb += [
            read.addr.eq(self.word.source[1:]),
            chosen.eq(Mux(is_third, read.data, answer)),
            shown.en.eq(memory.en),
            shown.addr.eq(memory.addr[:-1]),
            shown_there.en.eq(memory.en),
            shown_there.addr.eq(memory.addr[1:-1]),
            memory.data.eq(Mux(shows_third, shown_there.data, shown.data)),
        ]
        m.d.sync += is_third.eq(self.word.restored)
        with m.If(memory.en):
            m.d.sync += shows_third.eq(memory.addr[-1])
        return chosen

    def _under_way(self, m: Module) -> list[data.View]:
        """Return whether there is a word, and where it goes, in stages 1 to 4; also whether it is undone, if any is."""
        undoes = {"undoes": 1} if self._restores else {}
        first = Signal(data.StructLayout({"active": 1, "target": self.word.target.shape(), **undoes}), name="word")
        m.d.comb += [
            first.active.eq(self.word.work & (self.word.mode == Mode.MATVEC)),
            first.target.eq(self.word.target),
        ]
        if self._restores:
            m.d.comb += first.undoes.eq(self.word.undoes)
        stages = [first]
        for _ in range(3):
            stages.append(delayed(m, stages[-1], 1))
        return stages

    def _newest(self, m: Module, under_way: list[data.View], shown: data.View, result: list[Signal]) -> list[Value]:
        """Return each lane's newest value in stage 3; stage 2 holds what it can know of it: `shown`, or a result."""
        near_2, near, from_result, from_older, from_zero = Signal(), Signal(), Signal(), Signal(), Signal()
        for flag, before in zip((near_2, from_result, from_older), under_way[1:], strict=True):
            same = before.active & (before.target == self.word.source) & ~self.word.from_zero
            if self._restores:
                same = same & ~self.word.restored
            m.d.sync += flag.eq(same)
        m.d.sync += [from_zero.eq(self.word.from_zero), near.eq(near_2)]
        newest: list[Value] = []
        for lane, value in enumerate(result):
            held, older = Signal.like(value, name=f"held_{lane}"), delayed(m, value, 1)
            known = Mux(from_result, value, Mux(from_older, older, shown[lane]))
            with m.If(under_way[1].active):
                m.d.sync += held.eq(Mux(from_zero, 0, known))
            newest.append(Mux(near, value, held))
        return newest

    def _add(self, m: Module, word_3: data.View, before: list[Value], result: list[Signal]) -> None:
        """Add the products to `before`, or take them out of it, lane by lane, where there is a word."""
        formats = self._formats
        for lane, value in enumerate(result):
            total = Signal(signed(formats.memory_bits + 1), name=f"total_{lane}")
            term = self.products[lane][: self._term_bits].as_signed()
            if self._restores:
                term = Mux(word_3.undoes, -term, term)
            m.d.comb += total.eq(before[lane] + term)
            with m.If(word_3.active):
                m.d.sync += value.eq(fit(total, formats.memory))
