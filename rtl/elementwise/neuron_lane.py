"""One lane of the element-wise unit: tables, multipliers and registers that follow a `Plan`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.elementwise.activation import Activation
from deltatrain.rtl.elementwise.membrane import NEURON_PARTS, decay
from deltatrain.rtl.elementwise.plan import BACKWARD, FORWARD, Plan, Register, plain
from deltatrain.rtl.elementwise.timetable import DECAY, ONE, Add, Difference, LookUp, Multiply, OneMinus, Write
from deltatrain.rtl.parts.number import cut_off, fit, half, rescale

Choice = tuple[Hashable, Value]
"""A value and what it is known by."""

__all__ = ["GRADIENTS_OF_H", "NeuronLane", "code_layout", "port_bits"]

GRADIENTS_OF_H = ("g_above", "g_recurrent")
"""The gradient of h comes in two parts, from above and from the step after; the port ``g_h`` takes their fitted sum."""


def port_bits(plan: Plan, kind: str, port: str) -> int:
    """Return the bits of a value at memory port `port`, which is ``read`` or there is a ``write`` to."""
    return max(number.bits for number in plan.formats_of(kind, port))


def code_layout(plan: Plan) -> data.StructLayout:
    """Return the shape of the codes of one cycle, one for each part of a lane."""
    return data.StructLayout(
        {part: unsigned(max(a.code for a in actions).bit_length()) for part, actions in plan.actions.items()}
    )


class NeuronLane(Component):
    """Does with its neurons what the codes say; all lanes get the same codes.

    Each part of the lane (the register behind a memory port, a table, a multiplier, the adder) has a code in every
    cycle: 0 is nothing, n is the part's n-th step in `Plan.actions`. An example is the LSTM's c = f * c_before + i * g,
    which multiplier 0 makes in two steps (`rtl.elementwise.cells.lstm`), with cycles counted from the neuron's first:

        cycle  codes                          what registers hold from the next cycle on
        2      table_0 = 1: looks f up        (f comes out of the table in cycle 5)
        3      table_0 = 2: looks i up        (i comes out in cycle 6)
        4      table_0 = 3: looks g up        (g comes out in cycle 7)
               take_state = 1                 read_state = c_before, which was addressed in cycle 3
        5      multiply_0 = 1                 product_0 = c_before * f, exact
        6      round_0 = 1                    nothing: the product stays exact
               keep_0_kept = 1, keep_0_i = 1  kept_0_kept = product_0; kept_0_i = i, as the table makes g next
        7      multiply_0 = 2                 product_0 = i * g: i from its own register, g from the table's
        8      round_0 = 2                    result_0 = kept_0_kept + product_0, rounded to the format of the state
        9      write_new_state = 1            (the memory has c)

    So three things give a step its hardware: a value's register at the cycle in which it is read (`Plan.register`), a
    choice in front of each operand by the part's code, and a shift where two values have different fraction bits.

    Parameters
    ----------
    plan
        What the codes mean.
    neuron
        What a neuron of a spiking cell is; None of other cells.

    Members
    -------
    code : In(code_layout(plan))
        What each part does in this cycle.
    read : In(data.StructLayout)
        What the memory ports answer, by port; ``g_h`` in two parts, M in the format that the code takes.
    write : Out(data.StructLayout)
        What goes to the memory ports, by port, in cycles in which the port's code is not 0.
    """

    def __init__(self, *, plan: Plan, neuron: LeakyNeuron | None = None) -> None:
        self._plan, self._neuron = plan, neuron
        read = {name: signed(port_bits(plan, "read", port)) for port in plan.ports("read") for name in _answers(port)}
        write = {port: signed(port_bits(plan, "write", port)) for port in plan.ports("write")}
        super().__init__(
            {
                "code": In(code_layout(plan)),
                "read": In(data.StructLayout(read)),
                "write": Out(data.StructLayout(write)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Describe the register of every part, then what fills it."""
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
        for (program, value), cycle in self._plan.kept.items():
            now = self._value(program, value, cycle)
            kept = Signal.like(now, name=f"kept_{program}_{value}")
            self._registers[Register("kept", value, program)] = kept
            with m.If(self.code[f"keep_{program}_{value}"]):
                m.d.sync += kept.eq(now)
        for describe in fill:
            describe()
        for port in self._plan.ports("write"):
            self._write(m, port)
        return m

    def _value(self, program: int, value: str, cycle: int) -> Value:
        return self._registers[self._plan.register(program, value, cycle)]

    def _choice(self, program: int, value: str, cycle: int, wanted: str | None = None) -> Choice:
        """Return `value`, rounded to the format `wanted` if that is another than its own."""
        plan = self._plan
        register = plan.register(program, value, cycle)
        if wanted is None or wanted == plan.stored(program, value):
            return register, self._registers[register]
        number = plan.number(wanted)
        return (register, wanted), rescale(self._registers[register], plan.fraction_bits(program, value), number)

    def _steps(self, part: tuple[str, str | int]) -> list:
        """Return code, program and step of all that `part` does; `Plan.actions` numbers them in the same order."""
        steps = [(program, step) for program in (FORWARD, BACKWARD) for step in self._plan.steps(program, part)]
        return [(code, program, step) for code, (program, step) in enumerate(steps, 1)]

    # --- parts

    def _read(self, m: Module, port: str) -> Callable[[], None]:
        """Describe the register behind a memory port."""
        plan = self._plan
        numbers = plan.formats_of("read", port)
        taken = Signal(signed(max(number.bits for number in numbers)), name=f"read_{port}")
        self._registers[Register("read", port)] = taken

        def describe() -> None:
            with m.Switch(self.code[f"take_{port}"]):
                for code, number in enumerate(numbers, 1):
                    with m.Case(code):
                        m.d.sync += taken.eq(self._answer(port, number))

        return describe

    def _answer(self, port: str, number: NumberFormat) -> Value:
        if port == "g_h":
            return fit(self.read[GRADIENTS_OF_H[0]] + self.read[GRADIENTS_OF_H[1]], number)
        return self.read[port]

    def _table(self, m: Module, which: int) -> Callable[[], None]:
        """Describe a table port."""
        plan = self._plan
        activation = Activation(gate=plan.formats.gate)
        m.submodules[f"table_{which}"] = activation
        self._registers[Register("table", which)] = activation.y

        def describe() -> None:
            code = self.code[f"table_{which}"]
            steps: list[tuple[int, int, LookUp]] = self._steps(("table", which))
            points = {}
            for number, program, step in steps:
                ready = plan.stored(program, step.of) in ("sigmoid_input", "tanh_input")
                points[number] = self._choice(program, step.of, step.cycle, None if ready else "tanh_input")
            sigmoids = [number for number, program, step in steps if plan.stored(program, step.of) == "sigmoid_input"]
            m.d.comb += activation.is_sigmoid.eq(_is_one_of(code, sigmoids))
            m.d.comb += [activation.start.eq(code != 0), activation.x.eq(_chosen(m, f"x_{which}", code, points))]

        return describe

    def _adder(self, m: Module, which: int) -> Callable[[], None]:
        """Describe the adder of two stored values."""
        steps = self._steps(("adder", which))
        total = Signal(signed(max(self._plan.number(step.stored).bits for _, _, step in steps)), name="total")
        self._registers[Register("adder", which)] = total

        def describe() -> None:
            for number, program, step in steps:
                assert isinstance(step, Add)
                left, right = (self._value(program, value, step.cycle) for value in (step.left, step.right))
                with m.If(self.code.add == number):
                    m.d.sync += total.eq(fit(left + right, self._plan.number(step.stored)))

        return describe

    def _of_neuron(self, m: Module, which: str) -> Callable[[], None]:
        """Describe a part of a spiking neuron."""
        assert self._neuron is not None, "only spiking cells have such parts"
        ((_, program, step),) = self._steps(("neuron", which))
        m.submodules[which] = part = NEURON_PARTS[which](neuron=self._neuron, formats=self._plan.formats)
        self._registers[Register("neuron", which)] = part.y

        def describe() -> None:
            m.d.comb += [
                part.start.eq(self.code[f"neuron_{which}"]),
                part.i.eq(self._value(program, step.of, step.cycle)),
            ]
            if which == "current":
                m.d.comb += part.spiked.eq(m.submodules.leak.spiked)

        return describe

    def _multiplier(self, m: Module, which: int) -> Callable[[], None]:
        """Describe a multiplier and, behind its product, addend, rounding and result."""
        plan = self._plan
        steps: list[tuple[int, int, Multiply]] = self._steps(("multiplier", which))
        bits = {
            _operand_bits(plan, program, step.left) + _operand_bits(plan, program, step.right)
            for _, program, step in steps
        }
        product = Signal(signed(max(bits)), name=f"product_{which}")
        stored = [plan.number(step.stored).bits for _, _, step in steps if step.stored is not None]
        result = Signal(signed(max(stored)), name=f"result_{which}")
        self._registers[Register("product", which)] = product
        self._registers[Register("result", which)] = result

        def describe() -> None:
            code = self.code[f"multiply_{which}"]
            with m.If(code != 0):
                m.d.sync += product.eq(self._left(m, which, steps) * self._right(m, which, steps))
            self._round(m, which, steps, product, result)

        return describe

    def _left(self, m: Module, which: int, steps: list[tuple[int, int, Multiply]]) -> Value:
        chosen: dict[int, Choice] = {}
        for number, program, step in steps:
            chosen[number] = self._choice(program, plain(step.left), step.cycle)
            if isinstance(step.left, Difference):
                less = self._value(program, step.left.less, step.cycle)
                chosen[number] = step.left, chosen[number][1] - less
        return _chosen(m, f"left_{which}", self.code[f"multiply_{which}"], chosen)

    def _right(self, m: Module, which: int, steps: list[tuple[int, int, Multiply]]) -> Value:
        code = self.code[f"multiply_{which}"]
        chosen = {n: self._right_choice(program, step) for n, program, step in steps}
        value = _chosen(m, f"right_{which}", code, chosen)
        complemented = [n for n, _, step in steps if isinstance(step.right, OneMinus)]
        if not complemented:
            return value
        one = 1 << self._plan.formats.gate.fraction_bits
        # 1 - v = ~v + 1 + one: an adder and no choice behind it
        minus = _is_one_of(code, complemented)
        return (value ^ minus.replicate(len(value)).as_signed()) + Mux(minus, one + 1, 0)

    def _right_choice(self, program: int, step: Multiply) -> Choice:
        if step.right == DECAY:
            assert self._neuron is not None, "only spiking cells leak"
            return DECAY, decay(self._neuron, self._plan.formats)
        return self._choice(program, plain(step.right), step.cycle)

    def _round(
        self, m: Module, which: int, steps: list[tuple[int, int, Multiply]], product: Signal, result: Signal
    ) -> None:
        """Describe the sum of product and addend, brought to a common point, and what it is when it is stored."""
        plan, code = self._plan, self.code[f"round_{which}"]
        products, addends, halves, rounded = {}, {}, {}, {}
        for number, program, step in steps:
            if step.stored is None:
                continue
            fraction = plan.product_fraction_bits(program, step)
            (key, addend), addend_fraction = self._addend(program, step, fraction)
            finest = max(fraction, addend_fraction)
            products[number] = finest - fraction, product.shift_left(finest - fraction)
            addends[number] = (key, finest - addend_fraction), addend.shift_left(finest - addend_fraction)
            stored = plan.number(step.stored)
            shift = finest - stored.fraction_bits
            halves[number], rounded[number] = (half(shift), Const(half(shift))), (shift, stored)
        aligned, addend, raises = (
            _chosen(m, f"{name}_{which}", code, choices)
            for name, choices in (("aligned", products), ("addend", addends), ("half", halves))
        )
        minus = Signal(name=f"minus_{which}")
        m.d.comb += minus.eq(_is_one_of(code, [n for n, _, step in steps if step.minus]))
        # a - p = a + ~p + 1: the bit below both makes the 1 a carry. So one sum subtracts, adds and rounds.
        factor = Cat(minus, aligned ^ minus.replicate(len(aligned)).as_signed()).as_signed()
        total_of = (factor + Cat(minus, addend).as_signed() + Cat(0, raises).as_signed())[1:].as_signed()
        total = Signal(total_of.shape(), name=f"sum_{which}")
        m.d.comb += total.eq(total_of)
        alike = _grouped((n, (shift, stored.bits, stored.overflow)) for n, (shift, stored) in rounded.items())
        for numbers in alike.values():
            shift, stored = rounded[numbers[0]]
            with m.If(_is_one_of(code, numbers)):
                m.d.sync += result.eq(fit(cut_off(total, shift), stored))

    def _addend(self, program: int, step: Multiply, fraction_bits: int) -> tuple[Choice, int]:
        """Return what `step` adds to its product, which has `fraction_bits`, and its fraction bits."""
        if step.plus is None or step.plus == ONE:
            constant = 0 if step.plus is None else 1 << fraction_bits
            return (constant, Const(constant)), fraction_bits
        return self._choice(program, step.plus, step.cycle + 1), self._plan.fraction_bits(program, step.plus)

    def _write(self, m: Module, port: str) -> None:
        """Describe what goes to a memory port; a value in another format than the port's is rounded on the way."""
        steps: list[tuple[int, int, Write]] = self._steps(("write", port))
        values = {n: self._choice(program, step.value, step.cycle, step.stored) for n, program, step in steps}
        m.d.comb += self.write[port].eq(_chosen(m, f"write_{port}", self.code[f"write_{port}"], values))


def _answers(port: str) -> tuple[str, ...]:
    return GRADIENTS_OF_H if port == "g_h" else (port,)


def _operand_bits(plan: Plan, program: int, operand: str | OneMinus | Difference) -> int:
    name = plan.stored(program, plain(operand))
    assert name is not None, "a factor is a stored value"
    return plan.number(name).bits + (not isinstance(operand, str))


def _grouped(pairs: Iterable[tuple[int, object]]) -> dict:
    groups: dict[object, list[int]] = {}
    for number, key in pairs:
        groups.setdefault(key, []).append(number)
    return groups


def _is_one_of(code: Value, numbers: list[int]) -> Value:
    return code.matches(*numbers)


def _chosen(m: Module, name: str, code: Value, choices: Mapping[int, Choice]) -> Value:
    """Return a signal that is the value of ``choices[code]``, zero for any other code; one key is one value."""
    groups = _grouped((number, key) for number, (key, _) in choices.items())
    chosen = Signal(signed(max(_signed_bits(value.shape()) for _, value in choices.values())), name=name)
    with m.Switch(code):
        for numbers in groups.values():
            with m.Case(*numbers):
                m.d.comb += chosen.eq(choices[numbers[0]][1])
    return chosen


def _signed_bits(shape: Shape) -> int:
    return shape.width + (not shape.signed)
