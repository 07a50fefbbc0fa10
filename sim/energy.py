"""Energy: action counts times the table that the architecture names."""

from __future__ import annotations

from typing import Any

import numpy as np

from accel.architecture import Architecture
from accel.dram import DramPart
from accel.energy import ENERGY_TABLES
from accel.result import Counters, RemoteCounters
from sim.dram.energy import Actions, energy_of, unknown_energy

_ACCESS_BYTES = 8  # the table's memories are read and written 64 bits at a time


def energy_j(counters: Counters, architecture: Architecture) -> dict[str, float]:
    """Return the modelled energy of a run in joules, by component.

    Parameters
    ----------
    counters
        What was done.
    architecture
        The machine; its energy table prices the actions.

    Notes
    -----
    A multiply-accumulate is one multiplication and one addition. The local memory is priced as one memory of its whole
    size, which is pessimistic for a banked one. DRAM, where the fidelity told its commands and the part's currents are
    published, is priced by these (`sim.dram.energy`), standby included and I/O not: the components called DRAM. Else
    its bytes are priced by the table: the component "remote memory".
    """
    table = ENERGY_TABLES.load(architecture.energy)
    work = counters.work
    local_accesses = (work["local_read_bytes"] + work["local_write_bytes"]) / _ACCESS_BYTES
    picojoules = {
        "lanes": work["macs"] * (table["multiply"]["pj"] + table["add"]["pj"]),
        "gates": work["multiplies"] * table["multiply"]["pj"],
        "encoder": work["compares"] * table["compare"]["pj"],
        "local memory": local_accesses * access_pj(architecture.local.bytes, table["local"]),
    }
    found = {component: pj * 1e-12 for component, pj in picojoules.items()}
    return found | (_dram_j(counters.remote, architecture) or {"remote memory": _accesses_j(counters.remote, table)})


def _dram_j(remote: RemoteCounters, architecture: Architecture) -> dict[str, float]:
    """Return what the DRAM used by its datasheet; empty if that, or what it did, is not known."""
    part, controller = architecture.device, architecture.remote
    ticks = remote.active_ticks + remote.idle_ticks
    if not isinstance(part, DramPart) or not ticks or unknown_energy(part, controller):
        return {}
    actions = Actions(
        remote.activates,
        remote.read_bursts,
        remote.write_bursts,
        remote.refreshes,
        remote.active_ticks,
        remote.idle_ticks,
    )
    return {f"DRAM {cause}": joules for cause, joules in energy_of(part, controller, actions).items()}


def _accesses_j(remote: RemoteCounters, table: dict[str, Any]) -> float:
    accesses = (remote.read_bytes + remote.write_bytes) / _ACCESS_BYTES
    return float(accesses * table["remote"]["pj"] * 1e-12)


def access_pj(size_bytes: int, row: dict[str, list[float]]) -> float:
    """Return the energy of one access to a memory of `size_bytes`: a power law between the two nearest sizes.

    Beyond the smallest and the largest size in the table their own value holds.
    """
    return float(np.exp(np.interp(np.log(size_bytes), np.log(row["bytes"]), np.log(row["pj"]))))
