"""Host speed of the DRAM controller in CPU seconds of one core, the best of three, compiled before.

DRAMsim3 serves 160 to 330 thousand, Ramulator 2.1 150 to 460 thousand requests a CPU second on these traces.
"""

from __future__ import annotations

import tracemalloc

import pytest
from host_speed import Figures

from deltatrain.accel.dram import DramController, DramPart
from deltatrain.sim.dram.address_map import AddressMap
from deltatrain.sim.dram.replay import replay
from deltatrain.sim.dram.requests import generated
from deltatrain.sim.speed.reference import cpu_seconds

REQUESTS = 200_000


def _replay(device: str, pattern: str, count: int) -> None:
    part = DramPart.named(device)
    controller = DramController(bus_bits=part.usual_bus_bits)
    layout = AddressMap(part, controller)
    replay(part, controller, generated(pattern, count, layout.burst_bytes, layout.capacity_bytes))


def _seconds(device: str, pattern: str, count: int) -> float:
    _replay(device, pattern, 10)
    return cpu_seconds(lambda: _replay(device, pattern, count))


@pytest.mark.parametrize("device", ["ddr4_2400", "lpddr4_4266"])
@pytest.mark.parametrize(("pattern", "most"), [("stream", 4), ("random", 20)])
def test_requests(device: str, pattern: str, most: float, figures: Figures) -> None:
    what = f"{device}, {REQUESTS:,} requests, {pattern}"
    figures.at_most_references(most, what, lambda: _seconds(device, pattern, REQUESTS))


@pytest.mark.parametrize("pattern", ["stream", "random"])
def test_cost_grows_linearly(pattern: str, figures: Figures) -> None:
    def growth() -> float:
        return _seconds("ddr4_3200", pattern, 400_000) / _seconds("ddr4_3200", pattern, 100_000)

    figures.at_most(5, f"four times the requests, {pattern}", growth)


def test_memory_does_not_grow_with_the_trace() -> None:
    peaks = []
    for count in (200_000, 800_000):
        _replay("ddr4_2400", "random", 10)
        tracemalloc.start()
        _replay("ddr4_2400", "random", count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] < 50 * 10**6
