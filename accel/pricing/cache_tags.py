"""The tags of a column cache priced: a memory of its own beside the local SRAM, of which every lookup reads one set."""

from __future__ import annotations

from collections.abc import Iterable

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.counters import CacheCounters
from deltatrain.accel.energy.prices import Prices
from deltatrain.accel.memory import Local
from deltatrain.accel.pricing import sram

TAGS = "column cache tags"
"""The component."""


def tag_bits(machine: Architecture) -> int:
    """Return the bits of a line's tag: which of off-chip memory it is, if any, whether it is dirty, its turn to go."""
    assert machine.column_cache is not None
    places = machine.remote.bytes // (machine.tiles.count * machine.column_cache.line_bytes)
    return max(0, places - 1).bit_length() + 2 + (machine.column_cache.ways - 1).bit_length()


def memory(machine: Architecture) -> Local | None:
    """Return the memory of a tile's tags, None without a cache; one that takes what is left may be the whole SRAM."""
    if machine.column_cache is None:
        return None
    lines = machine.cache_sets(machine.column_cache.own_bytes or machine.local.bytes) * machine.column_cache.ways
    return Local(bytes=max(1, -(-lines * tag_bits(machine) // 8)))


def lookups_pj(machine: Architecture, phases: Iterable[CacheCounters], price: Prices) -> float:
    """Return the energy of all lookups: each reads the tags of a set and writes that of a line."""
    tags = memory(machine)
    if tags is None or machine.column_cache is None:
        return 0.0
    lookups = machine.tiles.count * sum(phase.hits + phase.misses for phase in phases)
    accesses = lookups * tag_bits(machine) / (8 * sram.ACCESS_BYTES)
    of_a_set = machine.column_cache.ways * sram.access_pj(tags, price, "read")
    return accesses * (of_a_set + sram.access_pj(tags, price, "write"))
