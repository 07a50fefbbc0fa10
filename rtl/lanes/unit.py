"""The lane array: P multiply-accumulate lanes that run `matvec`, `matvec_t`, `outer` and `update`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.memory import ReadPort, WritePort
from amaranth.lib.wiring import Component, In, Out, connect, flipped
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.lanes.adder_tree import levels
from deltatrain.rtl.lanes.completion import Completion
from deltatrain.rtl.lanes.held_gradients import held_gradients
from deltatrain.rtl.lanes.issue import Issue
from deltatrain.rtl.lanes.modes import LANE_MODES, Inputs
from deltatrain.rtl.lanes.modes.matvec import Matvec
from deltatrain.rtl.lanes.modes.matvec_t import MatvecT
from deltatrain.rtl.lanes.modes.outer import Outer
from deltatrain.rtl.lanes.modes.update import Update
from deltatrain.rtl.lanes.op import BANKS, Mode, Op
from deltatrain.rtl.lanes.velocity import Velocity
from deltatrain.rtl.lists.column_table import ColumnRow
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.lane_runs import addresses, lane_runs, of_run, read_signature, write_signature
from deltatrain.rtl.parts.layouts import Entry, word
from deltatrain.rtl.parts.reserved_queue import ReservedQueue

__all__ = ["RESULT_CYCLES", "Lanes"]

RESULT_CYCLES = 1 + SOON_CYCLES
"""From the cycle in which a result or word is taken to the first in which it may count as stored."""


class Lanes(Component):
    """Takes streams of ops, entries and words, and gives results and words; M and g(M) are inside.

    A word takes the way below and never stops on it. All waiting happens in front of stage 0, where room is reserved
    for everything that the word will make. L = log2 P, rounded up:

        stage   every word          matvec              matvec_t            outer               update
        0       op, entry and word meet; g(M) is addressed
        1       two factors chosen  M is addressed
        2       multiplied          M answers
        3                           add                 tree of L levels    add                 round
        4                           M is written        ..                  dW is offered       subtract
        5                                               3 + L: add                              W is offered
        6                                               4 + L: round
        5 + L                                           s_j is offered
        6 + L   soon; `SOON_CYCLES` later done

    An op begins in the cycle in which it, its first entry and its first word are all offered; the next op follows its
    last word without a gap. `done` is high ``matvec.drain_cycles`` after the cycle that follows the last word,
    in all modes alike, so that ops are done in order. Backpressure on results or words delays `done`: it is then
    `RESULT_CYCLES` after the last item was taken, which leaves time to store that item.

    Parameters
    ----------
    engine
        Lanes and formats.
    accumulator_words
        Words of P accumulators in one bank of M, and of g(M).
    gate_lanes, mixed_lanes
        As of `rtl.commands.sizes.TileSizes`.
    is_part
        Whether these are the lanes of one of several tiles. Results are then not rounded, because they are sums over
        only some of the rows, and M may also be read for the sum over the tiles.
    restores
        Whether M has a third bank, for what is restored (`rtl.lanes.banks`).
    keeps_velocity
        Whether `update` is that of `accel.modes.update_momentum`; a momentum of 0 makes it the plain one.

    Attributes
    ----------
    ops : In(stream.Signature(Op))
        The ops, in order; one is taken with its last word.
    entries : In(stream.Signature(Entry))
        The columns of each op, with their deltas; none for `update`. One is taken with its column's last word.
    weights : In(stream.Signature(word))
        Words of W for `matvec`, `matvec_t` and `update`.
    weight_gradients : In(stream.Signature(word))
        Words of dW for `outer` and `update`.
    learning_rate : In(signed)
        In ``formats.learning_rate``; steady during an `update`.
    momentum : In(signed)
        Likewise; only if `keeps_velocity`.
    results : Out(stream.Signature(Entry))
        Column and gradient, the results of `matvec_t`; if `is_part`, the sum in ``formats.backward_sum``.
    new_weights : Out(stream.Signature(word))
        W after `update`, word for word.
    new_weight_gradients : Out(stream.Signature(word))
        dW after `outer`, and after `update` zeros or what is kept, word for word.
    issues : Out(1)
        A word is issued in this cycle, or an op without words is passed over.
    soon : Out(1)
        High for one cycle for each op, `SOON_CYCLES` before `done`: what it made is stored.
    done : Out(1)
        High for one cycle for each op: what it made may be read from now on.
    memory : Out(read_signature)
        M, for the element-wise unit. Address: accumulator word times 2, plus bank; data in the next cycle.
    restored : Out(WritePort.Signature)
        To the third bank of M; present if `restores`. The highest bit of an address in ``memory`` is then for it.
    partial : Out(ReadPort.Signature)
        M, for the exchange between tiles, likewise.
    gradient : Out(read_signature)
        g(M), for the element-wise unit, likewise.
    new_gradient : Out(write_signature)
        Where the element-wise unit writes g(M). No op that reads the word may be running.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        accumulator_words: int,
        gate_lanes: int = 0,
        mixed_lanes: int = 0,
        is_part: bool = False,
        keeps_velocity: bool = False,
        restores: bool = False,
    ) -> None:
        check_at_least("accumulator_words", accumulator_words, 1)
        self._engine, self._is_part, self._keeps_velocity, self._restores = engine, is_part, keeps_velocity, restores
        self._runs, self._mixed_lanes = lane_runs(gate_lanes, engine.lanes), mixed_lanes
        self._accumulator_words = accumulator_words
        super().__init__(self._members())

    def _members(self) -> dict[str, Any]:
        """Return the ports."""
        formats, lanes, banks = self._engine.formats, self._engine.lanes, self._gradient_banks
        addr_width, of_gradient = (ceil_log2(number * self._accumulator_words) for number in (BANKS, banks))
        op = Op(self._accumulator_words, self._mixed_lanes, restores=self._restores, gradient_banks=banks)
        partial = ReadPort.Signature(shape=word(formats.memory_bits, lanes), addr_width=addr_width)
        restored = WritePort.Signature(
            shape=word(formats.memory_bits, lanes), addr_width=ceil_log2(self._accumulator_words)
        )
        return {
            "ops": In(stream.Signature(op)),
            "entries": In(stream.Signature(self._entry)),
            "weights": In(stream.Signature(self._weights)),
            "weight_gradients": In(stream.Signature(self._weight_gradients)),
            "learning_rate": In(signed(formats.learning_rate.bits)),
            **({"momentum": In(signed(formats.learning_rate.bits))} if self._keeps_velocity else {}),
            "results": Out(stream.Signature(Entry(self._result.bits))),
            "new_weights": Out(stream.Signature(self._weights)),
            "new_weight_gradients": Out(stream.Signature(self._weight_gradients)),
            "issues": Out(1),
            "soon": Out(1),
            "done": Out(1),
            "memory": Out(read_signature(formats.memory_bits, self._runs, addr_width + self._restores)),
            **({"restored": Out(restored)} if self._restores else {}),
            **({"partial": Out(partial)} if self._is_part else {}),
            "gradient": Out(read_signature(formats.gradient.bits, self._runs, of_gradient)),
            "new_gradient": Out(write_signature(formats.gradient.bits, self._runs, of_gradient)),
        }

    @property
    def _entry(self) -> data.Layout:
        return Entry(self._engine.formats.activation.bits, self._row)

    @property
    def _result(self) -> NumberFormat:
        """What the results of `matvec_t` are rounded to."""
        return self._engine.formats.backward_sum if self._is_part else self._engine.formats.gradient

    @property
    def _weights(self) -> data.ArrayLayout:
        return word(self._engine.formats.weight.bits, self._engine.lanes)

    @property
    def _weight_gradients(self) -> data.ArrayLayout:
        return word(self._engine.formats.weight_gradient_bits, self._engine.lanes)

    def elaborate(self, platform: object) -> Module:
        """Connect issue, multipliers, the modes behind them, and what they hand out."""
        m = Module()
        m.submodules.issue = issue = Issue(
            engine=self._engine,
            accumulator_words=self._accumulator_words,
            mixed_lanes=self._mixed_lanes,
            row=self._row,
            restores=self._restores,
            steps=self._steps,
            gradient_banks=self._gradient_banks,
        )
        connect(m, flipped(self.ops), issue.ops)
        connect(m, flipped(self.entries), issue.entries)
        self._take(m, issue)
        m.d.comb += self.issues.eq(issue.issues)
        products = self._multiply(m, issue, self._held_gradients(m, issue))
        self._accumulate(m, issue, products)
        word_3 = delayed(m, issue.o, 2)
        makers = (self._reduce, self._write_weights, self._write_gradients)
        self._complete(m, issue, tuple(make(m, issue, word_3, products) for make in makers))
        return m

    def _take(self, m: Module, issue: Issue) -> None:
        """Give the issue the words."""
        connect(m, flipped(self.weights), issue.weights)
        connect(m, flipped(self.weight_gradients), issue.gradients)

    def _returned(self, m: Module, values: Any, kind: str, cycles: int) -> Any:
        """Return what goes back for `values`, of "weights" or "gradients", made `cycles` after their word's issue."""
        return values

    _row: ColumnRow | None = None  # what an entry tells of its column, where columns are compressed
    _steps, _gradient_banks = 1, BANKS  # more where weight gradients of several steps are one op
    _term_bits: int | None = None
    """Bits of what is added to M, if that is no product."""

    @property
    def _factor_bits(self) -> tuple[int, int]:
        """Widths of the two factors: the widest that any mode multiplies."""
        formats = self._engine.formats
        first = max(formats.weight.bits, formats.activation.bits, formats.weight_gradient_bits)
        return first, max(formats.activation.bits, formats.gradient.bits, formats.learning_rate.bits)

    def _is_upper(self, run: range, upper_lane: Value) -> Value:
        """Return whether the lanes `run` meet the accumulators of the upper part in a word of both parts."""
        return (upper_lane != 0) & (upper_lane <= run.start)

    def _held_gradients(self, m: Module, issue: Issue) -> list[Value]:
        """Return each lane's g(M) in stage 1; the other two ports of its memory are for the element-wise unit."""

        def place(run: range) -> Value:
            if not self._mixed_lanes:
                return issue.place
            return Mux(self._is_upper(run, issue.ops.payload.upper_lane), issue.upper_place, issue.place)

        bits, depth = self._engine.formats.gradient.bits, self._gradient_banks * self._accumulator_words
        return held_gradients(m, self._runs, bits, depth, (self.gradient, self.new_gradient), place)

    def _multiply(self, m: Module, issue: Issue, gradients: list[Value]) -> list[Signal]:
        """Choose each lane's factors in stage 1, multiply in stage 2; return the products of stage 3."""
        bits, products = self._factor_bits, list[Signal]()
        self._first: list[Signal] = []
        for lane in range(self._engine.lanes):
            weight, weight_gradient = issue.o_weights[lane], issue.o_gradients[lane]
            inputs = Inputs(weight, weight_gradient, gradients[lane], issue.o_delta, self.learning_rate)
            first = Signal(signed(bits[0]), name=f"first_{lane}")
            second = Signal(signed(bits[1]), name=f"second_{lane}")
            with m.Switch(issue.o.mode):
                for name in LANE_MODES.names():
                    with m.Case(getattr(Mode, name.upper())):
                        chosen = LANE_MODES.load(name).factors(inputs)
                        m.d.sync += [first.eq(chosen[0]), second.eq(chosen[1])]
            product = Signal(signed(sum(bits)), name=f"product_{lane}")
            m.d.sync += product.eq(first * second)
            products.append(product)
            self._first.append(first)
        return products

    def _accumulate(self, m: Module, issue: Issue, products: list[Signal]) -> None:
        """Let `matvec` add to M."""
        of_parts = ("source", "target", "from_zero", *(["restored"] if self._restores else []))
        for number, (run, address) in enumerate(zip(self._runs, addresses(self.memory), strict=True)):
            matvec = Matvec(
                formats=self._engine.formats,
                lanes=len(run),
                accumulator_words=self._accumulator_words,
                product_bits=self._term_bits or sum(self._factor_bits),
                term_bits=self._term_bits,
                is_part=self._is_part,
                restores=self._restores,
            )
            m.submodules[of_run("matvec", number)] = matvec
            _give(m, products[run.start : run.stop], matvec.products)
            m.d.comb += [
                *(matvec.word[name].eq(issue.o[name]) for name, _ in matvec.word.shape()),
                matvec.memory.en.eq(self.memory.en),
                matvec.memory.addr.eq(address),
                self.memory.data[run.start : run.stop].eq(matvec.memory.data),
            ]
            if self._mixed_lanes:
                with m.If(self._is_upper(run, issue.o.upper_lane)):
                    m.d.comb += [matvec.word[name].eq(issue.o[f"upper_{name}"]) for name in of_parts]
            if self._restores:
                m.d.comb += [
                    matvec.restored.en.eq(self.restored.en),
                    matvec.restored.addr.eq(self.restored.addr),
                    Value.cast(matvec.restored.data).eq(Cat(self.restored.data[run.start : run.stop])),
                ]
            if self._is_part:
                m.d.comb += [
                    matvec.partial.en.eq(self.partial.en),
                    matvec.partial.addr.eq(self.partial.addr),
                    self.partial.data[run.start : run.stop].eq(matvec.partial.data),
                ]

    def _reduce(self, m: Module, issue: Issue, word_3: data.View, products: list[Signal]) -> ReservedQueue:
        """Let `matvec_t` make gradients; return their queue. `word_3` is the word in stage 3."""
        m.submodules.matvec_t = matvec_t = MatvecT(
            engine=self._engine,
            accumulator_words=self._accumulator_words,
            product_bits=sum(self._factor_bits),
            result=self._result,
        )
        stage = 4 + levels(self._engine.lanes)
        m.submodules.results = queue = ReservedQueue(shape=self.results.payload.shape(), depth=stage + 2)
        connect(m, queue.o, flipped(self.results))
        _give(m, products, matvec_t.products)
        m.d.comb += [
            matvec_t.word.eq(word_3),
            issue.result_free.eq(queue.free),
            queue.reserve.eq(issue.reserve_result),
            queue.push.eq(matvec_t.push),
            queue.item.eq(matvec_t.result),
            queue.last.eq(matvec_t.last),
        ]
        return queue

    def _write_weights(self, m: Module, issue: Issue, word_3: data.View, products: list[Signal]) -> ReservedQueue:
        """Let `update` make words of W in stage 4; return their queue."""
        m.submodules.update = update = Update(engine=self._engine, product_bits=sum(self._factor_bits))
        m.submodules.new_weights = queue = ReservedQueue(shape=self._weights, depth=4 + 2)
        connect(m, queue.o, flipped(self.new_weights))
        _give(m, products, update.products)
        word_4 = delayed(m, word_3, 1)
        m.d.comb += [
            update.active.eq(word_3.work & (word_3.mode == Mode.UPDATE)),
            update.weights.eq(delayed(m, issue.o_weights, 2)),
            issue.weights_free.eq(queue.free),
            queue.reserve.eq(issue.reserve_weights),
            queue.push.eq(word_4.work & (word_4.mode == Mode.UPDATE)),
            queue.item.eq(self._returned(m, update.result, "weights", 4)),
            queue.last.eq(word_4.op_ends),
        ]
        return queue

    def _write_gradients(self, m: Module, issue: Issue, word_3: data.View, products: list[Signal]) -> ReservedQueue:
        """Let `outer` make words of dW in stage 3, and `update` clear them; return their queue."""
        m.submodules.outer = outer = Outer(engine=self._engine, product_bits=sum(self._factor_bits))
        m.submodules.new_gradients = queue = ReservedQueue(shape=self._weight_gradients, depth=3 + 2)
        connect(m, queue.o, flipped(self.new_weight_gradients))
        _give(m, products, outer.products)
        clears, made = Signal(), Signal.like(outer.result)
        added_to, is_made = self._added_to(m, issue, word_3, outer)
        m.d.comb += [
            clears.eq(word_3.mode == Mode.UPDATE),
            outer.active.eq(word_3.work & (word_3.mode == Mode.OUTER)),
            outer.weight_gradients.eq(added_to),
            issue.gradients_free.eq(queue.free),
            queue.reserve.eq(issue.reserve_gradients),
            queue.push.eq((word_3.work & clears) | (outer.active & is_made)),
            made.eq(outer.result),  # zeros in `update`
            queue.item.eq(self._returned(m, made, "gradients", 3)),
            queue.last.eq(word_3.op_ends),
        ]
        if self._keeps_velocity:
            m.submodules.velocity = velocity = Velocity(engine=self._engine)
            m.d.comb += [
                *(port.eq(first) for port, first in zip(velocity.weight_gradients, self._first, strict=True)),
                velocity.momentum.eq(self.momentum),
                velocity.active.eq(word_3.work & clears),
            ]
            with m.If(clears):
                m.d.comb += made.eq(velocity.result)
        return queue

    def _added_to(self, m: Module, issue: Issue, word_3: data.View, outer: Outer) -> tuple[Value, Value]:
        """Return the word of dW that `outer` adds to in stage 3, and whether what it makes goes back."""
        return Value.cast(delayed(m, issue.o_gradients, 2)), Const(1)

    def _complete(self, m: Module, issue: Issue, queues: tuple[ReservedQueue, ...]) -> None:
        """Let the end of an op follow its last word, and wait until its last s, W and dW are taken from `queues`."""
        end = Signal(data.StructLayout({"op_ends": 1, "awaits": len(queues)}), name="end")
        m.d.comb += [
            end.op_ends.eq(issue.o.op_ends),
            end.awaits[0].eq(issue.o.work & (issue.o.mode == Mode.MATVEC_T)),
            end.awaits[1].eq(issue.o.work & (issue.o.mode == Mode.UPDATE)),
            end.awaits[2].eq(issue.o.work & ((issue.o.mode == Mode.OUTER) | (issue.o.mode == Mode.UPDATE))),
        ]
        self._retire(m, issue, end, Cat(queue.last_taken for queue in queues))

    def _retire(self, m: Module, issue: Issue, end: data.View, last_taken: Value) -> None:
        """Let ops be done for whose `end` in stage 1 all was taken, in their order."""
        stage = 5 + levels(max(self._engine.lanes, self._engine.arrays))
        m.submodules.completion = completion = Completion(outlets=len(last_taken), depth=stage + 2)
        leaving, done = delayed(m, end, stage - 1), Signal()
        m.d.comb += [
            issue.completion_free.eq(completion.free),
            completion.reserve.eq(issue.reserve_completion),
            completion.push.eq(leaving.op_ends),
            completion.awaits.eq(leaving.awaits),
            completion.last_taken.eq(last_taken),
            done.eq(completion.done),
            self.soon.eq(done),
            self.done.eq(delayed(m, done, SOON_CYCLES)),
        ]


def _give(m: Module, products: list[Signal], ports: Sequence[Signal]) -> None:
    """Connect the lanes' products with what makes results of them."""
    m.d.comb += [port.eq(product) for port, product in zip(ports, products, strict=True)]
