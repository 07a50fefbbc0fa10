"""Tables of different process nodes side by side: a sum over them is of no chip that could be built, and says so."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.energy.prices import Prices, prices

_ENERGY_ROWS = ("local", "multiply", "add", "compare")  # what is off chip has a process of its own
_AREA_ROWS = ("local", "multiply", "add")


def mixed_nodes(architecture: Architecture) -> dict[str, tuple[str, ...]]:
    """Return by ``energy`` and ``area`` which of their rows are of different nodes, in words; only where some are.

    An area of another node than the energy's is told with the area.
    """
    energy, area = prices(architecture.energy), prices(architecture.area)
    found = {"energy": _within(energy, _ENERGY_ROWS), "area": _within(area, _AREA_ROWS)}
    nodes = energy.node_nm("local"), area.node_nm("local")
    if None not in nodes and nodes[0] != nodes[1]:
        found["area"] = (*found["area"], f"local memory: energy of {nodes[0]} nm beside area of {nodes[1]} nm")
    return {what: lines for what, lines in found.items() if lines}


def _within(known: Prices, rows: tuple[str, ...]) -> tuple[str, ...]:
    """Return one line that names the rows of each node, or nothing if there is one node."""
    of_node: dict[int, list[str]] = {}
    for row in rows:
        if node_nm := known.node_nm(row):
            of_node.setdefault(node_nm, []).append(row)
    words = [f"{', '.join(names)} of {node_nm} nm" for node_nm, names in of_node.items()]
    return (f"tables of different nodes side by side: {' beside '.join(words)}",) if len(words) > 1 else ()
