"""The machine's blocks: what each is, and how busy it was in a run."""

from __future__ import annotations

from typing import NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.memory import IdealDevice
from deltatrain.accel.quantity import quantity, share
from deltatrain.reports.page.contents import Run


class Gauge(NamedTuple):
    """How busy a block was: a share of what it could do, and words."""

    words: str
    filled: float


class Block(NamedTuple):
    """One block of the machine: its name, what it is made of (a line each), and how busy it was."""

    title: str
    about: tuple[str, ...]
    gauges: tuple[Gauge, ...]


def blocks(run: Run) -> dict[str, Block]:
    """Return the blocks by name: ``remote``, ``port``, ``local``, ``encoder``, ``engine``, ``elementwise``.

    With several tiles there is also ``tiles``, whose gauge is the exchange's.
    """
    machine = Architecture.from_table(run.result.architecture, "the result's machine")
    counters, engine = run.result.counters, machine.engine
    cycles = counters.cycles or 1
    busy = {name: unit.busy_cycles / cycles for name, unit in counters.units.items()}
    width = machine.dma.bytes_per_cycle * cycles
    ways = (("in", counters.remote.read_bytes / width), ("out", counters.remote.write_bytes / width))
    found = {
        "remote": _remote(run, machine),
        "port": Block(
            "Port",
            (f"{machine.dma.bytes_per_cycle} B a cycle", "each way"),
            tuple(Gauge(f"{way} {share(used)}", used) for way, used in ways),
        ),
        "local": _local(run, machine),
        "encoder": Block("Delta encoder", (f"{engine.encoder_elements} elements a cycle",), (_busy(busy["encoder"]),)),
        "engine": Block(
            f"{engine.arrays} x {engine.lanes} lanes" if engine.arrays > 1 else f"{engine.lanes} lanes",
            ("multiply-accumulate",),
            (_busy(busy["engine"]),),
        ),
        "elementwise": Block(
            "Element-wise unit", (f"{engine.elementwise_lanes} neurons at once",), (_busy(busy["elementwise"]),)
        ),
    }
    tiles = machine.tiles
    if tiles.count > 1:
        used = busy["exchange"]
        wires = f"exchange of {tiles.exchange_bytes_per_cycle} B a cycle"
        found["tiles"] = Block(f"{tiles.count:,} tiles", (wires,), (Gauge(f"exchange {share(used)}", used),))
    return found


def _busy(of_run: float, what: str = "") -> Gauge:
    return Gauge(f"{what}{share(of_run)} busy", of_run)


def _remote(run: Run, machine: Architecture) -> Block:
    """Return the off-chip memory. One without banks has no data bus, so no gauge."""
    counters, size = run.result.counters, quantity(machine.remote.bytes, "B")
    if isinstance(machine.device, IdealDevice):
        return Block("Off-chip memory", (machine.remote.device_name, f"{size}, no banks"), ())
    busy = _busy(counters.remote.busy_cycles / (counters.cycles or 1), "bus ")
    channels = f"{machine.remote.data_buses} x " if machine.remote.data_buses > 1 else ""
    bus = f"{size}, {channels}{machine.remote.bus_bits}-bit bus"
    return Block("Off-chip memory", (machine.remote.device_name, bus), (busy,))


def _local(run: Run, machine: Architecture) -> Block:
    capacity, counters = machine.local.bytes, run.result.counters
    moved = sum(phase.local_bytes for phase in counters.phases.values())
    rate = f"{quantity(moved / (counters.cycles or 1), 'B')} a cycle moved"
    if machine.tiles.count > 1:
        rate += " by all"
    if counters.cache:
        looked_up = sum(phase.hits + phase.misses for phase in counters.cache.values())
        rate += f", column cache hit {share(sum(phase.hits for phase in counters.cache.values()) / (looked_up or 1))}"
    if run.held is None:
        return Block("Local SRAM", (quantity(capacity, "B"), rate), ())
    held = sum(run.held.local_bytes.values())
    words = f"{quantity(held, 'B')} of {quantity(capacity, 'B')} held"
    return Block("Local SRAM", (rate,), (Gauge(words, held / capacity),))
