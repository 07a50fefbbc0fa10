"""Sigmoid and tanh in hardware, equal to `accel.activation`: both from one table of straight lines."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltatrain.accel.activation import TANH_ENTRY_FRACTION_BITS, TANH_INPUT, LineTable, tanh_table
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.number import rescale

__all__ = ["LATENCY_CYCLES", "Activation", "limits", "rom"]

LATENCY_CYCLES = 3
"""From the cycle in which a point is asked to the first in which its value is there."""


def rom(table: LineTable) -> Memory:
    """Return the read-only memory of `table`: ``base``, and ``slope``, the size of its rise."""
    slope = abs(table.rise)
    widths = {name: unsigned(max(int(v.max()).bit_length(), 1)) for name, v in (("base", table.base), ("slope", slope))}
    entries = [{"base": int(base), "slope": int(one)} for base, one in zip(table.base, slope, strict=True)]
    return Memory(shape=data.StructLayout(widths), depth=len(entries), init=entries)


def limits(gate: NumberFormat) -> list[str]:
    """Return why values of sigmoid and tanh cannot be in the format `gate`, if it does not hold 1."""
    if gate.highest >= 1 << gate.fraction_bits:
        return []
    return [
        f"the gates need engine.formats.gate to hold 1: of {gate.bits} bits at most {gate.bits - 2} fraction bits, "
        f"not {gate.fraction_bits}"
    ]


class Activation(wiring.Component):
    """A table port: one point a cycle, its value three cycles later, held until the next one's.

    Parameters
    ----------
    gate
        Format of the values. It holds 1.

    Members
    -------
    start : In(1)
        Whether a point is asked in this cycle.
    x : In(signed(16))
        The point, in `accel.activation.TANH_INPUT` for tanh and in `SIGMOID_INPUT` for sigmoid.
    is_sigmoid : In(1)
        Which of the two is asked.
    y : Out(signed(gate.bits))
        The value.

    Notes
    -----
    A point through the pipeline:

    ====== ========================================================================
    cycle  stage
    ====== ========================================================================
    0      magnitude of the point; its segment is looked up
    1      the memory answers; along the line
    2      rounded, fitted; mirrored where the point is negative
    3      the value is there
    ====== ========================================================================
    """

    def __init__(self, *, gate: NumberFormat) -> None:
        for reason in limits(gate):
            raise ValueError(reason)
        self._gate = gate
        super().__init__({"start": In(1), "x": In(signed(16)), "is_sigmoid": In(1), "y": Out(signed(gate.bits))})

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        table, gate = tanh_table(), self._gate
        m.submodules.rom = memory = rom(table)
        entry = memory.read_port()
        negative = self.x[-1]
        minus = Signal(TANH_INPUT.bits)
        magnitude = Signal(TANH_INPUT.bits - 1)
        m.d.comb += [
            minus.eq(-self.x),
            # the lowest integer has no counterpart and takes the highest's
            magnitude.eq(Mux(negative, minus | minus[-1].replicate(len(minus)), self.x)),
            entry.en.eq(self.start),
            entry.addr.eq(magnitude[table.step_bits :]),
        ]
        asked = Signal(data.StructLayout({"valid": 1, "negative": 1, "is_sigmoid": 1}))
        m.d.comb += [asked.valid.eq(self.start), asked.negative.eq(negative), asked.is_sigmoid.eq(self.is_sigmoid)]
        looked_up = delayed(m, asked, 1)
        found = delayed(m, looked_up, 1)

        # tanh with one fraction bit more than the table's line has, or 1 + tanh: twice the sigmoid
        fraction_bits = TANH_ENTRY_FRACTION_BITS + table.step_bits
        within, line, upper = Signal(table.step_bits), Signal(fraction_bits + 1), Signal(signed(fraction_bits + 3))
        m.d.comb += line.eq((entry.data.base << table.step_bits) + entry.data.slope * within)
        with m.If(self.start):
            m.d.sync += within.eq(magnitude[: table.step_bits])
        with m.If(looked_up.valid):
            m.d.sync += upper.eq(Mux(looked_up.is_sigmoid, line + (1 << fraction_bits), line << 1))

        rounded = Signal(signed(gate.bits))
        mirror = Mux(found.is_sigmoid, 1 << gate.fraction_bits, 0)
        m.d.comb += rounded.eq(rescale(upper, fraction_bits + 1, gate))
        with m.If(found.valid):
            m.d.sync += self.y.eq(Mux(found.negative, mirror - rounded, rounded))
        return m
