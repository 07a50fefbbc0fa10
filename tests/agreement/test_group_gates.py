"""Weight gradients of several steps in one op, on gates, against the golden model and the law."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from core_on_bus import bus_of, check_matrices, core_for, driver_on, image_of, train
from gate_steps import CELLS, check, compiled, large_tile, steps
from hypothesis import given, settings

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.export.files import exported
from deltatrain.sim.gates.random_step import random_step

REMOTE = {"placement.weights": "remote", "placement.gradients": "remote"}
TWO_LANES = dict.fromkeys(("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes"), 2)
CACHED = REMOTE | {"cache.bytes": 160, "cache.ways": 2, "cache.line_bytes": 16}
FAR = REMOTE | {"dma.bytes_per_cycle": 3, "remote.device": {"source": "a test", "latency_ps": 900_000}}
WIDE = REMOTE | {"dma.bytes_per_cycle": 16}  # as wide as a word of dW


def grouped(steps_of_group: int, changes: dict[str, object]) -> Architecture:
    told = {"engine.outer_steps": steps_of_group, "placement.tape": "local"}
    return Architecture.named("tiny", told | changes)


@pytest.mark.parametrize(
    ("cell", "size", "machine", "shape"),
    [
        (
            "rnn",
            2,
            REMOTE | TWO_LANES,
            {"hidden": (24,), "lengths": (2,)},
        ),  # wide
        ("rnn", 2, CACHED, {"hidden": (5,), "lengths": (2,)}),
        pytest.param("gru", 2, {}, {"hidden": (3, 5), "lengths": (3, 4)}, marks=pytest.mark.long),
    ],
)
def test_a_step_in_amaranth(cell, size, machine, shape):
    check(random_step(grouped(size, machine), cell, seed=3, features=2, classes=2, **shape), AmaranthSimulation)


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed: the Verilog is not run through it")
def test_the_bench_passes_in_icarus(tmp_path):
    step = random_step(grouped(3, CACHED), "gru", seed=2, features=3, hidden=(5,), lengths=(4, 2))
    for name, content in exported(step, AmaranthSimulation).items():
        (tmp_path / name).write_bytes(content)
    built = ["iverilog", "-g2001", "-o", "bench", *sorted(path.name for path in tmp_path.glob("*.v"))]
    subprocess.run(built, cwd=tmp_path, check=True)
    ran = subprocess.run(["vvp", "bench"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert ran.stdout.startswith("PASS: ")


@pytest.mark.long
def test_a_core_trains_in_groups():
    step = random_step(grouped(2, REMOTE), "gru", seed=3, hidden=(5,), lengths=(4, 3))
    image = image_of(step)
    with bus_of(core_for(step, image), image, seed=2) as bus:
        driver = driver_on(bus, image)
        train(driver, step)
        check_matrices(driver, step)


@pytest.mark.long
@compiled
@pytest.mark.parametrize(
    ("cell", "size", "machine"),
    [*((cell, 2, CACHED) for cell in CELLS), ("lstm", 3, FAR), ("gru", 4, {}), ("gru", 8, REMOTE), ("lstm", 3, WIDE)],
)
def test_random_steps(cell, size, machine, request):
    architecture = grouped(size, machine)
    most = {"features": 6, "hidden": (7, 5), "classes": 3, "lengths": (6, 5)}
    tile = large_tile(architecture, cell, "every", most)
    simulations = []

    def simulation_of(tile, **told):
        simulations.append(CompiledSimulation(tile, **told))
        return simulations[-1]

    @settings(max_examples=40)
    @given(steps(architecture, cell, "every", most, updates=True))
    def run(step):
        check(step, simulation_of, tile)

    run()
