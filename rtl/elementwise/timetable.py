"""What a lane of the element-wise unit does for one neuron: which part of the lane does what in which cycle.

The next neuron may come any number of cycles after the last has had its slots. No two neurons may meet in a part of the
lane. So each part is used only within a window that is as long as the slots and begins at the same cycle for every
neuron, forward and backward. `Plan` checks it.

    step        begins  operand is read     made                held until the part makes the next
    Read        c       -                   c + 2 (or c + 3)    yes
    LookUp      c       c                   c + 4               yes
    Add         c       c                   c + 1               yes
    Multiply    c       c, ``plus`` c + 1   c + 4 (exact c + 2) yes
    Write       c       c                   in memory c + 1     -
    Neuron      c       c                   c + `NEURON_CYCLES` yes

What ports of `WORKED_ON` answer is rounded, added or rotated on its way and takes a cycle more. A value that is read
after its part has made the next one is in registers behind the part's (`rtl.elementwise.plan.Register`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from deltatrain.rtl.elementwise.activation import LATENCY_CYCLES

__all__ = [
    "DECAY",
    "EXACT_CYCLES",
    "NEURON_CYCLES",
    "ONE",
    "WORKED_ON",
    "Add",
    "Difference",
    "LookUp",
    "Multiply",
    "Negative",
    "Neuron",
    "OneMinus",
    "Read",
    "Step",
    "Timetable",
    "Write",
    "made_after",
]

ONE = "1"
"""1.0 as the addend of a product."""

DECAY = "decay"
"""The share of a potential that a step leaves (`accel.leaky_neuron`), in ``formats.gate``, as the right factor."""

NEURON_CYCLES = {"leak": 1, "current": 1, "spike": 2, "membrane": 6}
"""Cycles of the parts of a spiking neuron (`rtl.elementwise.membrane`)."""

WORKED_ON = ("memory", "gradient", "g_h")
"""Ports whose answers are registered before they become values: M is rounded, g(M) rotated, two parts of g(h) added."""

EXACT_CYCLES = 2
"""From the cycle in which the factors of a product are read to the first in which it is there, exact."""


class OneMinus(NamedTuple):
    """The operand 1 - v of a value in ``formats.gate``."""

    value: str


class Negative(NamedTuple):
    """The operand -v of a value in ``formats.gate``."""

    value: str


class Difference(NamedTuple):
    """The operand a - b of two values in one format."""

    value: str
    less: str


class Read(NamedTuple):
    """Word `word` of the chunk is asked of memory port `port`; it is `value` in the format `stored`.

    M is rounded to that format on its way in (`rtl.elementwise.block_ports`); other memories hold it already.
    """

    cycle: int
    value: str
    port: str
    stored: str
    word: int = 0


class LookUp(NamedTuple):
    """`value` is tanh of `of`, or its sigmoid where `of` is in ``sigmoid_input``, from table port `table`."""

    cycle: int
    value: str
    of: str
    table: int = 0


class Add(NamedTuple):
    """`value` is `left` + `right`, all three in the format `stored`, fitted."""

    cycle: int
    value: str
    left: str
    right: str
    stored: str


class Multiply(NamedTuple):
    """`value` is `plus` + `left` * `right`, made by multiplier `on`.

    It is rounded once to the format `stored`, or is the exact product where that is None. `plus` is a value, an exact
    product, or ONE.
    """

    cycle: int
    value: str
    left: str | Difference
    right: str | OneMinus | Negative
    stored: str | None
    plus: str | None = None
    on: int = 0


class Write(NamedTuple):
    """`value` becomes word `word` of the chunk at memory port `port`, rounded to the format `stored` if not in it."""

    cycle: int
    value: str
    port: str
    stored: str
    word: int = 0


class Neuron(NamedTuple):
    """`value` is what a spiking neuron's `part`, of `NEURON_CYCLES`, makes of `of`, in the format `stored`.

    The format "current" is that of an exact sum (`rtl.elementwise.membrane.current_format`).
    """

    cycle: int
    value: str
    of: str
    part: str
    stored: str


Step = Read | LookUp | Add | Multiply | Write | Neuron


def made_after(step: Step) -> int:
    """Return the cycles from that of `step` to the first in which its value is there, or is in memory."""
    if isinstance(step, Read):
        return 3 if step.port in WORKED_ON else 2
    if isinstance(step, Multiply):
        return EXACT_CYCLES if step.stored is None else EXACT_CYCLES + 2
    if isinstance(step, Neuron):
        return NEURON_CYCLES[step.part]
    return LATENCY_CYCLES if isinstance(step, LookUp) else 1


@dataclass(frozen=True)
class Timetable:
    """The steps of one neuron, in one direction. A cycle counts from the chunk's first slot.

    Attributes
    ----------
    steps
        In any order.
    """

    steps: tuple[Step, ...]

    def of_kind(self, kind: type) -> list:
        """Return the steps that are a `kind`."""
        return [step for step in self.steps if isinstance(step, kind)]
