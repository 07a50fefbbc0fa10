"""The changes of a machine and of a network that are tried, each with the fields that it sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cache import Cache
from deltatrain.accel.dram import DramPart, capacity_bytes
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.workloads.workload import Workload

_NOTCH = 1.25
"""What thresholds are multiplied by to stand one notch higher."""


_GROUPED = 8
"""Steps of a group: more gain little, in the study `cache`."""


class Change(NamedTuple):
    """A change in words, and its fields by dotted path (of the machine, or of the workload)."""

    words: str
    fields: dict[str, Any]


_DOUBLED = (
    ("twice the lanes", "engine.lanes"),
    ("twice the element-wise lanes", "engine.elementwise_lanes"),
    ("twice the elements that the encoder looks at", "engine.encoder_elements"),
    ("twice the clock", "engine.clock_hz"),
    ("twice the local memory", "local.bytes"),
    ("twice the column buffer", "dma.buffer_bytes"),
    ("twice the width of the port", "dma.bytes_per_cycle"),
    ("twice the loads and stores in flight", "dma.in_flight"),
)


def of_machine(machine: Architecture, *, learns: bool = True) -> Iterator[Change]:
    """Yield the changes of a machine that there are for it; without gradients for one that never `learns`."""
    table = machine.model_dump(mode="json")
    for words, path in _DOUBLED:
        part, field = path.split(".")
        fields = {path: 2 * table[part][field]}
        if path == "engine.lanes":  # the column buffer must hold as many words as before
            fields["dma.buffer_bytes"] = 2 * machine.dma.buffer_bytes
        yield Change(words, fields)
    if isinstance(machine.device, DramPart):
        yield Change("twice the off-chip bus", {"remote.bus_bits": 2 * machine.remote.bus_bits})
        yield Change("twice the off-chip channels", {"remote.channels": 2 * machine.remote.channels})
        yield from _faster_part(machine, machine.device)
    for what, there in (("weights", True), ("gradients", learns)):
        if there and getattr(machine.placement, what) == "remote":
            yield Change(f"{what} in local memory where they fit", {f"placement.{what}": "auto"})
    off_chip = "remote" in (machine.placement.weights, machine.placement.gradients)
    if off_chip and not machine.column_cache and not machine.model_copy(update={"cache": Cache()}).idle_cache:
        yield Change("a column cache in the local memory that is left", {"cache.bytes": "auto"})
    if machine.column_cache is not None:
        yield Change("no column cache", {"cache.bytes": 0})
    if machine.engine.outer_steps > 1:
        yield Change("weight gradients of each step in an op of its own", {"engine.outer_steps": 1})
    alone = machine.engine.outer_steps == machine.engine.arrays == 1 and not machine.engine.in_turn
    if learns and alone and machine.placement.gradients == "remote":
        yield Change(f"weight gradients of {_GROUPED} steps in one op", {"engine.outer_steps": _GROUPED})


def _faster_part(machine: Architecture, part: DramPart) -> Iterator[Change]:
    """Yield the next faster part of the shelf that fits a bus as wide; nothing beside the fastest."""
    width, now = machine.remote.bus_bits, part.peak_bytes_per_second(machine.remote.bus_bits)
    shelf = {name: DramPart.named(name) for name in DRAM_PARTS.names()}
    rates = {
        name: other.peak_bytes_per_second(width)
        for name, other in shelf.items()
        if not machine.remote.fits(other) and machine.remote.bytes <= capacity_bytes(other, machine.remote)
    }
    faster = {name: rate for name, rate in rates.items() if rate > now}
    if faster:
        name = min(faster, key=lambda name: (faster[name], name))
        yield Change(f"the next faster memory part, {name}", {"remote.device": name})


def of_network(workload: Workload) -> Iterator[Change]:
    """Yield the changes of a network that is trained: what fires less, or has fewer weights."""
    for layers, path in (("inputs", "theta_x"), ("states", "theta_h")):
        theta = getattr(workload, path)
        if theta if isinstance(theta, float) else any(theta):
            yield Change(f"thresholds of the {layers} a quarter higher", {path: _raised(theta)})
    if workload.sparsity.density == 1:
        yield Change("half of the weights, sparse from scratch", {"sparsity.rule": "selfish", "sparsity.density": 0.5})


def _raised(theta: float | tuple[float, ...]) -> float | list[float]:
    return [_NOTCH * one for one in theta] if isinstance(theta, tuple) else _NOTCH * theta


def of_statistics(workload: Workload, *, drawn: bool = False) -> Iterator[Change]:
    """Yield the changes of statistics by which anything fires; on `drawn` numbers only the first input does."""
    assert workload.synthetic is not None
    for field in ("occupancy_x", "occupancy_h")[: 1 if drawn else 2]:
        if share := getattr(workload.synthetic, field):
            yield Change(f"a fifth less of {field} fired", {f"synthetic.{field}": share / _NOTCH})
