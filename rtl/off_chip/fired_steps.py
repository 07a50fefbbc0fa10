"""In which steps of a sample each column fired: so a column cache knows which lines the backward pass wants next."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.op_table import PHASES
from deltatrain.rtl.parts.line_shape import FiredShape

__all__ = ["FiredOp", "FiredSteps", "Moment"]


class Moment(data.StructLayout):
    """When a column fires, or fired: later moments are higher numbers.

    Members
    -------
    step : range
        The step after that in which it did; 0 if it did in none.
    sample : range
        Of which sample.
    """

    def __init__(self, shape: FiredShape) -> None:
        super().__init__({"step": range(shape.steps + 1), "sample": range(max(shape.samples, 2))})


class FiredOp(data.StructLayout):
    """What is told of an op, or of a segment of one.

    Members
    -------
    column : range
        The first column of its matrix among those of all matrices, or of a segment its own; W and dW share columns.
    now : Moment
        The moment of its step.
    """

    def __init__(self, shape: FiredShape) -> None:
        super().__init__({"column": range(max(shape.columns, 2)), "now": Moment(shape)})


class FiredSteps(Component):
    """Notes the steps in which columns fire forward; says of a column backward in which it fired before.

    A column has a row: a bit for each step, and the sample that these are of. Rows move with the tags' stages
    (`rtl.off_chip.tags`): addressed, there, kept. So what is written for a segment goes past the memory to the one
    behind it, if that is of the same column.

    After a reset rows are cleared, one a cycle.

    Parameters
    ----------
    shape
        Columns, steps and samples.

    Attributes
    ----------
    column, reads : In
        What to read, and whether to.
    there, keeps : In(FiredOp(shape)), In(1)
        Of the segment whose row is there, and whether it is kept in this cycle.
    phase, looks : In
        Of the segment that is kept, and whether it is looked up in this cycle.
    moment : Out(Moment(shape))
        The rank of what is kept: forward the moment at work, backward the one in which its column fired before.
    """

    def __init__(self, *, shape: FiredShape) -> None:
        self._shape, self._op = shape, FiredOp(shape)
        self._row = data.StructLayout({"fired": unsigned(shape.steps), "sample": Moment(shape)["sample"].shape})
        super().__init__(
            {
                "column": In(self._op["column"].shape),
                "reads": In(1),
                "there": In(self._op),
                "keeps": In(1),
                "phase": In(range(len(PHASES))),
                "looks": In(1),
                "moment": Out(Moment(shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Read a row, keep it, and write it if its column fires."""
        m = Module()
        m.submodules.rows = rows = Memory(shape=self._row, depth=max(self._shape.columns, 2), init=[])
        write = rows.write_port()
        read = rows.read_port(transparent_for=(write,))
        op, row, earlier = Signal(self._op), Signal(self._row), Signal(self._shape.steps)
        passed = write.en & (write.addr == self.there.column)
        m.d.comb += [read.addr.eq(self.column), read.en.eq(self.reads)]
        with m.If(self.keeps):
            m.d.sync += [
                op.eq(self.there),
                Value.cast(row).eq(Mux(passed, Value.cast(write.data), Value.cast(read.data))),
                earlier.eq(Cat(self.there.now.step > step + 1 for step in range(self._shape.steps))),
            ]
        fired, its_step = Signal(self._shape.steps), Signal(self._shape.steps)
        before = highest(fired & earlier)
        m.d.comb += [
            fired.eq(Mux(row.sample == op.now.sample, row.fired, 0)),
            its_step.eq(Cat(op.now.step == step + 1 for step in range(self._shape.steps))),
            self.moment.sample.eq(op.now.sample),
            self.moment.step.eq(Mux(self._is_phase("BP", "WG"), before, op.now.step)),
            write.addr.eq(op.column),
            write.en.eq(self.looks & self._is_phase("FP")),
            write.data.fired.eq(fired | its_step),
            write.data.sample.eq(op.now.sample),
        ]
        cleared = Signal(range(self._shape.columns + 1))
        with m.If(cleared != self._shape.columns):
            m.d.comb += [write.addr.eq(cleared), write.en.eq(1), Value.cast(write.data).eq(0)]
            m.d.sync += cleared.eq(cleared + 1)
        return m

    def _is_phase(self, *names: str) -> Value:
        """Return whether what is kept is of one of these phases."""
        return Cat(self.phase == PHASES.index(name) for name in names).any()


def highest(bits: Value) -> Value:
    """Return the number of the highest bit that is set, counted from 1; 0 if none is."""
    if len(bits) == 1:
        return bits
    half = 1 << (len(bits) - 1).bit_length() - 1
    upper = bits[half:]
    return Mux(upper.any(), highest(upper) + half, highest(bits[:half]))
