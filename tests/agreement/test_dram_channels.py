"""Channels do not know of each other: N of them carry what N memories of one would, alone and behind a machine."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramController, DramPart
from deltatrain.sim.dram.controller import DramChannels
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.studies import dram
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.synthetic import uniform_masks


def _bytes_per_second(device: str, pattern: str, **controller: int) -> float:
    run = {"device": device, "pattern": pattern, "controller": controller}
    return dram.replayed(run, 200_000).bytes_per_second


@pytest.mark.parametrize("device", ["hbm2_2000", "hbm2_legacy", "ddr4_2400"])
@pytest.mark.parametrize("pattern", ["stream", "random"])
def test_bandwidth_is_proportional_to_the_channels(device: str, pattern: str) -> None:
    one = _bytes_per_second(device, pattern)
    for channels in (2, 4, 8, 16):
        assert _bytes_per_second(device, pattern, channels=channels) == pytest.approx(channels * one, rel=0.03)


@pytest.mark.parametrize("channels", [2, 5])
def test_each_channel_does_what_it_would_do_alone(channels: int) -> None:
    """Random requests of both directions to all channels at once, and those of each to a memory of its own."""
    part, random, count = DramPart.named("hbm2_2000"), np.random.default_rng(3), 3000
    controller = DramController(bus_bits=part.usual_bus_bits, channels=channels)
    together = DramChannels(part, controller)
    size = together.map.burst_bytes
    bursts, writes = random.integers(0, 1 << 16, count), random.random(count) < 0.3
    cycles = np.sort(random.integers(0, 4000, count))
    parts = [together.serve(cycles, bursts * size, writes), together.finish()]
    done = np.concatenate([p.done for p in parts])[np.argsort(np.concatenate([p.ticket for p in parts]))]
    for channel in range(channels):
        own = bursts % channels == channel
        alone = DramChannels(part, controller.model_copy(update={"channels": 1}))
        parts = [alone.serve(cycles[own], bursts[own] // channels * size, writes[own]), alone.finish()]
        expected = np.concatenate([p.done for p in parts])[np.argsort(np.concatenate([p.ticket for p in parts]))]
        assert np.array_equal(done[own], expected)


@pytest.mark.parametrize("accepts", [1, 2, 8])
def test_as_many_requests_come_in_as_the_door_is_wide(accepts: int) -> None:
    part = DramPart.named("hbm2_2000")
    memory = DramChannels(part, DramController(bus_bits=64, channels=2, accepts_per_clock=accepts))
    addresses = np.arange(48) * memory.map.burst_bytes
    parts = [memory.serve(np.full(48, 7), addresses, addresses < 0), memory.finish()]
    accepted = np.bincount(np.concatenate([part.accepted for part in parts]))
    assert accepted[7:].tolist() == [2 * accepts] * (24 // accepts)


@pytest.mark.parametrize(("lanes", "limit"), [(128, "channels"), (8, "lanes")])
def test_a_machine_of_many_channels_is_limited_by_them_or_by_its_lanes(lanes: int, limit: str) -> None:
    """Sixteen channels of 16 GB/s at 1 GHz, a port of 256 bytes a cycle; one burst a clock would be 32 GB/s."""
    changes = {
        "engine.clock_hz": 1_000_000_000,
        "engine.lanes": lanes,
        "remote.device": "hbm2_2000",
        "remote.bus_bits": 64,
        "remote.channels": 16,
        "dma.bytes_per_cycle": 256,
        "dma.buffer_bytes": 1 << 17,
        "dma.in_flight": 8,
        "local.bytes": 1 << 20,
        "cache.bytes": 0,
        "placement.weights": "remote",
        "placement.gradients": "remote",
    }
    machine = Architecture.named("edge", changes)
    assert machine.remote_peak_bytes_per_second == 256e9
    found = cycle.count(lower_matrix(machine, "outer", uniform_masks(20, 400, 1.0, 1), 1024))
    moved = (found.remote.read_bytes + found.remote.write_bytes) / found.cycles * 1e9
    assert moved <= machine.remote_peak_bytes_per_second
    lane_share = found.units["engine"].busy_cycles / found.cycles
    if limit == "channels":
        part = machine.device
        assert isinstance(part, DramPart)
        assert moved >= 0.9 * (1 - part.timing.tRFC / part.timing.tREFI) * machine.remote_peak_bytes_per_second
    else:
        assert lane_share > 0.97
