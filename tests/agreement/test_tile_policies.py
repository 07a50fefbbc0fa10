"""Checkpoint policies in several tiles: steps that run again, or are undone, on gates, by law and golden model."""

from __future__ import annotations

import numpy as np
import pytest
from components import unelaborated
from gate_steps import CELLS, check

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError, FitError
from deltatrain.accel.program import PHASES
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import StepOnGates

WIDTHS = ("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes")
POLICIES = ("segment", "revolve", "reversible")
LOCAL = {"placement.weights": "local", "placement.gradients": "local"}
REMOTE = {"placement.weights": "remote", "placement.gradients": "remote"}


def machine(tiles, policy, room, described):
    wires = {"tiles.count": tiles, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 1}
    kept = {"checkpoint.policy": policy, "checkpoint.local_bytes": room}
    return Architecture.named("tiny", dict.fromkeys(WIDTHS, 2) | {"dma.bytes_per_cycle": 4} | wires | kept | described)


def again(program):
    return int((program.ops.phase == PHASES.index("RF")).sum())


@pytest.mark.long
@pytest.mark.parametrize(
    ("tiles", "policy", "room", "cell", "sizes"),
    [
        (2, "revolve", 30, "rnn", {"hidden": (5,), "lengths": (5, 2)}),
        (2, "reversible", 70, "lstm", {"hidden": (3,), "lengths": (3,)}),
        (3, "segment", 160, "gru", {"hidden": (5, 3), "lengths": (4,), "readout": "every"}),
    ],
)
def test_steps_that_run_again_in_tiles(tiles, policy, room, cell, sizes):
    step = random_step(machine(tiles, policy, room, LOCAL), cell, seed=4, features=3, **sizes)
    assert again(step.program)
    check(step, AmaranthSimulation)


def test_tiles_that_would_move_states_are_refused_by_name():
    step = random_step(machine(2, "double", 100, LOCAL), "rnn", seed=1, hidden=(3,), lengths=(6,))
    message = "several tiles run steps again and move nothing: checkpoint.policy must be 'segment', .* or 'store_all'"
    with unelaborated(), pytest.raises(ConfigError, match=message):
        StepOnGates(step)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
def test_random_programs_of_tiles(seed):
    rng = np.random.default_rng(seed)
    sizes = {
        "hidden": tuple(rng.integers(1, 9, rng.integers(1, 3)).tolist()),
        "features": int(rng.integers(1, 7)),
        "lengths": tuple(rng.integers(1, 6, 2).tolist()),
        "readout": ["last", "every"][rng.integers(2)],
        "thresholds": tuple(rng.choice([0, 8, 100], 2).tolist()),
        "scale": float(rng.choice([0.02, 0.5, 1.0])),
        "density": 1.0 if rng.random() < 0.6 else 0.2,
    }
    tiles, policy = int(rng.integers(2, 5)), POLICIES[seed % 3]
    described = [LOCAL, REMOTE | {"remote.device": "ddr3_1600"}][rng.integers(2)]
    for room in range(int(rng.integers(20, 200)), 4000, 40):
        try:
            step = random_step(machine(tiles, policy, room, described), CELLS[seed // 3 % 3], seed=seed, **sizes)
            on_gates = StepOnGates(step)
        except FitError as error:
            if "sparsity.density" in str(error):
                sizes["density"] = 1.0
            continue
        check(step, AmaranthSimulation, on_gates.tile)
        return
    pytest.fail("nothing fits")
