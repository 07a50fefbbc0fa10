"""What the update of the weights takes of a training step: the price of an optimiser."""

from __future__ import annotations

from collections.abc import Mapping

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Counters
from deltatrain.accel.pricing.run_energy import LEAKAGE, lanes_pj

PHASE = "WU"


def update_energy_j(
    counters: Counters,
    energy_j: Mapping[str, float],
    architecture: Architecture,
    update_modes: tuple[str, ...] = ("update",),
) -> float:
    """Return the part of a run's energy that its updates have, in joules.

    Parameters
    ----------
    counters, architecture, update_modes
        As of `accel.pricing.run_energy.energy_j`.
    energy_j
        What it returns: the energy of the run by component.

    Notes
    -----
    What lanes multiply and add is priced by itself. Local memory is shared out by bytes, its leakage by cycles, and
    everything off-chip, standby of the DRAM among it, by bytes that were moved off-chip.
    """
    update, phases = counters.phases[PHASE], counters.phases.values()
    moved = sum(phase.remote_bytes for phase in phases)
    local = sum(phase.local_bytes for phase in phases)
    of_lanes = lanes_pj(counters.phases, architecture, update_modes)
    shares = {
        "lanes": of_lanes[PHASE] / sum(of_lanes.values()) if any(of_lanes.values()) else 0.0,
        "elementwise": 0.0,
        "encoder": 0.0,
        "local memory": update.local_bytes / local if local else 0.0,
        LEAKAGE: update.cycles / counters.cycles if counters.cycles else 0.0,
    }
    remote = update.remote_bytes / moved if moved else 0.0
    return sum(joules * shares.get(name, remote) for name, joules in energy_j.items())
