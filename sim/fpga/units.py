"""From the names of cells to the units of the tile that they belong to."""

from __future__ import annotations

from itertools import takewhile

from deltatrain.sim.fpga.wrapper import INSTANCE

__all__ = ["WRAPPER", "unit_of"]

WRAPPER = "wrapper"
"""What is no part of the tile."""

_LEVELS = 2

_OF_CORE = ["machine", "tile"]
"""Where the tile is in a core (`rtl.bus.core`)."""


def unit_of(cell: str) -> str:
    """Return the unit of a cell in a flattened design, with a part of it behind a dot.

    yosys names a cell after the signal that it drives, ``tile.engine_unit.begin.later_LUT4_Z``: names of modules and
    memories stand before the signal's, which may have dots too. What the tile has outside its units is ``tile``, what
    is around it `WRAPPER`. In a core the tile's units have the same names.
    """
    names = cell.removeprefix("$flatten").replace("\\", "").split(".")
    if names[0] != INSTANCE or len(names) == 1:
        return WRAPPER
    inside = list(takewhile(_is_module, names[1:-1]))
    if inside[: len(_OF_CORE)] == _OF_CORE:
        inside = inside[len(_OF_CORE) :]
    return ".".join(inside[:_LEVELS]) or INSTANCE


def _is_module(name: str) -> bool:
    """Tell a module's or a memory's name from a port's, such as ``ops__payload$61``, and from the number of a part."""
    return not ("__" in name or "$" in name or name.isdigit())
