"""Sigmoid and tanh in hardware, equal to `accel.activation`: both from one table of straight lines."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltatrain.accel.activation import TANH_ENTRY_FRACTION_BITS, TANH_INPUT, LineTable, tanh_table
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.parts.delay import delayed

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
    """Return why values of sigmoid and tanh cannot be in the format `gate`: it must hold 1, or saturate just below."""
    if _holds_one(gate) or (gate.fraction_bits == gate.bits - 1 and gate.overflow == "saturate"):
        return []
    most = gate.bits - 1 if gate.overflow == "saturate" else gate.bits - 2
    return [
        f"the gates need engine.formats.gate to hold 1, or all below it where it saturates: of {gate.bits} bits at "
        f"most {most} fraction bits, not {gate.fraction_bits}"
    ]


def _holds_one(gate: NumberFormat) -> bool:
    return gate.highest >= 1 << gate.fraction_bits


class Activation(wiring.Component):
    """A table port: one point a cycle, its value four cycles later, held until the next one's.

    Parameters
    ----------
    gate
        Format of the values. It holds 1, or saturates at the value below (`limits`).

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
    3      added to its base, rounded, mirrored where the point is negative
    4      the value is there
    ====== ========================================================================

    A negative point's value is -tanh or 1 - sigmoid of its magnitude, taken of the rounded value.
    """

    def __init__(self, *, gate: NumberFormat) -> None:
        for reason in limits(gate):
            raise ValueError(reason)
        self._gate = gate
        super().__init__({"start": In(1), "x": In(signed(16)), "is_sigmoid": In(1), "y": Out(signed(gate.bits))})

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        table = tanh_table()
        m.submodules.rom = memory = rom(table)
        entry = memory.read_port()
        negative, within = self.x[-1], Signal(table.step_bits)
        magnitude = Signal(TANH_INPUT.bits - 1)
        rest = self.x[:-1]
        m.d.comb += [
            # ~x + 1 where x is negative; the lowest integer has no counterpart and takes the highest's, which is ~x
            magnitude.eq((rest ^ negative.replicate(len(rest))) + (negative & rest.any())),
            entry.en.eq(self.start),
            entry.addr.eq(magnitude[table.step_bits :]),
        ]
        asked = Signal(data.StructLayout({"valid": 1, "negative": 1, "is_sigmoid": 1}))
        m.d.comb += [asked.valid.eq(self.start), asked.negative.eq(negative), asked.is_sigmoid.eq(self.is_sigmoid)]
        looked_up = delayed(m, asked, 1)
        found = delayed(m, looked_up, 1)
        risen = delayed(m, found, 1)

        with m.If(self.start):
            m.d.sync += within.eq(magnitude[: table.step_bits])
        segment, place = Signal.like(entry.data), delayed(m, within, 1)
        with m.If(looked_up.valid):
            m.d.sync += segment.eq(entry.data)
        base, rise = Signal.like(segment.base), Signal(len(segment.slope) + table.step_bits)
        with m.If(found.valid):
            m.d.sync += [base.eq(segment.base), rise.eq(segment.slope * place)]
        line = Signal(_FRACTION_BITS + 1)
        m.d.comb += line.eq((base << table.step_bits) + rise)
        with m.If(risen.valid):
            m.d.sync += self.y.eq(self._rounded(line, risen.is_sigmoid, risen.negative))
        return m

    def _rounded(self, line: Signal, is_sigmoid: Value, negative: Value) -> Value:
        """Return tanh, the `line`, or sigmoid, half of 1 + `line`, rounded to nearest even; on which side of zero.

        -v is ~v + 1, and 1 - v is ~v + 1 + 1.0, so that what rounding adds and what turning adds are one carry.
        """
        bits, fraction_bits = self._gate.bits, self._gate.fraction_bits
        finer = max(0, fraction_bits - _FRACTION_BITS)
        # tanh is at most 1; a bit more below, as something is behind the last
        whole = Cat(line[-1] ^ is_sigmoid, line[-1] & is_sigmoid)
        total = Cat(Const(0, finer + 1), line[:-1], whole)
        first = _FRACTION_BITS + finer - fraction_bits + 1
        kept = Mux(is_sigmoid, total[first + 1 :], total[first:])
        last, behind = kept[0], Mux(is_sigmoid, total[first], total[first - 1])
        more = total[: first - 1].any() | (is_sigmoid & total[first - 1])
        carry = (behind & (more | last)) ^ negative
        turned = (Cat(kept, Const(0, bits))[:bits]) ^ negative.replicate(bits)
        mirror = Cat(Const(0, fraction_bits), negative & is_sigmoid)
        value = (Cat(carry, turned) + Cat(carry, mirror))[1 : bits + 1]
        if not _holds_one(self._gate):
            value = _below_one(value, ~negative, is_sigmoid)
        return value.as_signed()


def _below_one(value: Value, positive: Value, is_sigmoid: Value) -> Value:
    """Return `value`, made of a magnitude as if there were a 1; of the highest there is where that was 1.

    The bits of 1 are those of -1, the lowest value. Of a sigmoid's magnitude the other side of 1 is 0.
    """
    was_one = ~value[:-1].any() & (value[-1] ^ (is_sigmoid & ~positive))
    highest = Cat(Const(-1, len(value) - 1), 0)
    lower = Cat(Const(1, len(value) - 1), ~is_sigmoid)  # -highest, or 1 - highest
    return Mux(was_one, Mux(positive, highest, lower), value)
