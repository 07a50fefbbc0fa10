"""The loss in hardware, equal to `accel.modes.loss`: softmax and cross-entropy, one class after the other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component
from amaranth.utils import ceil_log2

from deltatrain.accel.activation import POWER_FRACTION_BITS, POWER_INPUT_FRACTION_BITS, power_table
from deltatrain.accel.engine import Engine
from deltatrain.accel.modes.loss import LOG2_E, LOG2_E_FRACTION_BITS, LOGIT
from deltatrain.rtl.elementwise.activation import rom
from deltatrain.rtl.elementwise.gradient_words import collect, lane_of, loss_ports
from deltatrain.rtl.elementwise.op import CoreOp
from deltatrain.rtl.parts.arguments import check_at_least
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.number import fit, rescale

__all__ = ["Loss"]

_POWER_STAGE, _WAIT_CYCLES = 12, 4
"""Stage in which a class has its exponential, and how long its gradient waits: cells before may still write."""


class Look(data.StructLayout):
    """What the pipeline knows of a class in flight.

    Members
    -------
    seeks, adds, divides : unsigned(1)
        What the class is looked at for, at most one: the largest logit, the sum of exponentials, the quotient.
    first, last : unsigned(1)
        Whether it is class 0, or the last one.
    is_label : unsigned(1)
        Whether it is the wanted one.
    lane : unsigned
        Where in its word it is.
    ends_word : unsigned(1)
        Whether it completes its word.
    place : unsigned
        Where its word goes.
    """

    def __init__(self, lanes: int, op: CoreOp) -> None:
        members = dict.fromkeys(("seeks", "adds", "divides", "first", "last", "is_label"), 1)
        lane = unsigned(ceil_log2(lanes))
        super().__init__({**members, "lane": lane, "ends_word": 1, "place": op.gradient_place})


class Loss(Component):
    """Reads C logits and writes their C gradients, in C * (3 + fraction bits of a gradient) cycles.

    It reads every logit three times and keeps none: to find the largest, to sum the exponentials, and to divide.

    Parameters
    ----------
    engine
        Lanes and formats.
    op
        Shape of the op.
    most_classes
        Most classes that an op may have.

    Members
    -------
    valid : In(1)
        Whether there is an op; it stays until the cycle of `ends`.
    op : In(op)
        It; its `count` is C.
    ends : Out(1)
        Its last cycle.
    memory : In(ReadPort.Signature)
        The logits, in ``formats.memory``; they are there two cycles after they are addressed.
    result : Out(Result)
        Each logit, once.
    new_gradient : In(WritePort.Signature)
        Where the gradients go; lanes behind the last class become zero.

    Notes
    -----
    A class through the pipeline; the divider makes one bit of a quotient a cycle, D bits in all:

    ======== ==============================================================================
    cycle    stage
    ======== ==============================================================================
    0        its word is addressed
    1        the memory answers
    2        its lane is chosen
    3        rounded to `LOGIT`
    4        compared with the largest, or taken from it
    5        times log2(e)
    6        the whole part is known; the table is asked for the rest
    7        the table answers
    8        what the line falls up to there
    9        taken from where it begins
    10, 11   shifted by the whole part, its last two bits and the others
    12       added to the sum, or taken by the divider
    13       the first bit of its quotient
    13 + D   the quotient is there; one-hot subtracted, fitted
    14 + D.. it waits: cells before may still write
    18 + D   its word is written if it is whole
    ======== ==============================================================================

    The classes follow each other: in the first C cycles all are looked at for the largest, in the next C for the sum,
    then one in every D cycles. The last of one round is in each stage a cycle ahead of the first of the next.
    """

    def __init__(self, *, engine: Engine, op: CoreOp, most_classes: int) -> None:
        check_at_least("most_classes", most_classes, 1)
        self._formats, self._lanes, self._op = engine.formats, engine.lanes, op
        self._divide_cycles = engine.formats.gradient.fraction_bits + 1
        # One exponential is at most 1.
        self._sum_bits = (most_classes << POWER_FRACTION_BITS).bit_length()
        super().__init__(loss_ports(engine, op))

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        stage = [self._look(m)]
        for _ in range(_POWER_STAGE):
            stage.append(delayed(m, stage[-1], 1))
        power = self._exponential(m, stage)
        total = Signal(self._sum_bits)
        with m.If(stage[_POWER_STAGE].adds):
            m.d.sync += total.eq(Mux(stage[_POWER_STAGE].first, 0, total) + power)
        quotient, made, divided = self._divide(m, stage[_POWER_STAGE], power, total)
        self._collect(m, quotient, made, divided)
        return m

    def _look(self, m: Module) -> Signal:
        """Describe which class is looked at in this cycle, and for what; address its word."""
        op = self.op
        look = Signal(Look(self._lanes, self._op), name="look")
        seek, add, divide = range(3)
        round_ = Signal(range(3))
        number, next_number = Signal.like(op.count), Signal.like(op.count, init=1)
        chunk = Signal(range((1 << len(op.count)) // self._lanes + 1))
        bit = Signal(range(self._divide_cycles))
        lane = number[: len(look.lane)]
        last_class, last_lane = next_number == op.count, lane == self._lanes - 1
        waits = (round_ == divide) & (bit != self._divide_cycles - 1)
        m.d.comb += [
            look.seeks.eq(self.valid & (round_ == seek)),
            look.adds.eq(self.valid & (round_ == add)),
            look.divides.eq(self.valid & (round_ == divide) & (bit == 0)),
            look.first.eq(number == 0),
            look.last.eq(last_class),
            look.is_label.eq(number == op.label),
            look.lane.eq(lane),
            look.ends_word.eq(last_class | last_lane),
            chunk.eq(number[len(look.lane) :]),
            look.place.eq(Cat(op.gradient_bank, (op.gradient + chunk)[: len(op.gradient)])),
            self.memory.en.eq(look.seeks | look.adds | look.divides),
            self.memory.addr.eq(Cat(op.banks[0], (op.memory + chunk)[: len(op.memory)])),
            self.ends.eq(self.valid & (round_ == divide) & look.last & ~waits),
        ]
        with m.If(self.valid):
            with m.If(round_ == divide):
                m.d.sync += bit.eq(Mux(waits, bit + 1, 0))
            with m.If(~waits):
                m.d.sync += number.eq(Mux(last_class, 0, next_number))
                m.d.sync += next_number.eq(Mux(last_class, 1, next_number + 1))
                with m.If(last_class):
                    m.d.sync += round_.eq(Mux(round_ == divide, seek, round_ + 1))
        return look

    def _exponential(self, m: Module, stage: list[Signal]) -> Signal:
        """Describe the way from the memory's answer to exp(logit - largest), with `POWER_FRACTION_BITS`."""
        number = signed(self._formats.memory.bits)
        chosen, logit, rounded, largest = Signal(number), Signal(number), Signal(signed(16)), Signal(signed(16))
        distance = Signal(LOGIT.bits)
        m.d.sync += [
            logit.eq(chosen),
            rounded.eq(rescale(logit, self._formats.memory.fraction_bits, LOGIT)),
            distance.eq(largest - rounded),
        ]
        m.d.comb += [
            chosen.eq(lane_of(self.memory.data, stage[2].lane)),
            self.result.valid.eq(stage[2].seeks),
            self.result.value.eq(chosen),
            self.result.last.eq(stage[2].last),
        ]
        with m.If(stage[4].seeks & (stage[4].first | (rounded > largest))):
            m.d.sync += largest.eq(rounded)

        table = power_table()
        m.submodules.table = memory = rom(table)
        entry = memory.read_port()
        exact_bits = LOGIT.fraction_bits + LOG2_E_FRACTION_BITS
        argument = Signal(LOGIT.bits + LOG2_E.bit_length() - exact_bits + POWER_INPUT_FRACTION_BITS)
        m.d.sync += argument.eq((distance * LOG2_E) >> (exact_bits - POWER_INPUT_FRACTION_BITS))
        within, segment = Signal(table.step_bits), Signal.like(entry.data)
        fall, base = Signal(len(segment.slope) + table.step_bits), Signal.like(segment.base)
        line, power = Signal(POWER_FRACTION_BITS + table.step_bits + 1), Signal(POWER_FRACTION_BITS + 1)
        m.d.comb += entry.addr.eq(argument[table.step_bits : POWER_INPUT_FRACTION_BITS])
        whole = Signal(len(argument) - POWER_INPUT_FRACTION_BITS)
        m.d.comb += whole.eq(argument[POWER_INPUT_FRACTION_BITS:])
        shifted, by, rest = Signal.like(power), delayed(m, whole, 4)[:2], delayed(m, whole, 5)[2:]
        m.d.sync += [
            within.eq(argument[: table.step_bits]),
            segment.eq(entry.data),
            fall.eq(segment.slope * delayed(m, within, 1)),
            base.eq(segment.base),
            line.eq((base << table.step_bits) - fall),
            shifted.eq(line[table.step_bits :] >> by),
            power.eq(shifted >> (rest << 2)),
        ]
        return power

    def _divide(self, m: Module, look: Signal, power: Signal, total: Signal) -> tuple[Signal, Value, Signal]:
        """Describe the restoring divider; return the quotient, whether one has been made, and whose it is."""
        left = Signal(range(self._divide_cycles + 1))
        rest, quotient, made = Signal(self._sum_bits + 1), Signal(self._divide_cycles), Signal()
        divided, taken = Signal.like(look, name="divided"), delayed(m, look, 1)
        less, goes = Signal(signed(len(rest) + 1)), Signal()
        m.d.comb += [less.eq(rest - total), goes.eq(~less[-1])]
        m.d.sync += [rest.eq(Mux(goes, less, rest) << 1), quotient.eq((quotient << 1) | goes), made.eq(left == 1)]
        with m.If(look.divides):
            m.d.sync += [left.eq(self._divide_cycles), rest.eq(power)]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(taken.divides):
            m.d.sync += divided.eq(taken)
        return quotient, made, divided

    def _collect(self, m: Module, quotient: Signal, made: Value, divided: Signal) -> None:
        """Subtract the wanted class, and collect the gradients into words."""
        number = self._formats.gradient
        gradient = Signal(signed(number.bits))
        one_hot = Mux(divided.is_label, 1 << number.fraction_bits, 0)
        difference = Signal(signed(len(quotient) + 2))
        m.d.comb += [difference.eq(quotient - one_hot), gradient.eq(fit(difference, number))]
        late, there, of = (delayed(m, value, _WAIT_CYCLES) for value in (gradient, made, divided))
        collect(m, self.new_gradient, late, there, of)
