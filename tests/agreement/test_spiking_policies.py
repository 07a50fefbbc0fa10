"""Spiking cells and steps that run again, on gates: every number is the golden model's, every counter the law's."""

from __future__ import annotations

import pytest
from gate_steps import check

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.leaky_neuron import LeakyNeuron
from deltatrain.accel.program import PHASES
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.random_step import random_step

LOCAL = {"placement.weights": "local", "placement.gradients": "local"}
REMOTE = {"placement.weights": "remote", "placement.gradients": "remote"}
LEARNS = LeakyNeuron(threshold=0.3, learns_above=0.2, decay=0.8)
TWO_LANES = {
    **{"engine.lanes": 2, "engine.encoder_elements": 2, "engine.elementwise_lanes": 2},
    "dma.bytes_per_cycle": 4,
}
MOVE = ("segment_dram", "double", "hrevolve", "disk_revolve")
LONG = pytest.mark.long


def under(policy, room, cell, changes, **sizes):
    """Return a random step of spiking cells under a checkpoint policy that may keep `room` bytes."""
    wanted = {"checkpoint.policy": policy, "checkpoint.local_bytes": room}
    told = {"seed": 1, "neuron": LEARNS, "scale": 0.05, "features": 3}
    return random_step(Architecture.named("tiny", LOCAL | changes | wanted), cell, **told | sizes)


RECURRENT, TWO_LAYERS = {"hidden": (5,), "lengths": (5, 2)}, {"hidden": (5, 4), "lengths": (6, 2)}
SPARSE = {"hidden": (7,), "lengths": (5, 2), "density": 0.3}


@pytest.mark.parametrize(
    ("policy", "room", "cell", "changes", "sizes"),
    [
        ("revolve", 60, "lif_recurrent", TWO_LANES, {"seed": 2, "hidden": (5,), "lengths": (3,), "classes": 2}),
        pytest.param("revolve", 70, "lif_recurrent", {}, RECURRENT, marks=LONG),
        pytest.param("revolve", 90, "lif", {}, TWO_LAYERS, marks=LONG),
        pytest.param("revolve", 40, "lif", REMOTE, TWO_LAYERS | {"lengths": (4,), "readout": "every"}, marks=LONG),
        pytest.param("segment", 120, "lif", REMOTE, TWO_LAYERS, marks=LONG),
        pytest.param("revolve", 70, "lif_recurrent", TWO_LANES, SPARSE, marks=LONG),
        pytest.param("segment_dram", 50, "lif", {}, TWO_LAYERS, marks=LONG),
        pytest.param("segment_dram", 40, "lif_recurrent", REMOTE, RECURRENT, marks=LONG),
        pytest.param("double", 90, "lif", {"dma.in_flight": 2}, TWO_LAYERS, marks=LONG),
        pytest.param("hrevolve", 70, "lif_recurrent", {}, RECURRENT, marks=LONG),
        pytest.param("disk_revolve", 90, "lif", {"checkpoint.overlap": False}, TWO_LAYERS, marks=LONG),
    ],
)
def test_spikes_of_steps_that_run_again(policy, room, cell, changes, sizes):
    step = under(policy, room, cell, changes, **sizes)
    listed = {value for sample in step.golden.samples for layer in sample.forward for value in layer.h.ravel().tolist()}
    assert listed == {-1, 0, 1 << 8}
    ops = step.program.ops
    again = ops.phase == PHASES.index("RF")
    assert (ops.is_mode("cell_forward") & again).any()
    assert (ops.is_mode("copy") & again).any() == (policy != "segment" and (policy, room) != ("revolve", 40))
    assert ops.is_mode("store").any() == (policy in MOVE)
    check(step, AmaranthSimulation)
