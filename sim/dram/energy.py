"""What the channels did, as actions that `accel.pricing.dram_energy` prices."""

from __future__ import annotations

from deltatrain.accel.pricing.dram_energy import Actions, energy_of
from deltatrain.sim.dram.controller import DramChannels


def dram_energy_j(memory: DramChannels, end: int) -> dict[str, float]:
    """Return what `energy_of` says of channels after all they had to do, with standby up to cycle `end`."""
    counts, active = memory.counts, memory.active_cycles(end)
    idle = end * memory.controller.all_ranks - active
    actions = Actions(counts.activates, counts.read_bursts, counts.write_bursts, counts.refreshes, active, idle)
    return energy_of(memory.part, memory.controller, actions)
