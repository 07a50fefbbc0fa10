"""Energy: action counts times the tables that the architecture names, and leakage times time."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.accel.energy.prices import Prices, prices
from deltatrain.accel.pricing import sram
from deltatrain.accel.pricing.dram_energy import Actions, energy_of, unknown_energy
from deltatrain.accel.result import Counters, RemoteCounters

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
    (`accel.pricing.sram`). It leaks all the time: where the table tells how much, that is a component of its own. Where
    the fidelity counts the DRAM's commands and the part's currents are published, they price the DRAM
    (`accel.pricing.dram_energy`), with standby and without I/O: the components called DRAM. Otherwise the table prices
    its bytes: the component "remote memory".
    """
    price, local, work = prices(architecture.energy), architecture.local, counters.work
    reads, writes = (work[f"local_{way}_bytes"] / sram.ACCESS_BYTES for way in ("read", "write"))
    picojoules = {
        "lanes": work["macs"] * (price("multiply", "pj") + price("add", "pj")),
        "elementwise": work["multiplies"] * price("multiply", "pj"),
        "encoder": work["compares"] * price("compare", "pj"),
        "local memory": reads * sram.access_pj(local, price, "read") + writes * sram.access_pj(local, price, "write"),
    }
    found = {component: pj * 1e-12 for component, pj in picojoules.items()}
    leakage_w = sram.leakage_w(local, price)
    if leakage_w is not None:
        found[LEAKAGE] = architecture.tiles.count * leakage_w * counters.seconds
    return found | (_dram_j(counters.remote, architecture) or {"remote memory": _accesses_j(counters.remote, price)})


def _dram_j(remote: RemoteCounters, architecture: Architecture) -> dict[str, float]:
    """Return what the DRAM used by its datasheet; empty if its currents, or its commands, are not known."""
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


def _accesses_j(remote: RemoteCounters, price: Prices) -> float:
    accesses = (remote.read_bytes + remote.write_bytes) / sram.ACCESS_BYTES
    return accesses * price("remote", "pj") * 1e-12


def not_priced(architecture: Architecture) -> tuple[str, ...]:
    """Return what is not in the energy of a run on the machine."""
    known = prices(architecture.energy).has("local", "leakage_mw")
    port = ("second port of the local memory",) if architecture.local.ports > 1 else ()
    exchange = ("exchange between tiles",) if architecture.tiles.count > 1 else ()
    return (*(() if known else ("leakage of the local memory",)), *port, *exchange, *_NEVER_PRICED)
