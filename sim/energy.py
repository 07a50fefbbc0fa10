"""Energy: action counts times the table that the architecture names."""

from __future__ import annotations

import numpy as np

from accel.architecture import Architecture
from accel.energy import ENERGY_TABLES
from accel.result import Counters

_ACCESS_BYTES = 8  # the table's memories are read and written 64 bits at a time


def energy_j(counters: Counters, architecture: Architecture) -> dict[str, float]:
    """Return the modelled dynamic energy of a run in joules, by component.

    Parameters
    ----------
    counters
        What was done.
    architecture
        The machine; its energy table prices the actions.

    Notes
    -----
    A multiply-accumulate is one multiplication and one addition. The local memory is priced as one memory of its whole
    size, which is pessimistic for a banked one.
    """
    table = ENERGY_TABLES.load(architecture.energy)
    work = counters.work
    local_accesses = (work["local_read_bytes"] + work["local_write_bytes"]) / _ACCESS_BYTES
    remote_accesses = (counters.remote.read_bytes + counters.remote.write_bytes) / _ACCESS_BYTES
    picojoules = {
        "lanes": work["macs"] * (table["multiply"]["pj"] + table["add"]["pj"]),
        "gates": work["multiplies"] * table["multiply"]["pj"],
        "encoder": work["compares"] * table["compare"]["pj"],
        "local memory": local_accesses * access_pj(architecture.local.bytes, table["local"]),
        "remote memory": remote_accesses * table["remote"]["pj"],
    }
    return {component: pj * 1e-12 for component, pj in picojoules.items()}


def access_pj(size_bytes: int, row: dict[str, list[float]]) -> float:
    """Return the energy of one access to a memory of `size_bytes`: a power law between the two nearest sizes.

    Beyond the smallest and the largest size in the table their own value holds.
    """
    return float(np.exp(np.interp(np.log(size_bytes), np.log(row["bytes"]), np.log(row["pj"]))))
