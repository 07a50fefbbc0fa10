"""Family: what a lane of the element-wise unit does for one neuron, cycle by cycle; one file a member of `accel.cells`.

Spiking cells have no hardware yet: fidelities that count by laws run them, and `timetables` refuses them.

Every member has ``FORWARD`` and ``BACKWARD``, each a `rtl.elementwise.timetable.Timetable`, line by line the
arithmetic of the member of `accel.cells` with the same name. Values are called as there; M of a gate is ``M_`` and its
name, g(M) ``g_`` and its name, that of the step after ``later_`` and its name, the carry for the step before
``before``.
"""

from types import ModuleType

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.family import ModuleFamily

TIMETABLES = ModuleFamily("deltatrain.rtl.elementwise.cells", "cell timetable")


def timetables(cell: str) -> ModuleType:
    """Return the timetables of a member of `accel.cells`.

    Raises
    ------
    ConfigError
        If the cell has no timetables.
    """
    if cell not in TIMETABLES.names():
        drawn = ", ".join(TIMETABLES.names())
        raise ConfigError(f"cell arithmetic {cell!r} has a law but no gates: take fidelity 'cycle', or one of {drawn}")
    return TIMETABLES.load(cell)
