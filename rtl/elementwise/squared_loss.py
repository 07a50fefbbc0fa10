"""The squared loss in hardware, equal to `accel.modes.squared_loss`: one output after the other."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component
from amaranth.utils import ceil_log2

from deltatrain.accel.engine import Engine
from deltatrain.rtl.elementwise.gradient_words import collect, lane_of, loss_ports
from deltatrain.rtl.elementwise.op import CoreOp
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.number import rescale

__all__ = ["SquaredLoss"]


_GRADIENT_STAGE, _COLLECT_STAGE = 5, 18
"""Stages in which an output's gradient is there, and in which it is collected."""


class _Look(data.StructLayout):
    """What the pipeline knows of an output: whether there is one, and the last, what it should be, where it goes."""

    def __init__(self, engine: Engine, op: CoreOp) -> None:
        lane, place = unsigned(ceil_log2(engine.lanes)), op.gradient_place
        wanted = signed(engine.formats.memory.bits)
        super().__init__({"reads": 1, "last": 1, "wanted": wanted, "lane": lane, "ends_word": 1, "place": place})


class SquaredLoss(Component):
    """Reads K outputs and writes their K gradients, in K cycles.

    Parameters
    ----------
    engine
        Lanes and formats.
    op
        Shape of the op, with the numbers that are wanted.

    Members
    -------
    valid, op, ends, memory, result, new_gradient
        As of `rtl.elementwise.loss.Loss`.

    Notes
    -----
    An output through the pipeline:

    ===== ====================================
    cycle stage
    ===== ====================================
    0     its word is addressed
    1     the memory answers
    2     its lane is chosen
    3     what is wanted is subtracted
    4     rounded and fitted
    5..17 it waits: cells before may still write
    18    its gradient is among those of its word
    19    its word is written if it is whole
    ===== ====================================

    Like every op it writes its last word in the nineteenth cycle after its last, so no two ops meet at the port.
    """

    def __init__(self, *, engine: Engine, op: CoreOp) -> None:
        self._engine, self._op = engine, op
        super().__init__(loss_ports(engine, op))

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        stage = [self._look(m)]
        for _ in range(_COLLECT_STAGE):
            stage.append(delayed(m, stage[-1], 1))
        formats = self._engine.formats
        number = signed(formats.memory.bits)
        chosen, output, difference = Signal(number), Signal(number), Signal(signed(formats.memory.bits + 1))
        gradient = Signal(signed(formats.gradient.bits))
        m.d.sync += [
            output.eq(chosen),
            difference.eq(output - stage[3].wanted),
            gradient.eq(rescale(difference, formats.memory.fraction_bits, formats.gradient)),
        ]
        m.d.comb += [
            chosen.eq(lane_of(self.memory.data, stage[2].lane)),
            self.result.valid.eq(stage[2].reads),
            self.result.value.eq(chosen),
            self.result.last.eq(stage[2].last),
        ]
        late, last = delayed(m, gradient, _COLLECT_STAGE - _GRADIENT_STAGE), stage[_COLLECT_STAGE]
        collect(m, self.new_gradient, late, last.reads, last)
        return m

    def _look(self, m: Module) -> Signal:
        """Describe which output is looked at in this cycle; address its word."""
        op, lanes = self.op, self._engine.lanes
        look = Signal(_Look(self._engine, self._op), name="look")
        number, last = Signal.like(op.count), Signal()
        lane, chunk = number[: len(look.lane)], number[len(look.lane) :]
        m.d.comb += [
            last.eq(number == op.count - 1),
            look.reads.eq(self.valid),
            look.last.eq(last),
            look.wanted.eq(Array(op.wanted[k] for k in range(self._op.wanted))[number]),
            look.lane.eq(lane),
            look.ends_word.eq(last | (lane == lanes - 1)),
            look.place.eq(Cat(op.gradient_bank, (op.gradient + chunk)[: len(op.gradient)])),
            self.memory.en.eq(self.valid),
            self.memory.addr.eq(Cat(op.banks[0], (op.memory + chunk)[: len(op.memory)])),
            self.ends.eq(self.valid & last),
        ]
        with m.If(self.valid):
            m.d.sync += number.eq(Mux(last, 0, number + 1))
        return look
