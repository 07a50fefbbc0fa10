"""Which choices the parts of a lane have in front of them, and in which cycle of a neuron each is made.

A `Select` is a multiplexer, known by the choices that it has, or an enable, which has one. Its bits, one for each
choice, are registers that all lanes share: nothing is decoded in the cycle in which it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from deltatrain.rtl.elementwise.plan import BACKWARD, FORWARD, Part, Plan, Register, Ring, plain
from deltatrain.rtl.elementwise.timetable import (
    DECAY,
    EXACT_CYCLES,
    ONE,
    WORKED_ON,
    Add,
    Difference,
    LookUp,
    Multiply,
    Negative,
    Neuron,
    OneMinus,
    Read,
    Step,
    Write,
)

__all__ = [
    "ADDEND_CYCLES",
    "SUM_CYCLES",
    "Addend",
    "Beat",
    "Factor",
    "Point",
    "Select",
    "addend_of",
    "behind",
    "factor_bits",
    "factor_of",
    "ring_accesses",
    "selects",
    "shift_of",
    "value_of",
]

ADDEND_CYCLES, SUM_CYCLES = 1, EXACT_CYCLES
"""From the cycle of a product's factors to that in which its addend is read, and to that of their sum."""

MULTIPLIER_BITS = 18
"""Of a factor that an FPGA's multiplier takes; those of 7-series take 25 on one side."""

Beat = tuple[int, int]
"""A program, and a cycle of its neurons."""

Select = dict[Any, list[Beat]]
"""For each choice the cycles in which it is made, in the order of the bits."""

YES: Any = True
"""The choice of an enable."""


class Point(NamedTuple):
    """A register, the fraction bits of what it holds, and the format that this is rounded to; None if to no other."""

    register: Register
    fraction_bits: int
    wanted: str | None


class Factor(NamedTuple):
    """A register, or two for their difference, or DECAY, and how far it is shifted left before it is multiplied."""

    of: tuple[Register | str, ...]
    shift: int


class _Shifts(NamedTuple):
    """How far both factors of a product are shifted left, and how far the product itself is."""

    left: int
    right: int
    product: int


class Addend(NamedTuple):
    """What is added to a product: a register or ONE, shifted left, and whether the half that rounds is added to it."""

    of: Register | str | None
    shift: int


def value_of(plan: Plan, program: int, value: str, cycle: int, wanted: str | None = None) -> Point:
    """Return where `value` is, and what it is rounded to where that is another format than its own."""
    other = wanted is not None and wanted != plan.stored(program, value)
    register = plan.register(program, value, cycle)
    return Point(register, plan.fraction_bits(program, value), wanted) if other else Point(register, 0, None)


def factor_of(plan: Plan, program: int, step: Multiply, side: str) -> Factor:
    """Return what the factor on a `side` of `step` is made of."""
    operand, shift = getattr(step, side), getattr(_shifts(plan, program, step), side)
    if operand == DECAY:
        return Factor((DECAY,), shift)
    names = [plain(operand), *([operand.less] if isinstance(operand, Difference) else [])]
    return Factor(tuple(plan.register(program, name, step.cycle) for name in names), shift)


def shift_of(plan: Plan, which: int) -> int:
    """Return how many bits behind the point of what multiplier `which` stores its sums have, alike for all."""
    sums = ((step.stored, finest) for _, step, finest in _sums(plan, which))
    found = (finest - plan.number(stored).fraction_bits for stored, finest in sums if stored is not None)
    return max(found, default=0)


def factor_bits(plan: Plan, program: int, operand: str | OneMinus | Negative | Difference) -> int:
    """Return the bits of a factor before it is shifted."""
    name = plan.stored(program, plain(operand))
    assert name is not None, "a factor is a stored value"
    return plan.number(name).bits + (not isinstance(operand, str))


def _shifts(plan: Plan, program: int, step: Multiply) -> _Shifts:
    """Return how `step` brings the point of its product to where those of all sums are.

    Factors are shifted where the multiplier is as wide as they are then, and where each choice in front of it has one
    shift: that costs no gates, while products would need a choice more.
    """
    shift = _point_of(plan, program, step)
    room = _room(plan, step.on)
    left = min(shift, room[0])
    return _Shifts(left, shift - left, 0) if _fits(plan, step.on, room) else _Shifts(0, 0, shift)


def _room(plan: Plan, which: int) -> tuple[int, int]:
    """Return the bits that a multiplier has left on both sides."""
    steps = [(program, step) for program, step in _steps(plan, ("multiplier", which)) if isinstance(step, Multiply)]
    left, right = (
        max(factor_bits(plan, program, getattr(step, side)) for program, step in steps) for side in ("left", "right")
    )
    return max(0, MULTIPLIER_BITS - left), max(0, MULTIPLIER_BITS - right)


def _fits(plan: Plan, which: int, room: tuple[int, int]) -> bool:
    """Tell whether factors of a multiplier can be shifted in place of products."""
    found: dict[tuple[str, Any], set[int]] = {}
    for program, step in _steps(plan, ("multiplier", which)):
        assert isinstance(step, Multiply)
        shift = _point_of(plan, program, step)
        if shift > sum(room):
            return False
        for side in ("left", "right"):
            operand = getattr(step, side)
            of = operand if operand == DECAY else plan.register(program, plain(operand), step.cycle)
            found.setdefault((side, of), set()).add(shift)
    return all(len(shifts) == 1 for shifts in found.values())


def _point_of(plan: Plan, program: int, step: Multiply) -> int:
    """Return how far the product of `step` is shifted left, so that its sum has the fraction bits of all."""
    if step.stored is None:
        return 0
    fraction_bits = plan.number(step.stored).fraction_bits + shift_of(plan, step.on)
    return fraction_bits - plan.product_fraction_bits(program, step)


def addend_of(plan: Plan, program: int, step: Multiply) -> Addend:
    """Return what `step` adds to its product."""
    shift = _point_of(plan, program, step) + plan.product_fraction_bits(program, step)
    if step.plus is None:
        return Addend(None, 0)
    if step.plus == ONE:
        return Addend(ONE, shift)
    of = plan.register(program, step.plus, step.cycle + ADDEND_CYCLES)
    return Addend(of, shift - plan.fraction_bits(program, step.plus))


def selects(plan: Plan) -> dict[str, Select]:
    """Return all of a lane, by name; one for each part, or several: of a multiplier one for each of its stages."""
    found: dict[str, Select] = {}
    of_kind = {
        "read": _read,
        "write": _write,
        "table": _table,
        "multiplier": _multiplier,
        "adder": _adder,
        "neuron": _neuron,
    }
    for part in plan.parts:
        for name, cycle, program, choice in of_kind[part[0]](plan, part):
            found.setdefault(name, {}).setdefault(choice, []).append((program, cycle))
    for name, cycle, program in _behind(plan):
        found.setdefault(name, {}).setdefault(YES, []).append((program, cycle))
    return found


_Chosen = Iterator[tuple[str, int, int, Any]]
"""The name of a select, the cycle in which it makes a choice, the program, the choice."""


def _steps(plan: Plan, part: Part) -> Iterator[tuple[int, Step]]:
    for program in (FORWARD, BACKWARD):
        for step in plan.steps(program, part):
            yield program, step


def _sums(plan: Plan, which: int) -> Iterator[tuple[int, Multiply, int]]:
    """Yield program, step, and the fraction bits of the finer of product and addend."""
    for program, step in _steps(plan, ("multiplier", which)):
        assert isinstance(step, Multiply)
        if step.stored is not None:
            of = [] if step.plus in (None, ONE) else [plan.fraction_bits(program, str(step.plus))]
            yield program, step, max(plan.product_fraction_bits(program, step), *of, 0)


def _read(plan: Plan, part: Part) -> _Chosen:
    for program, step in _steps(plan, part):
        assert isinstance(step, Read)
        answered = step.cycle + 1
        if step.port == "g_h":
            yield "answer_g_h", answered, program, YES
        if step.port in WORKED_ON:
            answered += 1
        if step.port == "memory":
            yield "round_memory", answered, program, step.stored
        yield f"take_{step.port}", answered, program, YES


def _write(plan: Plan, part: Part) -> _Chosen:
    for program, step in _steps(plan, part):
        assert isinstance(step, Write)
        yield f"write_{step.port}", step.cycle, program, value_of(plan, program, step.value, step.cycle, step.stored)


def _table(plan: Plan, part: Part) -> _Chosen:
    for program, step in _steps(plan, part):
        assert isinstance(step, LookUp)
        stored = plan.stored(program, step.of)
        wanted = None if stored in ("sigmoid_input", "tanh_input") else "tanh_input"
        yield f"start_{step.table}", step.cycle, program, YES
        yield f"x_{step.table}", step.cycle, program, value_of(plan, program, step.of, step.cycle, wanted)
        if stored == "sigmoid_input":
            yield f"is_sigmoid_{step.table}", step.cycle, program, YES


def _adder(plan: Plan, part: Part) -> _Chosen:
    for program, step in _steps(plan, part):
        assert isinstance(step, Add)
        of = (plan.register(program, value, step.cycle) for value in (step.left, step.right))
        yield "add", step.cycle, program, (*of, step.stored)


def _neuron(plan: Plan, part: Part) -> _Chosen:
    for program, step in _steps(plan, part):
        assert isinstance(step, Neuron)
        yield f"start_{step.part}", step.cycle, program, YES
        yield f"of_{step.part}", step.cycle, program, plan.register(program, step.of, step.cycle)


def _multiplier(plan: Plan, part: Part) -> _Chosen:
    for program, step in _steps(plan, part):
        assert isinstance(step, Multiply)
        on, cycle = step.on, step.cycle
        yield f"multiply_{on}", cycle, program, YES
        left, right = (factor_of(plan, program, step, side) for side in ("left", "right"))
        yield f"left_{on}", cycle, program, left
        yield f"right_{on}", cycle, program, right
        if isinstance(step.right, OneMinus | Negative):
            yield f"turn_{on}", cycle, program, YES
        if isinstance(step.right, OneMinus):
            yield f"one_{on}", cycle, program, right.shift
        yield f"product_{on}", cycle + 1, program, YES
        if step.stored is None:
            continue
        number = plan.number(step.stored)
        yield f"addend_{on}", cycle + ADDEND_CYCLES, program, addend_of(plan, program, step)
        yield f"add_to_{on}", cycle + ADDEND_CYCLES, program, YES
        yield f"aligned_{on}", cycle + SUM_CYCLES, program, _shifts(plan, program, step).product
        yield f"sum_{on}", cycle + SUM_CYCLES, program, YES
        yield f"fit_{on}", cycle + SUM_CYCLES + 1, program, (number.bits, number.overflow)


def _behind(plan: Plan) -> Iterator[tuple[str, int, int]]:
    """Yield the enables of the registers and the rings behind parts': name, cycle, program."""
    for (program, register), length in plan.lines.items():
        for made in plan.made_in(program, register):
            for later in range(1, length + 1):
                yield behind(register._replace(later=later)), made + later - 1, program
    for ring in plan.rings.values():
        for cycle, _ in ring_accesses(ring, plan)["to"]:
            yield f"keep_{ring.name}", cycle, ring.program
    for (program, value), levels in plan.kept.items():
        made = plan.made(program, value)[1]
        for level in range(1, levels + 1):
            yield behind(Register("kept", value, program, level)), made + (level - 1) * plan.slots[program], program


def ring_accesses(ring: Ring, plan: Plan) -> dict[str, list[tuple[int, int]]]:
    """Return the cycles in which a ring is read and written (``to``), each with the place among a neuron's values."""
    places = {value: place for place, value in enumerate(ring.values)}
    return {
        "read": [(cycle, places[value]) for cycle, value in ring.reads.items()],
        "to": [(plan.made(ring.program, value)[1], place) for value, place in places.items()],
    }


def behind(register: Register) -> str:
    """Return the name of a register behind a part's, and of its enable."""
    of = "" if register.program is None else f"_{register.program}"
    return f"{register.kind}{of}_{register.which}_later_{register.later}"
