"""One lane of the element-wise unit: tables, multipliers and registers that follow a `Plan`."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out
from amaranth.utils import ceil_log2

from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.elementwise.activation import Activation
from deltatrain.rtl.elementwise.membrane import NEURON_PARTS, decay
from deltatrain.rtl.elementwise.plan import BACKWARD, FORWARD, Part, Plan, Register, Ring
from deltatrain.rtl.elementwise.selects import (
    Addend,
    Factor,
    Point,
    Select,
    behind,
    factor_bits,
    factor_of,
    selects,
    shift_of,
)
from deltatrain.rtl.elementwise.timetable import DECAY, ONE
from deltatrain.rtl.parts.number import cut_off, fit, half, rescale

__all__ = ["GRADIENTS_OF_H", "NeuronLane", "port_bits", "ring_layout", "select_layout"]

GRADIENTS_OF_H = ("g_above", "g_recurrent")
"""The gradient of h comes in two parts, from above and from the step after; the port ``g_h`` takes their fitted sum."""


def port_bits(plan: Plan, kind: str, port: str) -> int:
    """Return the bits of a value at memory port `port`, which is ``read`` or there is a ``write`` to."""
    return max(number.bits for number in plan.formats_of(kind, port))


def select_layout(found: dict[str, Select]) -> data.StructLayout:
    """Return the shape of all selects of one cycle, a bit for each choice."""
    return data.StructLayout({name: unsigned(len(choices)) for name, choices in found.items()})


def ring_layout(ring: Ring) -> data.StructLayout:
    """Return the shape of a ring's addresses: of what is read of it, and of where a value goes to."""
    address = ceil_log2(len(ring.values)) + ceil_log2(ring.neurons)
    return data.StructLayout({"read": unsigned(address), "to": unsigned(address)})


class NeuronLane(Component):
    """Does with its neurons what the selects say; all lanes get the same.

    Each part of the lane (the register behind a memory port, a table, a multiplier, the adder) has one select or
    several, whose bits say in every cycle which of its choices is made (`rtl.elementwise.selects`). An example is the
    LSTM's c = f * c_before + i * g, which multiplier 0 makes in two steps (`rtl.elementwise.cells.lstm`), with cycles
    counted from the neuron's first:

        cycle  selects                        what registers hold from the next cycle on
        3      x_0: M, is_sigmoid_0           (f comes out of the table in cycle 7)
        4      x_0: M, is_sigmoid_0           (i comes out in cycle 8)
        5      x_0: M                         (g comes out in cycle 9)
        6      take_state                     read_state = c_before, which was addressed in cycle 5
        7      left_0: state, right_0: table  left_0 = c_before, right_0 = f
        8      product_0                      product_0 = c_before * f, exact
               table_0_later_1                table_0_later_1 = i, as the table has g next
        9      left_0: i, right_0: table      left_0 = i, right_0 = g
        10     product_0, addend_0: product   product_0 = i * g; addend_0 = c_before * f, and the half that rounds
        11     sum_0, aligned_0               sum_0 = addend_0 + product_0
        12     fit_0                          result_0 = c in the format of the state
        13     write_new_state                (the memory has c)

    So three things give a step its hardware: a value's register at the cycle in which it is read (`Plan.register`), a
    choice in front of each operand, and a shift where two values have different fraction bits.

    Parameters
    ----------
    plan
        What is to be done.
    neuron
        What a neuron of a spiking cell is; None of other cells.

    Members
    -------
    select : In(select_layout)
        What each part does in this cycle.
    read : In(data.StructLayout)
        What the memory ports answer, by port; ``g_h`` in two parts, M in the format that is taken.
    blank : In(data.StructLayout)
        For each memory port whether what is taken of it in this cycle counts as zero.
    rings : In(data.StructLayout)
        The addresses of each of the plan's rings, by its name.
    write : Out(data.StructLayout)
        What goes to the memory ports, by port, in cycles in which something is written there.
    spiking, listed : Out(data.StructLayout), In(data.StructLayout)
        Whether the neuron spikes, forward and backward, and whether it is gradient-only, backward; whether it is
        listed, in either direction (`rtl.elementwise.membrane`). Present of a spiking cell.
    """

    def __init__(self, *, plan: Plan, neuron: LeakyNeuron | None = None) -> None:
        self._plan, self._selects, self._neuron = plan, selects(plan), neuron
        read = {name: signed(port_bits(plan, "read", port)) for port in plan.ports("read") for name in _answers(port)}
        write = {port: signed(port_bits(plan, "write", port)) for port in plan.ports("write")}
        of_spikes = {
            "spiking": Out(data.StructLayout(dict.fromkeys(("forward", "backward", "learns"), 1))),
            "listed": In(data.StructLayout(dict.fromkeys(("forward", "backward"), 1))),
        }
        super().__init__(
            {
                **(of_spikes if neuron else {}),
                "select": In(select_layout(self._selects)),
                "read": In(data.StructLayout(read)),
                "blank": In(data.StructLayout(dict.fromkeys(plan.ports("read"), 1))),
                "rings": In(data.StructLayout({ring.name: ring_layout(ring) for ring in plan.rings.values()})),
                "write": Out(data.StructLayout(write)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Describe the register of every part and those behind it, then what fills it."""
        m = Module()
        self._registers: dict[Register, Value] = {}
        parts: dict[str, Callable] = {
            "read": self._read,
            "table": self._table,
            "multiplier": self._multiplier,
            "adder": self._adder,
            "neuron": self._of_neuron,
        }
        # Parts read each other's registers, so all registers are made before the first is filled.
        fill = [parts[kind](m, which) for kind, which in self._plan.parts if kind != "write"]
        self._behind(m)
        for describe in fill:
            describe()
        for port in self._plan.ports("write"):
            m.d.comb += self.write[port].eq(self._chosen(m, f"write_{port}", self._point))
        return m

    def _behind(self, m: Module) -> None:
        """Describe the registers behind those of the parts."""
        for ring in self._plan.rings.values():
            self._ring(m, ring)
        chains = [(register, length) for (_, register), length in self._plan.lines.items()]
        for first, length in chains:
            for later in range(1, length + 1):
                self._follow(m, first._replace(later=later - 1), first._replace(later=later))
        for (program, value), levels in self._plan.kept.items():
            before = self._plan.made(program, value)[0]
            for level in range(1, levels + 1):
                kept = Register("kept", value, program, level)
                self._follow(m, before, kept)
                before = kept

    def _ring(self, m: Module, ring: Ring) -> None:
        """Describe a ring, which answers in the cycle of its address."""
        value, at = self._registers[ring.part], self.rings[ring.name]
        depth = 1 << len(at.read)
        m.submodules[ring.name] = memory = Memory(
            shape=signed(len(value)), depth=depth, init=[], attrs={"ram_style": "distributed"}
        )
        kept, new = memory.read_port(domain="comb"), memory.write_port()
        self._registers[ring.register] = kept.data
        m.d.comb += [
            kept.addr.eq(at.read),
            new.addr.eq(at.to),
            new.en.eq(self._on(f"keep_{ring.name}")),
            new.data.eq(value),
        ]

    def _follow(self, m: Module, before: Register, register: Register) -> None:
        if register in self._registers:  # of the other program's line
            return
        kept = Signal.like(self._registers[before], name=behind(register))
        self._registers[register] = kept
        with m.If(self._on(behind(register))):
            m.d.sync += kept.eq(self._registers[before])

    # --- choices

    def _on(self, name: str) -> Value:
        """Return whether an enable is on."""
        return self.select[name] if name in self._selects else Const(0)

    def _chosen(self, m: Module, name: str, value_of: Callable[[Any], Value]) -> Value:
        """Return the value of the choice that is made, zero if none is, where there are several."""
        values = [Value.cast(value_of(choice)) for choice in self._selects[name]]
        return self._gated(m, list(zip(self.select[name], values, strict=True)))

    def _gated(self, m: Module, choices: list[tuple[Value, Value]]) -> Value:
        """Return the value whose bit is on, zero if none is, where there are several; not under a condition."""
        if len(choices) == 1:
            return choices[0][1]
        bits = max(len(value) + (not value.shape().signed) for _, value in choices)
        gated = []
        for bit, value in choices:
            wide = Signal(signed(bits))
            m.d.comb += wide.eq(value)
            gated.append(wide & bit.replicate(bits).as_signed())
        return reduce(or_, gated)

    def _point(self, point: Point) -> Value:
        """Return a register's value, rounded to the format that is wanted."""
        value = self._registers[point.register]
        return value if point.wanted is None else rescale(value, point.fraction_bits, self._plan.number(point.wanted))

    # --- parts

    def _steps(self, part: Part) -> list[tuple[int, Any]]:
        """Return program and step of all that `part` does."""
        return [(program, step) for program in (FORWARD, BACKWARD) for step in self._plan.steps(program, part)]

    def _read(self, m: Module, port: str) -> Callable[[], None]:
        """Describe the register behind a memory port."""
        taken = Signal(signed(port_bits(self._plan, "read", port)), name=f"read_{port}")
        self._registers[Register("read", port)] = taken

        def describe() -> None:
            value = self.read[port] if port != "g_h" else self._gradient_of_h(m)
            with m.If(self._on(f"take_{port}")):
                m.d.sync += taken.eq(value)
            with m.If(self.blank[port]):  # a reset of the register, and no choice in front of it
                m.d.sync += taken.eq(0)

        return describe

    def _gradient_of_h(self, m: Module) -> Value:
        """Return the sum of both parts, each in a register before it."""
        (number,) = self._plan.formats_of("read", "g_h")
        parts = [Signal.like(self.read[part], name=f"answer_{part}") for part in GRADIENTS_OF_H]
        with m.If(self._on("answer_g_h")):
            m.d.sync += [part.eq(self.read[name]) for part, name in zip(parts, GRADIENTS_OF_H, strict=True)]
        return fit(parts[0] + parts[1], number)

    def _table(self, m: Module, which: int) -> Callable[[], None]:
        """Describe a table port."""
        activation = Activation(gate=self._plan.formats.gate)
        m.submodules[f"table_{which}"] = activation
        self._registers[Register("table", which)] = activation.y

        def describe() -> None:
            m.d.comb += [
                activation.start.eq(self._on(f"start_{which}")),
                activation.is_sigmoid.eq(self._on(f"is_sigmoid_{which}")),
                activation.x.eq(self._chosen(m, f"x_{which}", self._point)),
            ]

        return describe

    def _adder(self, m: Module, which: int) -> Callable[[], None]:
        """Describe the adder of two stored values."""
        steps = self._steps(("adder", which))
        total = Signal(signed(max(self._plan.number(step.stored).bits for _, step in steps)), name="total")
        self._registers[Register("adder", which)] = total

        def describe() -> None:
            for bit, (left, right, stored) in zip(self.select["add"], self._selects["add"], strict=True):
                with m.If(bit):
                    sum_of = self._registers[left] + self._registers[right]
                    m.d.sync += total.eq(fit(sum_of, self._plan.number(stored)))

        return describe

    def _of_neuron(self, m: Module, which: str) -> Callable[[], None]:
        """Describe a part of a spiking neuron."""
        assert self._neuron is not None, "only spiking cells have such parts"
        m.submodules[which] = part = NEURON_PARTS[which](neuron=self._neuron, formats=self._plan.formats)
        self._registers[Register("neuron", which)] = part.y

        def describe() -> None:
            value = self._chosen(m, f"of_{which}", self._factor_part)
            m.d.comb += [part.start.eq(self._on(f"start_{which}")), part.i.eq(value)]
            if which == "current":
                m.d.comb += part.spiked.eq(m.submodules.leak.spiked)
            elif which == "spike":
                m.d.comb += [self.spiking.forward.eq(part.spikes), part.listed.eq(self.listed.forward)]
            elif which == "membrane":
                m.d.comb += [
                    self.spiking.backward.eq(part.spikes),
                    self.spiking.learns.eq(part.learns),
                    part.listed.eq(self.listed.backward),
                ]

        return describe

    def _multiplier(self, m: Module, which: int) -> Callable[[], None]:
        """Describe a multiplier: registers of its factors, product, addend, sum and result."""
        plan = self._plan
        steps = self._steps(("multiplier", which))
        bits = [
            max(
                factor_bits(plan, program, getattr(s, side)) + factor_of(plan, program, s, side).shift
                for program, s in steps
            )
            for side in ("left", "right")
        ]
        left, right = (
            Signal(signed(n), name=f"{side}_{which}") for side, n in zip(("left", "right"), bits, strict=True)
        )
        product = Signal(signed(sum(bits)), name=f"product_{which}")
        stored = [plan.number(step.stored).bits for _, step in steps if step.stored is not None]
        self._registers[Register("product", which)] = product
        if stored:
            result = Signal(signed(max(stored)), name=f"result_{which}")
            self._registers[Register("result", which)] = result

        def describe() -> None:
            left_chosen = self._chosen(m, f"left_{which}", self._factor)
            right_chosen = self._chosen(m, f"right_{which}", self._factor)
            with m.If(self._on(f"multiply_{which}")):
                m.d.sync += [left.eq(left_chosen), right.eq(self._turned(which, right_chosen))]
            with m.If(self._on(f"product_{which}")):
                m.d.sync += product.eq(left * right)
            if stored:
                self._sum(m, which, product, result)

        return describe

    def _factor(self, factor: Factor) -> Value:
        first, *less = (self._factor_part(of) for of in factor.of)
        return (first - less[0] if less else first).shift_left(factor.shift)

    def _factor_part(self, of: Register | str) -> Value:
        if isinstance(of, Register):
            return self._registers[of]
        assert of == DECAY and self._neuron is not None, "only spiking cells leak"
        return decay(self._neuron, self._plan.formats)

    def _turned(self, which: int, value: Value) -> Value:
        """Return -value or 1 - value for the steps that want it: ~value + 1 and one, with no choice behind the sum."""
        if f"turn_{which}" not in self._selects:
            return value
        turn, one = self._on(f"turn_{which}"), Const(0)
        for bit, shift in zip(self._on(f"one_{which}"), self._selects.get(f"one_{which}", ()), strict=False):
            one |= bit << self._plan.formats.gate.fraction_bits + shift
        return (value ^ turn.replicate(len(value)).as_signed()) + (one | turn)

    def _sum(self, m: Module, which: int, product: Signal, result: Signal) -> None:
        """Describe what follows a product: addend, their sum with all points in one place, and what is stored of it."""
        behind_point = shift_of(self._plan, which)
        addend = self._addend_register(m, which, half(behind_point))
        aligned = self._chosen(m, f"aligned_{which}", product.shift_left)
        total_of = aligned + addend
        total = Signal(total_of.shape(), name=f"sum_{which}")
        with m.If(self._on(f"sum_{which}")):
            m.d.sync += total.eq(total_of)
        cut = Signal(signed(max(1, len(total) - behind_point)), name=f"cut_{which}")
        m.d.comb += cut.eq(cut_off(total, behind_point))
        for bit, (bits, overflow) in zip(self.select[f"fit_{which}"], self._selects[f"fit_{which}"], strict=True):
            with m.If(bit):
                m.d.sync += result.eq(fit(cut, NumberFormat(bits=bits, fraction_bits=0, overflow=overflow)))

    def _addend_register(self, m: Module, which: int, raises: int) -> Signal:
        """Return the register of what is added; of one value and constants, these are resets and no choices."""
        values = [self._addend(addend, raises) for addend in self._selects[f"addend_{which}"]]
        bits = max(len(value) + (not value.shape().signed) for value in values)
        register = Signal(signed(bits), name=f"addend_{which}")
        choices = list(zip(self.select[f"addend_{which}"], values, strict=True))
        constants = [(bit, value) for bit, value in choices if isinstance(value, Const)]
        if len(choices) - len(constants) == 1:
            choices = [(bit, value) for bit, value in choices if not isinstance(value, Const)]
        else:
            constants = []
        chosen = self._gated(m, choices)
        with m.If(self._on(f"add_to_{which}")):
            m.d.sync += register.eq(chosen)
        for bit, value in constants:
            with m.If(bit):
                m.d.sync += register.eq(value)
        return register

    def _addend(self, addend: Addend, raises: int) -> Value:
        """Return an addend at its place, and the half that rounds: its bit is free below most of them."""
        of, shift = addend
        if of is None:
            return Const(raises)
        if of == ONE:
            return Const((1 << shift) + raises)
        assert isinstance(of, Register)
        value = self._registers[of]
        if raises < 1 << shift:
            return Cat(Const(raises, shift), value).as_signed()
        return value.shift_left(shift) + raises


def _answers(port: str) -> tuple[str, ...]:
    return GRADIENTS_OF_H if port == "g_h" else (port,)
