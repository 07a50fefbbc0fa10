"""Family: what a lane of the element-wise unit does for one neuron, cycle by cycle; one file a member of `accel.cells`.

`Timetables` says what every member has.
"""

from __future__ import annotations

from typing import Protocol

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.family import ModuleFamily
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.rtl.elementwise.timetable import Timetable


class Timetables(Protocol):
    """The arithmetic of the member of `accel.cells` with the same name, line by line.

    Values are called as there; M of a gate is ``M_`` and its name, g(M) ``g_`` and its name, that of the step after
    ``later_`` and its name, the carry for the step before ``before``.
    """

    FORWARD: Timetable
    BACKWARD: Timetable


TIMETABLES = ModuleFamily[Timetables]("deltatrain.rtl.elementwise.cells", "cell timetable", Timetables)


def limits(cell: str) -> list[str]:
    """Return why there are no gates for a member of `accel.cells`, if nobody has drawn them."""
    if cell in TIMETABLES.names():
        return []
    drawn = ", ".join(TIMETABLES.names())
    return [f"cell arithmetic {cell!r} has a law but no gates: take fidelity 'cycle', or one of {drawn}"]


def timetables(cell: str) -> Timetables:
    """Return the timetables of a member of `accel.cells`; a `ConfigError` says its `limits`."""
    for reason in limits(cell):
        raise ConfigError(reason)
    return TIMETABLES.load(cell)


def neuron_of(cell: str, neuron: LeakyNeuron | None = None) -> LeakyNeuron | None:
    """Return what a neuron of a spiking cell is: `neuron`, or the cell's own; None of a cell that does not spike."""
    own: LeakyNeuron | None = getattr(CELL_ARITHMETIC.load(cell), "NEURON", None)
    return own if own is None or neuron is None else neuron
