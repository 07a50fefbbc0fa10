"""Several tiles with a tape off-chip, a column cache, or neurons that spike: gates, law and golden model agree."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from gate_steps import check, compiled, large_tile, steps
from hypothesis import given, settings

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.engines import engine_named
from deltatrain.sim.gates.export.files import exported
from deltatrain.sim.gates.random_step import random_step

WIDTHS = ("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes")
OFF_CHIP = {"placement.weights": "remote", "placement.gradients": "remote"}
TAPE = {"placement.tape": "remote"}
CACHE = OFF_CHIP | {"cache.bytes": 128, "cache.ways": 2}
LEARNS = LeakyNeuron(threshold=0.3, learns_above=0.2, decay=0.8)
"""Some spike, some are gradient-only, some are silent, on weights as `SMALL` draws them."""
SMALL = {"scale": 0.05, "features": 3, "neuron": LEARNS}


def machine(tiles: int, lanes: int, described: dict) -> Architecture:
    wires = {"tiles.count": tiles, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 1}
    port = {"dma.bytes_per_cycle": 2 * lanes, "placement.tape": "local"}
    return Architecture.named("tiny", dict.fromkeys(WIDTHS, lanes) | port | wires | described)


def test_spikes_with_cached_columns_and_a_tape_off_chip_of_tiles_one_of_which_has_fewer_neurons():
    step = random_step(machine(2, 4, TAPE | CACHE), "lif_recurrent", seed=3, hidden=(9,), lengths=(2,), **SMALL)
    listed = [layer.h for sample in step.golden.samples for layer in sample.forward]
    assert {value for h in listed for value in h.ravel().tolist()} == {-1, 0, 1 << 8}
    assert step.program.ops.is_mode("store").any() and step.program.cached_runs is not None
    check(step, AmaranthSimulation)


@pytest.mark.long
@pytest.mark.parametrize(
    ("cell", "tiles", "lanes", "described", "sizes"),
    [
        ("rnn", 2, 4, TAPE, {"features": 5, "hidden": (9,), "lengths": (2, 1)}),
        (
            "lstm",
            3,
            4,
            TAPE | {"dma.in_flight": 2, "dma.bytes_per_cycle": 3},
            {"features": 9, "hidden": (13, 5), "lengths": (3, 2), "readout": "every"},
        ),
        ("gru", 2, 4, TAPE | {"local.ports": 1}, {"features": 5, "hidden": (9,), "lengths": (3,), "code_bits": 3}),
        ("rnn", 2, 2, CACHE | {"cache.bytes": 64}, {"features": 3, "hidden": (5,), "lengths": (3,)}),
        ("lstm", 3, 2, CACHE, {"features": 3, "hidden": (13,), "lengths": (3, 2), "density": 0.2}),
        ("lif_recurrent", 2, 2, {}, SMALL | {"hidden": (5,), "lengths": (3,)}),
        ("lif", 3, 2, OFF_CHIP, SMALL | {"hidden": (13,), "lengths": (3, 2), "density": 0.1}),
        ("lif_recurrent", 3, 2, {}, SMALL | {"hidden": (13,), "lengths": (2,), "density": 0.1, "readout": "every"}),
    ],
)
def test_a_step_on_tiles(cell, tiles, lanes, described, sizes):
    check(random_step(machine(tiles, lanes, described), cell, seed=4, **sizes), AmaranthSimulation)


def in_icarus(folder):
    """Return what the bench in a folder prints."""
    subprocess.run(["iverilog", "-g2001", "-o", "tile_tb.vvp", "tile_tb.v", "tile.v"], cwd=folder, check=True)
    return subprocess.run(["vvp", "-N", "tile_tb.vvp"], cwd=folder, capture_output=True, text=True).stdout


@pytest.mark.long
def test_the_bench_of_tiles_has_their_tape_and_the_words_of_their_cache(tmp_path):
    if not shutil.which("iverilog"):
        pytest.skip("iverilog is not installed: the bench is not run")
    step = random_step(machine(2, 4, TAPE | CACHE), "lif_recurrent", seed=3, hidden=(9,), lengths=(2,), **SMALL)
    for name, content in exported(step, engine_named("amaranth")).items():
        (tmp_path / name).write_bytes(content)
    assert "PASS: " in in_icarus(tmp_path)
    bench = (tmp_path / "tile_tb.v").read_text()
    (tmp_path / "tile_tb.v").write_text(bench.replace("[tape_put] + part] = ", "[tape_put] + part] = ~"))
    assert "FAIL: " in in_icarus(tmp_path)


MOST = {"features": 9, "hidden": (13, 6), "classes": 3, "lengths": (4, 3)}


@pytest.mark.long
@compiled
@pytest.mark.parametrize(
    ("cell", "tiles", "lanes", "described"),
    [
        ("gru", 2, 4, TAPE | {"dma.in_flight": 2, "dma.bytes_per_cycle": 3}),
        ("lstm", 3, 4, TAPE | CACHE | {"cache.bytes": 512}),
        ("lif_recurrent", 3, 2, CACHE),
        ("lif", 2, 4, TAPE),
    ],
)
def test_any_step_on_compiled_tiles(cell, tiles, lanes, described):
    architecture, neuron = machine(tiles, lanes, described), LEARNS if cell.startswith("lif") else None
    tile = large_tile(architecture, cell, "every", MOST, neuron=neuron)

    @settings(max_examples=25)
    @given(steps(architecture, cell, "every", MOST, neuron=neuron, updates=True))
    def run(step):
        check(step, CompiledSimulation, tile)

    run()
