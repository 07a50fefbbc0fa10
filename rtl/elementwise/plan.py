"""Turns a cell's timetables into what its hardware needs: checked windows, registers, and codes of every cycle."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from deltatrain.accel.activation import SIGMOID_INPUT, TANH_INPUT
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.engine import Formats
from deltatrain.accel.modes import cell_backward, cell_forward
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.elementwise.activation import LATENCY_CYCLES
from deltatrain.rtl.elementwise.cells import timetables
from deltatrain.rtl.elementwise.membrane import EXACT_FORMATS
from deltatrain.rtl.elementwise.timetable import (
    DECAY,
    NEURON_CYCLES,
    ONE,
    Add,
    Difference,
    LookUp,
    Multiply,
    Neuron,
    OneMinus,
    Read,
    Step,
    Timetable,
    Write,
)

__all__ = ["BACKWARD", "FORWARD", "Action", "Plan", "Register"]

FORWARD, BACKWARD = 0, 1
"""The two programs of a cell."""


class Register(NamedTuple):
    """A register of a lane: that of a part, such as ``read`` ``carry`` or ``result`` 1, or one that keeps a value."""

    kind: str
    which: str | int
    program: int | None = None


class Action(NamedTuple):
    """In `cycle` of a neuron of `program`, a part's code is `code`; it is 0 where the part has nothing to do."""

    program: int
    cycle: int
    code: int


class Plan:
    """What the parts of a lane do for one neuron of a cell, in both directions.

    Parameters
    ----------
    programs
        The timetables forward and backward.
    slots
        How many cycles a neuron holds its lane in each.
    formats
        The engine's formats.

    Attributes
    ----------
    kept
        Program and name of the values that need a register of their own, with the cycle in which each is there.
    actions
        For each part of a lane what it does, and when. The parts are ``take_`` and ``write_`` with a port's name;
        ``table_``, ``multiply_`` and ``round_`` with a number; ``add``; ``keep_`` with program and value.

    Raises
    ------
    ValueError
        If two neurons would meet in a part, or a value is read before it is made or after it is gone.
    """

    def __init__(self, programs: tuple[Timetable, Timetable], slots: tuple[int, int], formats: Formats) -> None:
        self.programs, self.slots, self.formats = programs, slots, formats
        self._made = [{step.value: step for step in one.steps if not isinstance(step, Write)} for one in programs]
        self._begins = self._windows()
        self.kept = self._kept()
        self.actions = self._actions()

    @classmethod
    def of_cell(cls, cell: str, formats: Formats) -> Plan:
        """Return the plan of a member of `accel.cells`.

        Raises
        ------
        ConfigError
            If the cell has no timetables.
        """
        arithmetic, drawn = CELL_ARITHMETIC.load(cell), timetables(cell)
        slots = (cell_forward.neuron_slots(arithmetic), cell_backward.neuron_slots(arithmetic))
        return cls((drawn.FORWARD, drawn.BACKWARD), slots, formats)

    # --- values

    def number(self, name: str) -> NumberFormat:
        """Return the format that a step calls `name`."""
        if name in EXACT_FORMATS:
            return EXACT_FORMATS[name](self.formats)
        inputs = {"tanh_input": TANH_INPUT, "sigmoid_input": SIGMOID_INPUT}
        number: NumberFormat = inputs.get(name) or getattr(self.formats, name)
        return number

    def stored(self, program: int, value: str) -> str | None:
        """Return the name of the format of `value`; None for an exact product."""
        if value == DECAY:
            return "gate"
        step = self._made[program][value]
        return "gate" if isinstance(step, LookUp) else step.stored

    def fraction_bits(self, program: int, value: str) -> int:
        """Return the fraction bits of `value`."""
        name = self.stored(program, value)
        if name is not None:
            return self.number(name).fraction_bits
        step = self._made[program][value]
        assert isinstance(step, Multiply), "all others are stored"
        return self.product_fraction_bits(program, step)

    def product_fraction_bits(self, program: int, step: Multiply) -> int:
        """Return the fraction bits of the exact product that `step` makes."""
        return sum(self.fraction_bits(program, plain(operand)) for operand in (step.left, step.right))

    def register(self, program: int, value: str, cycle: int) -> Register:
        """Return the register of `value` in `cycle`: its part's, or its own once the part has made the next."""
        register, made, gone = self._span(program, value)
        if cycle < made:
            raise ValueError(f"{value} is read in cycle {cycle}, before it is made in cycle {made}")
        if cycle < gone:
            return register
        if cycle > made + self.slots[program]:
            raise ValueError(f"{value} is read in cycle {cycle}, when the next neuron's, made in {made}, may be there")
        return Register("kept", value, program)

    # --- parts

    def steps(self, program: int, part: tuple[str, str | int]) -> list[Step]:
        """Return the steps that `part` takes in `program`, in their order."""
        return sorted((s for s in self.programs[program].steps if _part(s) == part), key=lambda step: step.cycle)

    @cached_property
    def parts(self) -> list[tuple[str, str | int]]:
        """The parts of a lane: ``read`` and ``write`` with a port's name, ``table``, ``multiplier``, ``adder``."""
        return sorted({_part(step) for one in self.programs for step in one.steps}, key=str)

    def ports(self, kind: str) -> list[str]:
        """Return the names of the ports that are ``read`` or that there is a ``write`` to."""
        return [str(which) for of_kind, which in self.parts if of_kind == kind]

    def formats_of(self, kind: str, port: str) -> list[NumberFormat]:
        """Return the formats of what passes `port`, in the order of their codes."""
        steps = [step for program in (FORWARD, BACKWARD) for step in self.steps(program, (kind, port))]
        return list(dict.fromkeys(self.number(step.stored) for step in steps if isinstance(step, Read | Write)))

    def _windows(self) -> dict[tuple[str, str | int], int]:
        """Return the cycle in which the window of each part begins; check that all uses of the part lie in it."""
        begins = {}
        for step in (step for program in self.programs for step in program.of_kind(Multiply)):
            if step.stored is None and (step.plus is not None or step.minus):
                raise ValueError(f"{step.value} is an exact product, to which nothing can be added")
        for part in self.parts:
            used = [[step.cycle for step in self.steps(program, part)] for program in (FORWARD, BACKWARD)]
            for cycles in used:
                if any(a == b for a, b in pairwise(cycles)):
                    raise ValueError(f"{part} is used twice in one cycle: {cycles}")
            first = min(cycles[0] for cycles in used if cycles)
            for cycles, slots in zip(used, self.slots, strict=True):
                if cycles and cycles[-1] >= first + slots:
                    raise ValueError(f"{part} is used in {cycles}, beyond the {slots} slots from cycle {first} on")
            begins[part] = first
        return begins

    def _span(self, program: int, value: str) -> tuple[Register, int, int]:
        """Return the register that `value` is made in, the cycle it is there, and the cycle it may be replaced."""
        step = self._made[program][value]
        part = _part(step)
        exact = isinstance(step, Multiply) and step.stored is None
        latency = 1 if exact else _latency(step)
        kind = {"multiplier": "product" if exact else "result"}.get(part[0], part[0])
        replacing = [s.cycle for s in self.steps(program, part) if exact or not _is_exact(s)]
        later = [cycle for cycle in replacing if cycle > step.cycle]
        gone = min([*later, self._begins[part] + self.slots[program]]) + latency
        return Register(kind, part[1]), step.cycle + latency, gone

    def _kept(self) -> dict[tuple[int, str], int]:
        """Return which values need a register of their own, and the cycle in which each is there to be kept."""
        kept = {}
        for program in (FORWARD, BACKWARD):
            for step in self.programs[program].steps:
                for value, cycle in operands(step):
                    if self.register(program, value, cycle).kind == "kept":
                        kept[program, value] = self._span(program, value)[1]
        return kept

    def _actions(self) -> dict[str, list[Action]]:
        actions: dict[str, list[Action]] = {}
        for part in self.parts:
            kind, which = part
            code = 0
            for program in (FORWARD, BACKWARD):
                for step in self.steps(program, part):
                    code += 1
                    for name, later, number in self._codes(step, kind, which, code):
                        actions.setdefault(name, []).append(Action(program, step.cycle + later, number))
        for (program, value), cycle in self.kept.items():
            actions[f"keep_{program}_{value}"] = [Action(program, cycle, 1)]
        return actions

    def _codes(self, step: Step, kind: str, which: str | int, code: int) -> Iterator[tuple[str, int, int]]:
        """Yield the actions that `step` is made of: field, cycles after the step's, code."""
        if isinstance(step, Read):
            yield f"take_{which}", 1, 1 + self.formats_of(kind, str(which)).index(self.number(step.stored))
        elif isinstance(step, Multiply):
            yield f"multiply_{which}", 0, code
            yield f"round_{which}", 1, code
        else:
            yield {"adder": "add"}.get(kind, f"{kind}_{which}"), 0, code


def plain(operand: str | OneMinus | Difference) -> str:
    """Return the value that `operand` is made of, the first of a difference."""
    return operand if isinstance(operand, str) else operand.value


def operands(step: Step) -> list[tuple[str, int]]:
    """Return the values that `step` reads, each with the cycle in which."""
    if isinstance(step, LookUp | Neuron):
        return [(step.of, step.cycle)]
    if isinstance(step, Write):
        return [(step.value, step.cycle)]
    if isinstance(step, Add):
        return [(step.left, step.cycle), (step.right, step.cycle)]
    if isinstance(step, Multiply):
        names = [plain(step.left), plain(step.right)]
        names = [name for name in names if name != DECAY]
        names += [step.left.less] if isinstance(step.left, Difference) else []
        addend = [(step.plus, step.cycle + 1)] if step.plus not in (None, ONE) else []
        return [(name, step.cycle) for name in names] + addend
    return []


def _part(step: Step) -> tuple[str, str | int]:
    if isinstance(step, Read):
        return "read", step.port
    if isinstance(step, Write):
        return "write", step.port
    if isinstance(step, LookUp):
        return "table", step.table
    if isinstance(step, Neuron):
        return "neuron", step.part
    return ("multiplier", step.on) if isinstance(step, Multiply) else ("adder", 0)


def _latency(step: Step) -> int:
    if isinstance(step, Neuron):
        return NEURON_CYCLES[step.part]
    return {Read: 2, LookUp: LATENCY_CYCLES, Add: 1, Multiply: 2}[type(step)]


def _is_exact(step: Step) -> bool:
    return isinstance(step, Multiply) and step.stored is None
