"""Energy: action counts times the tables that the architecture names, and leakage times time."""

from __future__ import annotations

from accel import sram
from accel.architecture import Architecture
from accel.prices import prices
from accel.result import Counters

LEAKAGE = "local leakage"
"""The component that grows with time, not with actions."""

_NEVER_PRICED = ("leakage of the logic", "registers, control and wires", "clock tree", "off-chip input and output")


def energy_j(counters: Counters, architecture: Architecture) -> dict[str, float]:
    """Return the modelled energy of a run in joules, by component.

    Parameters
    ----------
    counters
        What was done.
    architecture
        The machine; its energy tables price the actions.

    Notes
    -----
    A multiply-accumulate is one multiplication and one addition. The local memory is priced by its banks
    (`accel.sram`); it leaks all the time, which is a component of its own where the table tells how much.
    """
    price, local, work = prices(architecture.energy), architecture.local, counters.work
    reads, writes = (work[f"local_{way}_bytes"] / sram.ACCESS_BYTES for way in ("read", "write"))
    remote_accesses = (counters.remote.read_bytes + counters.remote.write_bytes) / sram.ACCESS_BYTES
    picojoules = {
        "lanes": work["macs"] * (price("multiply", "pj") + price("add", "pj")),
        "gates": work["multiplies"] * price("multiply", "pj"),
        "encoder": work["compares"] * price("compare", "pj"),
        "local memory": reads * sram.access_pj(local, price, "read") + writes * sram.access_pj(local, price, "write"),
        "remote memory": remote_accesses * price("remote", "pj"),
    }
    found = {component: pj * 1e-12 for component, pj in picojoules.items()}
    leakage_w = sram.leakage_w(local, price)
    if leakage_w is not None:
        found[LEAKAGE] = architecture.tiles.count * leakage_w * counters.seconds
    return found


def not_priced(architecture: Architecture) -> tuple[str, ...]:
    """Return what is not in the energy of a run on the machine."""
    known = prices(architecture.energy).has("local", "leakage_mw")
    port = ("second port of the local memory",) if architecture.local.ports > 1 else ()
    exchange = ("exchange between tiles",) if architecture.tiles.count > 1 else ()
    return (*(() if known else ("leakage of the local memory",)), *port, *exchange, *_NEVER_PRICED)
