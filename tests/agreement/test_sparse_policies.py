"""Sparse weights and steps that run again, on gates: every entry is the golden model's, every counter the law's."""

from __future__ import annotations

import pytest
from gate_steps import check

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.program import PHASES
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.random_step import random_step

TWO_LANES = {
    **{"engine.lanes": 2, "engine.encoder_elements": 2, "engine.elementwise_lanes": 2},
    "dma.bytes_per_cycle": 4,
}
LOCAL = {"placement.weights": "local", "placement.gradients": "local"}
REMOTE = {"placement.weights": "remote", "placement.gradients": "remote"}


def under(policy, room, cell, changes, **sizes):
    """Return a random step of sparse weights under a checkpoint policy that may keep `room` bytes."""
    wanted = {"checkpoint.policy": policy, "checkpoint.local_bytes": room}
    return random_step(Architecture.named("tiny", changes | wanted), cell, density=0.2, features=3, **sizes)


def test_accumulators_go_on_from_what_was_restored():
    step = under("revolve", 120, "rnn", TWO_LANES | LOCAL, seed=4, hidden=(6,), lengths=(4,))
    again = step.program.ops.phase == PHASES.index("RF")
    assert (step.program.ops.is_mode("copy") & again).any()
    check(step, AmaranthSimulation)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("policy", "room", "cell", "changes", "sizes"),
    [
        ("reversible", 160, "lstm", TWO_LANES | LOCAL, {"hidden": (3,), "lengths": (3, 2)}),
        ("reversible", 160, "gru", TWO_LANES | REMOTE, {"hidden": (5,), "lengths": (4, 2)}),
        ("revolve", 380, "lstm", TWO_LANES | LOCAL, {"hidden": (3, 3), "lengths": (4,)}),
        ("revolve", 500, "gru", TWO_LANES | REMOTE, {"hidden": (5,), "lengths": (5,), "readout": "every"}),
        ("segment_dram", 400, "rnn", REMOTE, {"hidden": (8,), "lengths": (7, 3)}),
        ("hrevolve", 300, "rnn", LOCAL, {"hidden": (8,), "lengths": (7,)}),
    ],
)
def test_every_policy_and_cell(policy, room, cell, changes, sizes, seed):
    step = under(policy, room, cell, changes, seed=seed, **sizes)
    assert (step.program.ops.phase == PHASES.index("RF")).any()
    check(step, AmaranthSimulation)
