"""Machines: presets load, peaks follow from the numbers, and what does not fit together is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.dram import DramPart
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.presets import MACHINES


@pytest.mark.parametrize("name", MACHINES.names())
def test_every_preset_loads_and_is_called_as_its_file(name: str, tmp_path: Path) -> None:
    machine = Architecture.named(name)
    assert machine.name == name
    assert machine.about
    path = tmp_path / "machine.toml"
    path.write_text(MACHINES.text(name))
    assert Architecture.named(str(path)) == machine
    assert Architecture.named(str(path)).digest() == machine.digest()


def test_the_peaks_of_the_edge_machine_by_hand() -> None:
    machine = Architecture.named("edge")
    assert machine.engine.begin_ps(1) == 8000
    assert machine.peak_macs_per_second == 8 * 125_000_000
    assert machine.weight_word_bytes == 8 * 2
    assert machine.gradient_word_bytes == 8 * 4
    wide = Architecture.named("edge", {"dma.bytes_per_cycle": 1024})
    assert wide.remote_peak_bytes_per_second == 1_600_000_000 * 2  # 1600 MT/s on 16 bits
    narrow = Architecture.named("edge", {"dma.bytes_per_cycle": 1})
    assert narrow.remote_peak_bytes_per_second <= 2 * 125_000_000


@pytest.mark.parametrize("clock_hz", [1000, 150_000_000, 300_000_000, 940_000_000, 1_350_000_000, 1_850_000_000])
def test_every_whole_number_of_hertz_is_a_clock_and_a_float_that_is_one_reads_as_it(clock_hz: int) -> None:
    machine = Architecture.named("edge", {"engine.clock_hz": clock_hz})
    as_float = Architecture.named("edge", {"engine.clock_hz": float(clock_hz)})
    assert as_float.engine.clock_hz == clock_hz and isinstance(as_float.engine.clock_hz, int)
    assert as_float.digest() == machine.digest()


def test_the_device_follows_its_bus() -> None:
    machine = Architecture.named("edge", {"remote.bus_bits": 64})
    device = machine.device
    assert isinstance(device, DramPart)
    assert device.row_bytes(64) == 8192  # 1 KiB a device, eight side by side
    assert device.burst_bytes(64) == 64
    assert device.peak_bytes_per_second(64) == 12.8e9


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"engine.lanes": 0}, ["engine.lanes must be a positive integer, not 0"]),
        ({"engine.neuron_cycles": 0}, ["engine.neuron_cycles must be a positive integer, not 0"]),
        ({"engine.neuron_cycles": 10**18}, ["engine.neuron_cycles must be at most 100000000, not 1"]),
        ({"engine.layer_cycles": 10**18}, ["engine.layer_cycles must be at most 100000000, not 1"]),
        ({"dma.request_cycles": 10**18}, ["dma.request_cycles must be at most 100000000, not 1"]),
        ({"host.request_s": 1e300}, ["host.request_s must be at most 1000.0, not 1e+300"]),
        ({"engine.clock_hz": 0.5}, ["engine.clock_hz must be an integer, not 0.5"]),
        ({"engine.clock_hz": 0}, ["engine.clock_hz must be at least 1000, not 0"]),
        ({"engine.clock_hz": 2e12}, ["engine.clock_hz must be at most 1000000000000, not 2"]),
        ({"engine.clock_hz": True}, ["engine.clock_hz must be an integer, not True"]),
        ({"remote.device": "ddr3_1500"}, ["remote.device 'ddr3_1500' is not known, did you mean 'ddr3_1600'?"]),
        ({"remote.ranks": 2, "remote.device": "hbm2_legacy", "remote.bus_bits": 128}, ["remote.ranks must be 1"]),
        ({"remote.bytes": 2**30 + 1}, ["remote.bytes must be at most the 1073741824 of its channels, not 1073741825"]),
        ({"remote.write_high": 33}, ["write_low < write_high <= write_queue must hold"]),
        ({"remote.address_map": "RoBa"}, ["address_map must name Ro, Ba, Ra, Co and Ch once"]),
        ({"energy": "horowitz"}, ["energy 'horowitz' is not known, did you mean 'horowitz_45nm'?"]),
        ({"remote.bus_bits": 12}, ["remote.bus_bits must be a multiple of the part's 8 bits, not 12"]),
        ({"dma.buffer_bytes": 65_536}, ["dma.buffer_bytes must be less than local.bytes (65536), not 65536"]),
        ({"dma.buffer_bytes": 47}, ["dma.buffer_bytes must hold two words of W and dW (48 bytes), not 47"]),
        ({"placement.weights": "here"}, ["placement.weights must be one of", "not 'here'"]),
        (
            {"engine.formats.learning_rate.fraction_bits": 0, "engine.formats.weight_gradient_bits": 48}
            | {f"engine.formats.{name}.fraction_bits": 0 for name in ("activation", "gradient")},
            ["learning_rate.bits must be at most", "further fraction bits of weight, not 16"],
        ),
        ({"engine.formats.memory_bits": 20}, ["memory_bits must be 32 (one product) to 48, not 20"]),
        ({"engine.formats.weight.bits": 1}, ["engine.formats.weight.bits"]),
        ({"engine.formats.weight.overflow": "clip"}, ["engine.formats.weight.overflow must be one of"]),
        ({"engine.lane": 3}, ["engine.lane is not a field, did you mean 'lanes'?"]),
        ({"local.bytes": -5}, ["local.bytes must be a positive integer, not -5"]),
        ({"dma.request_cycles": -1}, ["dma.request_cycles must be at least 0, not -1"]),
    ],
)
def test_what_does_not_fit_together_is_one_line(changes: dict[str, Any], lines: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Architecture.named("tiny", changes)
    message = str(caught.value)
    assert "\n" not in message
    for part in lines:
        assert part in message


def test_exactly_two_words_are_enough_room_for_columns() -> None:
    assert Architecture.named("tiny", {"dma.buffer_bytes": 48}).dma.buffer_bytes == 48


def test_unknown_machines_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'edg' is not known, did you mean 'edge'\?"):
        Architecture.named("edg")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        Architecture.named(str(tmp_path / "none.toml"))
    path = tmp_path / "half.toml"
    path.write_text('name = "half"\n')
    with pytest.raises(ConfigError) as caught:
        Architecture.named(str(path))
    assert all(line.startswith(str(path)) for line in str(caught.value).splitlines())
    assert "engine is missing" in str(caught.value)
