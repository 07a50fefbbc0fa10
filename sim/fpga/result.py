"""What a tile takes of an FPGA, with how each number was found; as JSON, ``fpga.json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from deltatrain.accel.documents import json_text
from deltatrain.sim.fpga.netlist import total
from deltatrain.sim.fpga.routed import CriticalPath
from deltatrain.sim.fpga.units import WRAPPER

__all__ = ["ESTIMATED", "MEASURED", "Fpga", "Routed"]

ESTIMATED = "estimated by yosys"
MEASURED = "measured by place and route"


@dataclass(frozen=True)
class Routed:
    """What place and route found: everything here is `MEASURED`.

    Attributes
    ----------
    fmax_hz
        The highest clock of the best seed.
    best_seed, fmax_hz_of_seeds
        Which that is, and what each one reached.
    unrouted_seeds
        Those that led to no placement or no route, each with nextpnr's words.
    target_hz
        The clock that nextpnr was asked for.
    used
        For each kind of cell of the part how many are used, the wrapper's too, and how many there are.
    critical_path
        Of the best seed.
    untimed
        Kinds of cells without delays in nextpnr's model of the part: a path through one is in no clock here.
    """

    fmax_hz: float
    best_seed: int
    fmax_hz_of_seeds: dict[int, float]
    unrouted_seeds: dict[int, str]
    target_hz: float
    used: dict[str, tuple[int, int]]
    critical_path: CriticalPath
    untimed: tuple[str, ...]


@dataclass(frozen=True)
class Fpga:
    """A tile on an FPGA.

    Attributes
    ----------
    machine, workload
        Names of what the tile is, and for whose sizes.
    part
        The FPGA.
    top
        What was measured: ``tile``, or ``axi`` for the core around it.
    clock_hz
        What the machine states.
    date
        When the netlist was made, or the best seed routed.
    versions
        Of the tools, by their names.
    port_bits, pins
        Bits of the tile's ports, and pins of the wrapper around it.
    uncounted
        Whether the tile is without the counters of busy and stalled cycles (`rtl.commands.sizes`).
    units
        For each unit, and the wrapper, the resources that `counted` tells; `ESTIMATED`.
    counted
        What one of each resource is.
    routed
        None where there is no place and route.
    """

    machine: str
    workload: str
    part: str
    top: str
    clock_hz: float
    date: str
    versions: dict[str, str]
    port_bits: int
    pins: int
    uncounted: bool
    units: dict[str, dict[str, int]]
    counted: str
    routed: Routed | None

    @property
    def area(self) -> dict[str, int]:
        """The tile's resources without the wrapper; `ESTIMATED`."""
        return total({unit: area for unit, area in self.units.items() if unit != WRAPPER})

    @property
    def fmax_hz(self) -> float | None:
        """The highest clock, in hertz; None where there is no place and route."""
        return self.routed.fmax_hz if self.routed else None

    def document(self) -> dict[str, Any]:
        """Return all as tables, texts and numbers, with how each part was found."""
        plain = asdict(self)
        routed = plain.pop("routed")
        area = {"how": ESTIMATED, "counted": plain.pop("counted"), "tile": self.area, "units": plain.pop("units")}
        return {**plain, "area": area, "routed": routed and {"how": MEASURED, **routed}}

    def to_json(self) -> str:
        """Return `document` as JSON text."""
        return json_text(self.document(), indent=1) + "\n"
