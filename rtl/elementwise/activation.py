"""Sigmoid and tanh in hardware, equal to `accel.activation`: both from one table of straight lines."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltatrain.accel.activation import TANH_ENTRY_FRACTION_BITS, TANH_INPUT, LineTable, tanh_table
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.number import cut_off, half

__all__ = ["LATENCY_CYCLES", "Activation", "limits", "rom"]

LATENCY_CYCLES = 4
"""From the cycle in which a point is asked to the first in which its value is there."""

_FRACTION_BITS = TANH_ENTRY_FRACTION_BITS + tanh_table().step_bits
"""Of a line of tanh."""


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
    """A table port: one point a cycle, its value four cycles later, held until the next one's.

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
    1      the memory answers
    2      what the segment rises up to the point
    3      added to its base, mirrored where the point is negative, rounded
    4      the value is there
    ====== ========================================================================

    A negative point's value is -tanh or 1 - sigmoid of its magnitude: both terms of the line are turned and their sum
    is rounded once. Rounding to nearest even is the same on both sides of zero, and of 1, as 1 is an even number of the
    format's units; in a format of whole numbers, where it is not, the rounded value is mirrored.
    """

    def __init__(self, *, gate: NumberFormat) -> None:
        for reason in limits(gate):
            raise ValueError(reason)
        self._gate, self._turns = gate, int(gate.fraction_bits > 0)
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
        risen = delayed(m, found, 1)

        within = Signal(table.step_bits)
        with m.If(self.start):
            m.d.sync += within.eq(magnitude[: table.step_bits])
        segment, place = Signal.like(entry.data), delayed(m, within, 1)
        with m.If(looked_up.valid):
            m.d.sync += segment.eq(entry.data)
        base, rise = Signal(signed(_FRACTION_BITS + 3)), Signal(len(segment.slope) + table.step_bits)
        turned = found.negative & self._turns
        with m.If(found.valid):
            start = _term(found.is_sigmoid, turned, segment.base << table.step_bits)
            m.d.sync += [base.eq(start + self._constant(found.is_sigmoid, turned)), rise.eq(segment.slope * place)]
        turned = risen.negative & self._turns
        total, rounded = Signal.like(base), Signal(signed(gate.bits))
        m.d.comb += [
            total.eq(base + _term(risen.is_sigmoid, turned, rise)),
            rounded.eq(cut_off(total, _FRACTION_BITS + 1 - gate.fraction_bits)),
        ]
        with m.If(risen.valid):
            m.d.sync += self.y.eq(rounded)
            if not self._turns:
                with m.If(risen.negative):
                    m.d.sync += self.y.eq(risen.is_sigmoid - rounded)
        return m

    def _constant(self, is_sigmoid: Value, turned: Value) -> Value:
        """Return what is added to both terms: 1 for a sigmoid, what turning leaves out, and the half that rounds."""
        raises = half(_FRACTION_BITS + 1 - self._gate.fraction_bits)
        one = Mux(is_sigmoid, 1 << _FRACTION_BITS, 0)
        return one + Mux(turned, 2 + raises, raises)


def _term(is_sigmoid: Value, turned: Value, value: Value) -> Value:
    """Return a term of the line of tanh, or of twice the sigmoid, with one fraction bit more; ~term if `turned`."""
    term = Cat(Mux(is_sigmoid, value, value << 1), 0)
    return (term ^ turned.replicate(len(term))).as_signed()
