"""What a lane does of a spiking neuron beside multiplying, equal to `accel.cells.lif`; each part takes a value a cycle.

Every part has the members ``start`` (a value comes in this cycle), ``i`` (it) and ``y``: what it makes of it,
`rtl.elementwise.timetable.NEURON_CYCLES` later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.cells.lif import DISTANCE, ENTRY_FRACTION_BITS, surrogate_table
from deltatrain.accel.engine import Formats
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.modes.encode_spikes import MARK
from deltatrain.accel.number import NumberFormat, quantise
from deltatrain.rtl.elementwise.activation import rom
from deltatrain.rtl.elementwise.timetable import NEURON_CYCLES
from deltatrain.rtl.parts.delay import delayed
from deltatrain.rtl.parts.number import rescale

__all__ = ["NEURON_PARTS", "current_format", "decay"]


def current_format(formats: Formats) -> NumberFormat:
    """Return the format of a current less the threshold, exactly; it may be wider than any described."""
    memory, state = formats.memory, formats.state
    finest = max(memory.fraction_bits, state.fraction_bits)
    bits = 1 + max(one.bits + finest - one.fraction_bits for one in (memory, state))
    return NumberFormat.model_construct(bits=bits, fraction_bits=finest)


def decay(neuron: LeakyNeuron, formats: Formats) -> Value:
    """Return the share of a potential that a step leaves, in ``formats.gate``."""
    return Const(_quantised(neuron.decay, formats.gate), signed(formats.gate.bits))


class _Part(Component):
    """A part, from a value of `i_bits` to one of `y_bits`."""

    def __init__(self, neuron: LeakyNeuron, formats: Formats, i_bits: int, y_bits: int, **more: In | Out) -> None:
        self._neuron, self._formats = neuron, formats
        self._threshold, self._near = (_quantised(value, formats.state) for value in (neuron.threshold, neuron.near))
        super().__init__({"start": In(1), "i": In(signed(i_bits)), "y": Out(signed(y_bits)), **more})

    def _learns(self, potential: Value) -> Value:
        """Return whether a neuron of this potential is gradient-only."""
        return (potential > self._near) & (potential <= self._threshold)


class Leak(_Part):
    """What is there to leak of a potential: nothing if it was above the threshold and the reset is to zero.

    Members
    -------
    spiked : Out(1)
        Whether the potential of `y` was above the threshold.
    """

    def __init__(self, *, neuron: LeakyNeuron, formats: Formats) -> None:
        super().__init__(neuron, formats, formats.state.bits, formats.state.bits, spiked=Out(1))

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        above = self.i > self._threshold
        with m.If(self.start):
            m.d.sync += self.spiked.eq(above)
            m.d.sync += self.y.eq(Mux(above, 0, self.i) if self._neuron.reset == "zero" else self.i)
        return m


class Current(_Part):
    """The current, less the threshold where the neuron spiked and the reset subtracts it.

    Members
    -------
    spiked : In(1)
        Whether it did.
    """

    def __init__(self, *, neuron: LeakyNeuron, formats: Formats) -> None:
        super().__init__(neuron, formats, formats.memory.bits, current_format(formats).bits, spiked=In(1))

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        finest = current_format(self._formats).fraction_bits
        current: Value = self.i.shift_left(finest - self._formats.memory.fraction_bits)
        if self._neuron.reset == "subtract":
            current = current - Mux(self.spiked, self._threshold << (finest - self._formats.state.fraction_bits), 0)
        with m.If(self.start):
            m.d.sync += self.y.eq(current)
        return m


class Spike(_Part):
    """h of a potential: 1.0 for a spike that is listed, `MARK` for one below the threshold that would learn, else 0.

    Members
    -------
    spikes : Out(1)
        Whether the potential that came a cycle ago is above the threshold.
    listed : In(1)
        Whether that spike is listed.
    """

    def __init__(self, *, neuron: LeakyNeuron, formats: Formats) -> None:
        listed = {"spikes": Out(1), "listed": In(1)}
        super().__init__(neuron, formats, formats.state.bits, formats.activation.bits, **listed)

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        activation = self._formats.activation
        one, learns = min(1 << activation.fraction_bits, activation.highest), Signal()
        with m.If(self.start):
            m.d.sync += [self.spikes.eq(self.i > self._threshold), learns.eq(self._learns(self.i))]
        with m.If(delayed(m, self.start, 1)):
            m.d.sync += self.y.eq(Mux(self.listed, one, Mux(learns, MARK, 0)))
        return m


class Membrane(_Part):
    """The slope of the spike of a potential; zero where the neuron was not listed.

    Members
    -------
    spikes, learns : Out(1)
        Whether the potential that came a cycle ago is above the threshold; whether it is a gradient-only neuron's.
    listed : In(1)
        Whether either was listed.

    Notes
    -----
    A potential through the pipeline:

    ====== ==========================================================================
    cycle  stage
    ====== ==========================================================================
    0      less the threshold; compared with the lower threshold
    1      distance
    2      rounded to the table's argument
    3      its segment is looked up
    4      the memory answers; along the line
    5      rounded, fitted
    6      the slope is there
    ====== ==========================================================================
    """

    def __init__(self, *, neuron: LeakyNeuron, formats: Formats) -> None:
        listed = {"spikes": Out(1), "learns": Out(1), "listed": In(1)}
        super().__init__(neuron, formats, formats.state.bits, formats.gate.bits, **listed)

    def elaborate(self, platform: object) -> Module:
        """Return the gates."""
        m = Module()
        formats, table = self._formats, surrogate_table(self._neuron)
        m.submodules.rom = memory = rom(table)
        entry = memory.read_port()
        starts = [self.start]
        for _ in range(NEURON_CYCLES["membrane"] - 1):
            starts.append(delayed(m, starts[-1], 1))
        less = Signal(signed(formats.state.bits + 1))
        distance, point = Signal(signed(formats.state.bits + 2)), Signal(DISTANCE.bits - 1)
        within, line = Signal(table.step_bits), Signal(signed(len(entry.data.base) + table.step_bits + 2))
        m.d.comb += [
            entry.en.eq(starts[3]),
            entry.addr.eq(point[table.step_bits :]),
        ]
        with m.If(starts[0]):
            m.d.sync += [
                less.eq(self.i - self._threshold),
                self.spikes.eq(self.i > self._threshold),
                self.learns.eq(self._learns(self.i)),
            ]
        with m.If(starts[1]):
            m.d.sync += distance.eq(Mux(less < 0, -less, less))
        with m.If(starts[2]):
            m.d.sync += point.eq(rescale(distance, formats.state.fraction_bits, DISTANCE))
        with m.If(starts[3]):
            m.d.sync += within.eq(point[: table.step_bits])
        with m.If(starts[4]):
            m.d.sync += line.eq((entry.data.base << table.step_bits) - entry.data.slope * within)
        slope, learns = rescale(line, ENTRY_FRACTION_BITS + table.step_bits, formats.gate), delayed(m, self.listed, 4)
        with m.If(starts[5]):
            m.d.sync += self.y.eq(Mux(learns, slope, 0))
        return m


NEURON_PARTS: Mapping[str, Callable[..., _Part]] = {
    "leak": Leak,
    "current": Current,
    "spike": Spike,
    "membrane": Membrane,
}
"""The parts by the name that timetables give them."""


def _quantised(value: float, number: NumberFormat) -> int:
    return int(quantise(np.array(value), number))
