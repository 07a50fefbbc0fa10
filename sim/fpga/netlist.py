"""What a netlist that yosys wrote is made of, unit by unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from deltatrain.accel.errors import HostError
from deltatrain.sim.fpga.parts import RESOURCES, Family
from deltatrain.sim.fpga.units import unit_of
from deltatrain.sim.fpga.wrapper import TOP

__all__ = ["area_of_units", "total"]

Area = dict[str, int]
"""For each of `RESOURCES` how many there are."""


def area_of_units(netlist: Mapping[str, Any], family: Family) -> dict[str, Area]:
    """Return the area of each unit, in the order of their names.

    Each cell is of one unit, so the units add up to the netlist: logic that is optimised across a border is of the unit
    whose signal it makes.

    Raises
    ------
    HostError
        If the netlist has no module of the top's name.
    """
    try:
        cells = netlist["modules"][TOP]["cells"]
    except (KeyError, TypeError):
        raise HostError(f"yosys wrote no module {TOP}") from None
    resource = {kind: (name, count) for name, kinds in family.cells.items() for kind, count in kinds.items()}
    found: dict[str, Counter[str]] = {}
    for name, cell in cells.items():
        if cell["type"] in resource:
            of, count = resource[cell["type"]]
            found.setdefault(unit_of(name), Counter())[of] += count
    return {unit: {of: counts[of] for of in RESOURCES} for unit, counts in sorted(found.items())}


def total(areas: Mapping[str, Area]) -> Area:
    """Return the sum of the units."""
    return {of: sum(area[of] for area in areas.values()) for of in RESOURCES}
