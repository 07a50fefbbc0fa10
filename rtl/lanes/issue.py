"""The lanes' first stage: brings an op, its list and its words together, one word a cycle."""

from __future__ import annotations

from types import SimpleNamespace

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.engine import Engine
from deltatrain.rtl.lanes.op import BANKS, Mode, Op, Underway
from deltatrain.rtl.lanes.step_walk import StepWalk
from deltatrain.rtl.lists.column_table import ColumnRow
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.layouts import Entry, GroupEntry, word

__all__ = ["Issue"]


class Issue(Component):
    """Issues a word in each cycle in which op, list entry, word and room for what it makes are there.

    An op stays at its port while it is worked on, and so does an entry while its column is. So nothing is stored here,
    and the next op or entry follows without a gap. An op of no columns takes one cycle and no entry.

    Parameters
    ----------
    engine
        Lanes and formats.
    accumulator_words
        Words of P accumulators in one bank.
    mixed_lanes
        As of `rtl.lanes.op.Op`.
    tells_turn
        Whether it tells in which column, or turn of several arrays, an op is.
    row
        What an entry tells of its column, where columns are compressed; `update` takes entries, too, then.
    restores, gradient_banks
        As of `rtl.lanes.op.Op`.
    steps
        Most steps of a group, each of which may add to a word of dW. If they are several, entries are of several steps.

    Attributes
    ----------
    ops : In(stream.Signature(Op))
        The ops.
    entries : In(stream.Signature(Entry))
        Column and delta of each column in turn; `update` takes none, `matvec_t` does not look at the delta. A
        `GroupEntry` each where there are groups.
    weights : In(stream.Signature(word))
        Words of W for `matvec`, `matvec_t` and `update`.
    gradients : In(stream.Signature(word))
        Words of dW for `outer` and `update`.
    result_free, weights_free, gradients_free, completion_free : In(1)
        Whether there is room for a result, a word of W, a word of dW, one more op.
    reserve_result, reserve_weights, reserve_gradients, reserve_completion : Out(1)
        Room that the word of this cycle takes.
    issues : Out(1)
        A word is issued in this cycle, or an op without words is passed over.
    place, upper_place : Out(unsigned)
        Where g(M) is for the word of this cycle, in a memory that answers in the next; for lanes from `upper_lane` of
        the op on, present if `mixed_lanes`.
    turn, next_turn : Out(unsigned)
        Which column, or turn, of its op the word of this cycle is of, and the one after it; present if `tells_turn`.
    o : Out(Underway)
        The word that was issued in the cycle before, `o.work` low if none.
    o_delta, o_weights, o_gradients : Out(signed, word, word)
        The delta of its column, and what was taken from the streams.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        accumulator_words: int,
        mixed_lanes: int = 0,
        tells_turn: bool = False,
        row: ColumnRow | None = None,
        restores: bool = False,
        steps: int = 1,
        gradient_banks: int = BANKS,
    ) -> None:
        check_at_least("accumulator_words", accumulator_words, 1)
        self._steps = steps
        formats, lanes = engine.formats, engine.lanes
        weights = word(formats.weight.bits, lanes)
        gradients = word(formats.weight_gradient_bits, lanes)
        under_way = Underway(accumulator_words, mixed_lanes, restores=restores, groups=steps > 1)
        bits, place = formats.activation.bits, range(gradient_banks * accumulator_words)
        entry: data.Layout = Entry(bits, row) if steps == 1 else GroupEntry(bits, steps)
        op = Op(accumulator_words, mixed_lanes, restores=restores, gradient_banks=gradient_banks)
        self._is_mixed, self._tells_turn, self._restores = mixed_lanes > 0, tells_turn, restores
        self._is_sparse = row is not None
        super().__init__(
            {
                "ops": In(stream.Signature(op)),
                "entries": In(stream.Signature(entry)),
                "weights": In(stream.Signature(weights)),
                "gradients": In(stream.Signature(gradients)),
                "result_free": In(1),
                "weights_free": In(1),
                "gradients_free": In(1),
                "completion_free": In(1),
                "reserve_result": Out(1),
                "reserve_weights": Out(1),
                "reserve_gradients": Out(1),
                "reserve_completion": Out(1),
                "issues": Out(1),
                "place": Out(place),
                **({"upper_place": Out(place)} if mixed_lanes else {}),
                **(dict.fromkeys(("turn", "next_turn"), Out(op["count"].shape)) if tells_turn else {}),
                "o": Out(under_way),
                "o_delta": Out(signed(formats.activation.bits)),
                "o_weights": Out(weights),
                "o_gradients": Out(gradients),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Decide whether a word is issued; count words and columns; hand on."""
        m = Module()
        work, fire = Signal(), Signal()
        # These are separate signals, because some follow from others. In one structure they would look like a loop.
        now = SimpleNamespace(**{name: Signal(field.shape, name=name) for name, field in self.o.shape()})
        m.d.comb += work.eq(fire & (self.ops.payload.count != 0))
        walk = self._walk(m, now, work)
        self._count(m, now, work)
        self._handshake(m, now, work, fire)
        m.d.comb += [
            now.mode.eq(self.ops.payload.mode),
            now.work.eq(work),
            self.issues.eq(fire),
            now.index.eq(self.entries.payload.index),
            self.place.eq(self._in_gradients(now.source, walk)),
        ]
        if self._is_mixed:
            m.d.comb += self.upper_place.eq(self._in_gradients(now.upper_source, walk))
        if self._restores:
            m.d.comb += now.undoes.eq(self.ops.payload.undoes)
        m.d.sync += [
            *(self.o[name].eq(value) for name, value in vars(now).items()),
            self.o.op_ends.eq(now.op_ends & fire),
            self.o_delta.eq(self.entries.payload.value if walk is None else walk.value),
            self.o_weights.eq(self.weights.payload),
            self.o_gradients.eq(self.gradients.payload),
        ]
        return m

    def _walk(self, m: Module, now: SimpleNamespace, work: Signal) -> StepWalk | None:
        """Go through the steps for which a word is taken; None where there is only one."""
        if self._steps == 1:
            return None
        entry, bits = self.entries.payload, len(self.o_delta)
        m.submodules.walk = walk = StepWalk(value_bits=bits, steps=self._steps)
        m.d.comb += [
            walk.fired.eq(Mux(self.ops.payload.mode == Mode.UPDATE, 0, entry.fired)),
            walk.values.eq(entry.values),
            walk.goes.eq(work),
            now.word_begins.eq(walk.begins),
            now.word_ends.eq(walk.ends),
        ]
        return walk

    def _in_gradients(self, place: Value, walk: StepWalk | None) -> Value:
        """Return where g(M) is of the accumulator at `place`: in the bank of the step that a word is taken for."""
        if walk is None:
            return place
        bank = self.ops.payload.bank
        return Cat((bank + walk.step)[: len(bank)], place[1:])

    def _count(self, m: Module, now: SimpleNamespace, work: Signal) -> None:
        """Say where in its op the word is, and which accumulators it meets."""
        op = self.ops.payload
        length = self.entries.payload.row.words if self._is_sparse else op.words
        word_ends = now.word_ends if self._steps > 1 else Const(1)
        # Each number and the one after it are in registers, so that no comparison waits for an adder.
        column, next_column = Signal.like(op.count), Signal.like(op.count, init=1)
        number, after = Signal.like(op.words), Signal.like(op.words, init=1)
        running, upper, address = Signal.like(op.address), Signal(), Signal.like(op.address)
        has_upper, upper_address, upper_follows = Signal(), Signal.like(op.address), Signal()
        # The upper part begins with its word, or with a lane in it: that word is then of both parts.
        with_word = op.upper_lane == 0 if self._is_mixed else Const(1)
        m.d.comb += [
            now.column_begins.eq(number == 0),
            now.column_ends.eq((after == length) & word_ends),
            now.op_ends.eq((op.count == 0) | (now.column_ends & self._is_last(next_column))),
            address.eq(Mux(now.column_begins, op.address, running)),
            has_upper.eq(upper | ((number == op.split) & ~with_word)),
            upper_address.eq(Mux(has_upper & ~upper, op.upper_address, address)),
            upper_follows.eq((after == op.split) & with_word),
        ]
        if self._tells_turn:
            m.d.comb += [self.turn.eq(column), self.next_turn.eq(next_column)]
        self._meet(m, now, "", column == 0, upper, address)
        if self._is_mixed:
            self._meet(m, now, "upper_", column == 0, has_upper, upper_address)
            m.d.comb += now.upper_lane.eq(op.upper_lane)
        with m.If(work & word_ends):
            m.d.sync += [
                number.eq(Mux(now.column_ends, 0, after)),
                after.eq(Mux(now.column_ends, 1, after + 1)),
                upper.eq(~now.column_ends & (has_upper | upper_follows)),
                running.eq(Mux(upper_follows, op.upper_address, upper_address + 1)),
            ]
            with m.If(now.column_ends):
                m.d.sync += [
                    column.eq(Mux(now.op_ends, 0, next_column)),
                    next_column.eq(Mux(now.op_ends, 1, next_column + 1)),
                ]

    def _is_last(self, next_column: Value) -> Value:
        """Return whether the column before `next_column` is its op's last, which entries of groups tell."""
        op, is_last = self.ops.payload, next_column == self.ops.payload.count
        return is_last if self._steps == 1 else Mux(op.mode == Mode.UPDATE, is_last, self.entries.payload.last)

    def _meet(
        self, m: Module, now: SimpleNamespace, lanes: str, first_column: Value, upper: Value, address: Value
    ) -> None:
        """Say which accumulators lanes meet at `address` of the lower or the `upper` part; `lanes` begins the names."""
        op = self.ops.payload
        bank = Mux(first_column | (op.mode != Mode.MATVEC), op.source, op.target)
        places = {
            "target": Cat(op.target.bit_select(upper, 1), address),
            "from_zero": first_column & op.from_zero.bit_select(upper, 1),
            "source": Cat(bank.bit_select(upper, 1), address),
        }
        if self._restores:
            places["restored"] = first_column & op.restored.bit_select(upper, 1)
        m.d.comb += [getattr(now, lanes + name).eq(value) for name, value in places.items()]

    def _handshake(self, m: Module, now: SimpleNamespace, work: Signal, fire: Signal) -> None:
        """Say what a word of each mode takes and makes; issue it when all inputs and all room are there."""
        listed, takes_w, takes_g = Signal(), Signal(), Signal()
        makes_s, makes_w, makes_g = Signal(), Signal(), Signal()
        has_inputs, has_room = Signal(), Signal()
        word_ends = now.word_ends if self._steps > 1 else Const(1)
        with m.Switch(self.ops.payload.mode):
            with m.Case(Mode.MATVEC):
                m.d.comb += [listed.eq(1), takes_w.eq(1)]
            with m.Case(Mode.MATVEC_T):
                m.d.comb += [listed.eq(1), takes_w.eq(1), makes_s.eq(now.column_ends)]
            with m.Case(Mode.OUTER):
                m.d.comb += [listed.eq(1), takes_g.eq(1), makes_g.eq(1)]
            with m.Case(Mode.UPDATE):
                m.d.comb += [takes_w.eq(1), takes_g.eq(1), makes_w.eq(1), makes_g.eq(1), listed.eq(self._is_sparse)]
        m.d.comb += [
            has_inputs.eq(
                (self.entries.valid | ~listed) & (self.weights.valid | ~takes_w) & (self.gradients.valid | ~takes_g)
            ),
            has_room.eq(
                (self.result_free | ~makes_s) & (self.weights_free | ~makes_w) & (self.gradients_free | ~makes_g)
            ),
            fire.eq(
                self.ops.valid
                & ((self.ops.payload.count == 0) | (has_inputs & has_room))
                & (self.completion_free | ~now.op_ends)
            ),
            self.ops.ready.eq(fire & now.op_ends),
            self.entries.ready.eq(work & listed & now.column_ends),
            self.weights.ready.eq(work & takes_w),
            self.gradients.ready.eq(work & takes_g & word_ends),
            self.reserve_result.eq(work & makes_s),
            self.reserve_weights.eq(work & makes_w),
            self.reserve_gradients.eq(work & makes_g & word_ends),
            self.reserve_completion.eq(fire & now.op_ends),
        ]
