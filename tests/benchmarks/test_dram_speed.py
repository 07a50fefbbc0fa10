"""Host speed of the DRAM controller in CPU seconds of one core, the best of three, compiled before.

DRAMsim3 serves 160 to 330 thousand, Ramulator 2.1 150 to 460 thousand requests a CPU second on these traces.
"""

from __future__ import annotations

import time
import tracemalloc

import pytest

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.sim.dram.address_map import AddressMap
from deltatrain.sim.dram.replay import replay
from deltatrain.sim.dram.requests import generated

LEAST_REQUESTS_PER_SECOND = 250_000  # half of what an idle machine must reach


def _replay(device: str, pattern: str, count: int) -> None:
    part = DramPart.named(device)
    controller = DramController(bus_bits=part.usual_bus_bits)
    layout = AddressMap(part, controller)
    replay(part, controller, generated(pattern, count, layout.burst_bytes, layout.capacity_bytes))


def _seconds(device: str, pattern: str, count: int) -> float:
    _replay(device, pattern, 10)
    found = []
    for _ in range(3):
        start = time.process_time()
        _replay(device, pattern, count)
        found.append(time.process_time() - start)
    return min(found)


@pytest.mark.parametrize("device", ["ddr3_1600", "ddr4_2400", "lpddr4_4266"])
@pytest.mark.parametrize("pattern", ["stream", "random"])
def test_requests_per_cpu_second(device: str, pattern: str) -> None:
    assert 200_000 / _seconds(device, pattern, 200_000) >= LEAST_REQUESTS_PER_SECOND


@pytest.mark.parametrize("pattern", ["stream", "random"])
def test_cost_grows_linearly(pattern: str) -> None:
    """Four times the requests take less than five times as long."""
    assert _seconds("ddr4_3200", pattern, 400_000) < 5 * _seconds("ddr4_3200", pattern, 100_000)


def test_memory_does_not_grow_with_the_trace() -> None:
    peaks = []
    for count in (200_000, 800_000):
        _replay("ddr4_2400", "random", 10)
        tracemalloc.start()
        _replay("ddr4_2400", "random", count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] < 50 * 10**6
