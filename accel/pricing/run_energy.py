"""Energy: action counts times the tables that the architecture names, and leakage times time."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import Counters, PhaseCounters, RemoteCounters
from deltatrain.accel.dram import DramPart
from deltatrain.accel.energy.prices import Prices, prices
from deltatrain.accel.modes import mean_products
from deltatrain.accel.pricing import cache_tags, exchange_wires, sram
from deltatrain.accel.pricing.arithmetic import adders, elementwise_bits, lane_operands, multipliers
from deltatrain.accel.pricing.dram_energy import Actions, energy_of, unknown_energy

LEAKAGE = "local leakage"
"""The component that grows with time, not with actions."""

BY_TABLE = "remote memory"
"""The component that is there where a table prices the off-chip memory."""

_NEVER_PRICED = ("leakage of the logic", "registers, control and wires", "clock tree", "off-chip input and output")


def energy_j(
    counters: Counters, architecture: Architecture, update_modes: tuple[str, ...] = ("update",)
) -> dict[str, float]:
    """Return the modelled energy of a run in joules, by component.

    Parameters
    ----------
    counters
        What was done.
    architecture
        The machine; its energy tables price the actions.
    update_modes
        The modes of `accel.modes` that worked on dW at the end, each on every weight.

    Notes
    -----
    A multiply-accumulate is one multiplication and one addition, of the widths that its phase works with
    (`accel.pricing.arithmetic`); an update has as many of each as it has products, and a sum that several arrays add
    up is one addition more for each but the first. The local memory is priced by its banks (`accel.pricing.sram`), the
    tags of a column cache as one more memory, whose lines are in the local one (`accel.pricing.cache_tags`). They leak
    all the time: where the table tells how much, that is a component of its own. Where the part's currents are
    published, they price the DRAM at every fidelity (`accel.pricing.dram_energy`), with standby and without I/O: the
    components called DRAM. Otherwise the table prices its bytes: the component `BY_TABLE`, which `not_priced` tells.
    """
    price, local, work = prices(architecture.energy), architecture.local, counters.work
    formats = architecture.engine.formats
    reads, writes = (work[f"local_{way}_bytes"] / sram.ACCESS_BYTES for way in ("read", "write"))
    picojoules = {
        "lanes": sum(lanes_pj(counters.phases, architecture, update_modes).values()),
        "elementwise": work["multiplies"] * _multiply_pj(elementwise_bits(formats), elementwise_bits(formats), price),
        "encoder": work["compares"] * adders(price, formats.activation.bits, "compare") * price("compare", "pj"),
        "local memory": reads * sram.access_pj(local, price, "read") + writes * sram.access_pj(local, price, "write"),
    }
    if counters.arrays:
        added = sum(phase.added_sums for phase in counters.arrays.values())
        picojoules["sums of arrays"] = added * adders(price, formats.memory_bits) * price("add", "pj")
    if counters.cache:
        picojoules[cache_tags.TAGS] = cache_tags.lookups_pj(architecture, counters.cache.values(), price)
    if exchange_wires.priced(architecture.tiles, price):
        sent_bytes = counters.work.get("exchange_bytes", 0)
        picojoules[exchange_wires.WIRES] = exchange_wires.wires_pj(architecture.tiles, sent_bytes, price)
    found = {component: pj * 1e-12 for component, pj in picojoules.items()}
    memories = (local, cache_tags.memory(architecture))
    of_memories = [sram.leakage_w(memory, price) for memory in memories if memory is not None]
    leakage_w = sum(watts or 0.0 for watts in of_memories)
    if of_memories[0] is not None:
        found[LEAKAGE] = architecture.tiles.count * leakage_w * counters.seconds
    if no_currents(architecture):
        return found | {BY_TABLE: _accesses_j(counters.remote, price)}
    return found | _dram_j(counters.remote, architecture)


def no_currents(architecture: Architecture) -> str:
    """Return why no currents price the off-chip memory, in words, so that a table must; an empty text if they do."""
    if not isinstance(architecture.device, DramPart):
        return f"{architecture.remote.device} is described by its latency alone"
    return unknown_energy(architecture.device, architecture.remote)


def energy_model(architecture: Architecture) -> str:
    """Return what prices a run on the machine, in words: energies of two models are not comparable."""
    return model_of(architecture.energy, bool(no_currents(architecture)))


def model_of(tables: str, by_table: bool) -> str:
    """Return the words of `energy_model` from the names of the tables, and whether they price off-chip memory too."""
    return f"{tables}, off-chip memory by {'the table' if by_table else 'its currents'}"


def lanes_pj(
    phases: dict[str, PhaseCounters], architecture: Architecture, update_modes: tuple[str, ...] = ("update",)
) -> dict[str, float]:
    """Return the energy of all lanes' multiplications and additions by phase; arguments as of `energy_j`."""
    price, spent = prices(architecture.energy), {}
    for phase, bits in lane_operands(architecture.engine.formats).items():
        multiply_pj = _multiply_pj(bits.first_bits, bits.second_bits, price)
        add_pj = adders(price, bits.sum_bits) * price("add", "pj")
        products = mean_products(update_modes) if phase == "WU" else 1
        spent[str(phase)] = phases[phase].macs * products * (multiply_pj + add_pj) if phase in phases else 0.0
    return spent


def _multiply_pj(first_bits: int, second_bits: int, price: Prices) -> float:
    return multipliers(price, first_bits, second_bits) * price("multiply", "pj")


def _dram_j(remote: RemoteCounters, architecture: Architecture) -> dict[str, float]:
    """Return what the DRAM used by its datasheet."""
    assert isinstance(architecture.device, DramPart)
    actions = Actions(
        remote.activates,
        remote.read_bursts,
        remote.write_bursts,
        remote.refreshes,
        remote.active_ticks,
        remote.idle_ticks,
    )
    spent = energy_of(architecture.device, architecture.remote, actions)
    return {f"DRAM {cause}": joules for cause, joules in spent.items()}


def _accesses_j(remote: RemoteCounters, price: Prices) -> float:
    accesses = (remote.read_bytes + remote.write_bytes) / sram.ACCESS_BYTES
    return accesses * price("remote", "pj") * 1e-12


def not_priced(architecture: Architecture) -> tuple[str, ...]:
    """Return what is not in the energy of a run on the machine."""
    price = prices(architecture.energy)
    missing = [] if price.has("local", "leakage_mw") else ["leakage of the local memory"]
    missing += ["second port of the local memory"] if architecture.local.ports > 1 else []
    missing += exchange_wires.missing(architecture.tiles, price)
    if reason := no_currents(architecture):
        missing.append(f"rows, refreshes and standby of the off-chip memory ({reason}; a table prices its bytes)")
    return (*missing, *_NEVER_PRICED)
