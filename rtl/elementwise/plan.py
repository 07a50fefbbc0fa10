"""Turns a cell's timetables into what its hardware needs: checked windows, and where each value is in each cycle."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from amaranth.utils import ceil_log2

from deltatrain.accel.activation import SIGMOID_INPUT, TANH_INPUT
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.engine import Formats
from deltatrain.accel.modes import cell_backward, cell_forward
from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.elementwise.cells import timetables
from deltatrain.rtl.elementwise.membrane import current_format
from deltatrain.rtl.elementwise.timetable import (
    DECAY,
    ONE,
    Add,
    Difference,
    LookUp,
    Multiply,
    Negative,
    Neuron,
    OneMinus,
    Read,
    Step,
    Timetable,
    Write,
    made_after,
)

__all__ = ["BACKWARD", "FORWARD", "Part", "Plan", "Register", "Ring", "operands", "part_of_step", "plain"]

_LEAST_SAVED = 2
"""Registers that a ring must stand in for: a bit of LUT RAM takes as much of an FPGA as a flip-flop and a half."""

Part = tuple[str, str | int]
"""A part of a lane: ``read`` or ``write`` with a port's name, ``table``, ``multiplier`` or ``adder`` with a number,
or ``neuron`` with the name of a spiking neuron's part."""

FORWARD, BACKWARD = 0, 1
"""The two programs of a cell."""


class Register(NamedTuple):
    """A register of a lane: that of a part, such as ``read`` ``carry`` or ``result`` 1, or one behind it.

    `later` 0 is the part's own. Others follow it in a line, in which each takes what the one before held, a cycle after
    that has taken it; or they keep the value `which` of `program`, each for as many cycles as the program has slots.
    A ring (`Ring`) is behind a part, too: `kind` is ``ring`` and `which` the part's name.
    """

    kind: str
    which: str | int
    program: int | None = None
    later: int = 0


class Ring(NamedTuple):
    """A small memory behind a part's register, for values that are read late: one is written and one read in a cycle.

    Attributes
    ----------
    part
        The part's register.
    program
        Whose values it holds.
    values
        Those of a neuron, in the order of their places.
    neurons
        Of how many neurons, each of which takes the place of the one so many before it.
    reads
        The cycles of a neuron in which it is read, each with the value that is.
    """

    part: Register
    program: int
    values: tuple[str, ...]
    neurons: int
    reads: dict[int, str]

    @property
    def register(self) -> Register:
        """What is read of it, as a register of the lane."""
        return Register("ring", f"{self.part.kind}_{self.part.which}", self.program)

    @property
    def name(self) -> str:
        """Its name, and that of its signals."""
        return f"ring_{self.program}_{self.part.kind}_{self.part.which}"


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
    lines
        How many registers follow that of a part, by program and the part's register.
    kept
        How many registers keep a value, by program and the value's name.
    rings
        Memories that stand in for such registers, by program and the part's register.

    Raises
    ------
    ValueError
        If two neurons would meet in a part, or a value is read before it is made.
    """

    def __init__(self, programs: tuple[Timetable, Timetable], slots: tuple[int, int], formats: Formats) -> None:
        self.programs, self.slots, self.formats = programs, slots, formats
        self._made = [{step.value: step for step in one.steps if not isinstance(step, Write)} for one in programs]
        self._begins = self._windows()
        self.lines: dict[tuple[int, Register], int] = {}
        self.kept: dict[tuple[int, str], int] = {}
        self.rings: dict[tuple[int, Register], Ring] = {}
        self._behind()

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
        if name == "current":
            return current_format(self.formats)
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

    def made(self, program: int, value: str) -> tuple[Register, int]:
        """Return the register that `value` is made in, and the cycle in which it is there."""
        register, made, _ = self._span(program, value)
        return register, made

    def made_in(self, program: int, register: Register) -> list[int]:
        """Return the cycles in which values of `program` are there in a part's register."""
        made = (self.made(program, value) for value in self._made[program])
        return sorted(cycle for place, cycle in made if place == register)

    def register(self, program: int, value: str, cycle: int) -> Register:
        """Return the register of `value` in `cycle`: its part's, or one behind it once the part has made the next."""
        register, made, gone = self._span(program, value)
        if cycle < gone:
            return register
        ring = self.rings.get((program, register))
        if ring is not None and ring.reads.get(cycle) == value:
            return ring.register
        if (program, register) in self.lines:
            return register._replace(later=min(self.lines[program, register], cycle - made))
        return Register("kept", value, program, -(-(cycle - made) // self.slots[program]))

    # --- parts

    def steps(self, program: int, part: Part) -> list[Step]:
        """Return the steps that `part` takes in `program`, in their order."""
        return sorted((s for s in self.programs[program].steps if part_of_step(s) == part), key=lambda step: step.cycle)

    @cached_property
    def parts(self) -> list[Part]:
        """The parts of a lane: ``read`` and ``write`` with a port's name, ``table``, ``multiplier``, ``adder``."""
        return sorted({part_of_step(step) for one in self.programs for step in one.steps}, key=str)

    def ports(self, kind: str) -> list[str]:
        """Return the names of the ports that are ``read`` or that there is a ``write`` to."""
        return [str(which) for of_kind, which in self.parts if of_kind == kind]

    def formats_of(self, kind: str, port: str) -> list[NumberFormat]:
        """Return the formats of what passes `port`, in the order of their codes."""
        steps = [step for program in (FORWARD, BACKWARD) for step in self.steps(program, (kind, port))]
        return list(dict.fromkeys(self.number(step.stored) for step in steps if isinstance(step, Read | Write)))

    def _windows(self) -> dict[Part, int]:
        """Return the cycle in which the window of each part begins; check that all uses of the part lie in it."""
        begins = {}
        for step in (step for program in self.programs for step in program.of_kind(Multiply)):
            if step.stored is None and step.plus is not None:
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
        part = part_of_step(step)
        exact = isinstance(step, Multiply) and step.stored is None
        latency = made_after(step)
        kind = {"multiplier": "product" if exact else "result"}.get(part[0], part[0])
        replacing = [s.cycle for s in self.steps(program, part) if exact or not _is_exact(s)]
        later = [cycle for cycle in replacing if cycle > step.cycle]
        gone = min([*later, self._begins[part] + self.slots[program]]) + latency
        return Register(kind, part[1]), step.cycle + latency, gone

    def _behind(self) -> None:
        """Find what is behind each part's register: a ring where it saves enough, a line, registers for each value."""
        late: dict[tuple[int, Register], list[tuple[int, str]]] = {}
        for program in (FORWARD, BACKWARD):
            for value, cycle in (use for step in self.programs[program].steps for use in operands(step)):
                register, made, gone = self._span(program, value)
                if cycle < made:
                    raise ValueError(f"{value} is read in cycle {cycle}, before it is made in cycle {made}")
                if cycle >= gone:
                    late.setdefault((program, register), []).append((cycle, value))
        for (program, register), uses in late.items():
            windows = [self._window(program, sorted(uses), first) for first, _ in uses]
            others = [[use for use in uses if reads.get(use[0]) != use[1]] for reads in windows]
            left = [self._registers(program, some) for some in others]
            best = left.index(min(left))
            if self._registers(program, uses) - left[best] >= _LEAST_SAVED:
                self.rings[program, register] = self._ring(program, register, windows[best])
                uses = others[best]
            line, alone = self._line(program, uses), self._alone(program, uses)
            if line <= sum(alone.values()):
                self.lines |= {(program, register): line} if line else {}
            else:
                self.kept |= {(program, value): levels for value, levels in alone.items()}

    def _registers(self, program: int, uses: list[tuple[int, str]]) -> int:
        """Return the registers that late `uses`, in a cycle and of a value each, take without a ring."""
        return min(self._line(program, uses), sum(self._alone(program, uses).values()))

    def _line(self, program: int, uses: list[tuple[int, str]]) -> int:
        return max((cycle - self._span(program, value)[2] + 1 for cycle, value in uses), default=0)

    def _alone(self, program: int, uses: list[tuple[int, str]]) -> dict[str, int]:
        levels: dict[str, int] = {}
        for cycle, value in uses:
            held = -(-(cycle - self._span(program, value)[1]) // self.slots[program])
            levels[value] = max(levels.get(value, 0), held)
        return levels

    def _window(self, program: int, uses: list[tuple[int, str]], first: int) -> dict[int, str]:
        """Return the uses from cycle `first` on that never meet those of another neuron, one in a cycle."""
        reads: dict[int, str] = {}
        for cycle, value in uses:
            if first <= cycle < first + self.slots[program]:
                reads.setdefault(cycle, value)
        return reads

    def _ring(self, program: int, part: Register, reads: dict[int, str]) -> Ring:
        """Return the ring for `reads`: a value is read at the latest in the cycle in which another takes its place."""
        longest = max(cycle - self._span(program, value)[1] for cycle, value in reads.items())
        neurons = 1 << ceil_log2(-(-longest // self.slots[program]))
        return Ring(part, program, tuple(dict.fromkeys(reads.values())), neurons, reads)


def plain(operand: str | OneMinus | Negative | Difference) -> str:
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


def part_of_step(step: Step) -> Part:
    """Return the part of a lane that takes `step`."""
    if isinstance(step, Read):
        return "read", step.port
    if isinstance(step, Write):
        return "write", step.port
    if isinstance(step, LookUp):
        return "table", step.table
    if isinstance(step, Neuron):
        return "neuron", step.part
    return ("multiplier", step.on) if isinstance(step, Multiply) else ("adder", 0)


def _is_exact(step: Step) -> bool:
    return isinstance(step, Multiply) and step.stored is None
