"""Machines that are no core are refused in a line each."""

from __future__ import annotations

import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.rtl.bus.limits import core_limits
from deltatrain.sim.verilog_export import verilog
from deltatrain.workloads.workload import Workload

TILES = {"tiles.count": 2, "tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 1}


def test_what_is_a_core_is_not_refused():
    assert not core_limits(Architecture.named("tiny"))
    assert not core_limits(Architecture.named("edge"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (TILES, r"tiles\.count must be 1, not 2"),
        ({"engine.arrays": 2}, r"a core has one array: engine\.arrays must be 1, not 2"),
        ({"dma.in_flight": 2}, r"one load, and one store, on its way: dma\.in_flight must be 1, not 2"),
        ({"dma.bytes_per_cycle": 4}, r"a word of activations a cycle: dma\.bytes_per_cycle must be 8, not 4"),
        (
            {"engine.formats.weight_gradient_bits": 40},
            r"values of engine\.formats\.weight_gradient must be of 1, 2 or 4",
        ),
        (
            dict.fromkeys(("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes"), 128)
            | {"dma.bytes_per_cycle": 256, "dma.buffer_bytes": 32_768},
            r"a beat on a bus has 128 bytes at most: .* not 256",
        ),
    ],
)
def test_other_machines_are_refused(changes, message, tmp_path):
    machine = Architecture.named("tiny", changes)
    with pytest.raises(ConfigError, match=message):
        verilog(machine, Workload.named("tiny"), tmp_path / "core", top="axi")
    assert not (tmp_path / "core").exists()


def test_lanes_that_are_no_power_of_two_are_told_as_that_and_no_format_is_blamed(tmp_path):
    with pytest.raises(ConfigError, match=r"a power of two, not 3 and 4") as refused:
        verilog(Architecture.named("tiny", {"engine.lanes": 3}), Workload.named("tiny"), tmp_path / "core", top="axi")
    assert "engine.formats" not in str(refused.value)
