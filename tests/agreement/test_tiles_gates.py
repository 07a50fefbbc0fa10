"""Several tiles against the golden model of one and the law: whole training steps, every number and every cycle."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from gate_steps import check, compiled, large_tile, steps
from hypothesis import given, settings

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.export.verilog import verilog
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import StepOnGates

FEW_LANES = {
    "engine.lanes": 2,
    "engine.encoder_elements": 2,
    "engine.elementwise_lanes": 2,
    "dma.bytes_per_cycle": 4,
}


REMOTE = {"placement.weights": "remote", "placement.gradients": "remote"}


def machine(tiles, bytes_per_cycle=4, latency_cycles=1, **described):
    wires = {"tiles.exchange_bytes_per_cycle": bytes_per_cycle, "tiles.exchange_latency_cycles": latency_cycles}
    return Architecture.named("tiny", {"tiles.count": tiles} | wires | described)


@pytest.mark.parametrize(
    ("cell", "tiles", "bytes_per_cycle", "latency_cycles", "lengths"),
    [
        pytest.param("rnn", 4, 1, 0, (2,), marks=pytest.mark.long),
        ("rnn", 5, 2, 1, (2,)),
        pytest.param("gru", 3, 8, 3, (2, 1), marks=pytest.mark.long),
        ("lstm", 2, 4, 1, (2, 1)),
    ],
)
def test_a_step_of_two_layers_on_tiles_of_two_lanes(cell, tiles, bytes_per_cycle, latency_cycles, lengths):
    architecture = machine(tiles, bytes_per_cycle, latency_cycles, **FEW_LANES)
    step = random_step(architecture, cell, seed=8, features=5, hidden=(5, 3), lengths=lengths, readout="every")
    check(step, AmaranthSimulation)


def test_columns_of_all_tiles_from_one_memory():
    architecture = machine(3, **FEW_LANES | REMOTE | {"dma.bytes_per_cycle": 3})
    check(random_step(architecture, "rnn", seed=8, hidden=(7,), lengths=(2, 1), readout="every"), AmaranthSimulation)


def test_a_squared_loss_of_the_sum_over_tiles():
    architecture = machine(2, **FEW_LANES)
    step = random_step(architecture, "rnn", seed=12, features=3, hidden=(5,), lengths=(2, 1), task="regression")
    check(step, AmaranthSimulation)


def test_verilog_of_three_tiles_has_no_lint_and_passes_the_checks_of_yosys(tmp_path):
    step = random_step(machine(3, **FEW_LANES), "rnn", seed=11, hidden=(3,), lengths=(1,))
    (tmp_path / "machine.v").write_text(verilog(StepOnGates(step).tile, "machine"))
    ignored = [f"-Wno-{kind}" for kind in ("DECLFILENAME", "UNUSEDSIGNAL", "UNOPTFLAT")]
    script = "read_verilog machine.v; hierarchy -check -top machine; proc; check -assert"
    commands = (
        ["verilator", "--lint-only", "-Wall", *ignored, "--top-module", "machine", "machine.v"],
        ["yosys", "-q", "-p", script],
    )
    found = [command for command in commands if shutil.which(command[0])]
    for command in found:
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (ran.returncode, ran.stderr) == (0, ""), command[0]
    if not found:
        pytest.skip("neither verilator nor yosys is installed: the Verilog is not run through them")


def check_any_step(architecture, cell, readout, most):
    """Compile the gates that hold every step up to `most`, and run such steps on them."""
    tile = large_tile(architecture, cell, readout, most)

    @settings(max_examples=25)
    @given(steps(architecture, cell, readout, most))
    def run(step):
        check(step, CompiledSimulation, tile)

    run()


@compiled
def test_any_step_on_two_compiled_tiles_of_two_lanes():
    architecture = machine(2, 8, 4, **FEW_LANES)
    check_any_step(architecture, "gru", "last", {"features": 7, "hidden": (6, 5), "classes": 3, "lengths": (4, 3)})


@pytest.mark.long  # to compile them takes up to 70 s of processor time
@compiled
@pytest.mark.parametrize(
    ("cell", "readout", "tiles", "bytes_per_cycle", "latency_cycles", "homes"),
    [("lstm", "every", 2, 2, 0, {}), ("gru", "last", 3, 8, 4, REMOTE)],
)
def test_any_step_on_compiled_tiles(cell, readout, tiles, bytes_per_cycle, latency_cycles, homes):
    architecture = machine(tiles, bytes_per_cycle, latency_cycles, **homes)
    check_any_step(
        architecture, cell, readout, {"features": 20, "hidden": (18, 13), "classes": 5, "lengths": (5, 5, 5)}
    )
