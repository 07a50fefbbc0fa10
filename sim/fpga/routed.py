"""What nextpnr's report says of a placed and routed design: the clock, what is used, and the critical path in units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from deltatrain.accel.errors import HostError
from deltatrain.sim.fpga.units import unit_of

__all__ = ["CriticalPath", "critical_path", "fmax_hz", "used"]

_SECONDS_A_NS = 1e-9
_HZ_A_MHZ = 1e6


@dataclass(frozen=True)
class CriticalPath:
    """The path that sets the clock.

    Attributes
    ----------
    first, last
        The cells where it begins and ends.
    units
        The units on its way, each as often as it is entered.
    logic_s, routing_s
        What it takes in cells and between them, in seconds.
    """

    first: str
    last: str
    units: tuple[str, ...]
    logic_s: float
    routing_s: float


def fmax_hz(report: Mapping[str, Any]) -> float:
    """Return the highest clock at which the routed design works, in hertz: of its slowest clock if it has several."""
    clocks = report.get("fmax") or {}
    if not clocks:
        raise HostError("nextpnr reports no clock")
    return float(min(clock["achieved"] for clock in clocks.values())) * _HZ_A_MHZ


def used(report: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Return for each kind of the part's cells that is used how many are, and how many there are."""
    kinds = report.get("utilization") or {}
    return {kind: (count["used"], count["available"]) for kind, count in sorted(kinds.items()) if count["used"]}


def critical_path(report: Mapping[str, Any]) -> CriticalPath:
    """Return the longest path from a clock edge to the next of the same clock."""
    inside = [one for one in report.get("critical_paths", ()) if one["from"] == one["to"]]
    if not inside:
        raise HostError("nextpnr reports no path within a clock")
    path = max(inside, key=lambda one: sum(step["delay"] for step in one["path"]))["path"]
    routing = sum(step["delay"] for step in path if step["type"] == "routing")
    whole = sum(step["delay"] for step in path)
    return CriticalPath(
        first=path[0]["from"]["cell"],
        last=path[-1]["to"]["cell"],
        units=tuple(unit for unit, _ in groupby(_units(path))),
        logic_s=(whole - routing) * _SECONDS_A_NS,
        routing_s=routing * _SECONDS_A_NS,
    )


def _units(path: list[dict[str, Any]]) -> Iterator[str]:
    for step in path:
        yield unit_of(step["from"]["cell"])
        yield unit_of(step["to"]["cell"])
