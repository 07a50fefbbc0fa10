"""Updates with momentum on gates: every weight and velocity is the golden model's, every counter that of the law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import StepOnGates
from deltatrain.sim.run import simulate
from deltatrain.sim.verification import differences
from deltatrain.sim.verilog_export import verilog
from deltatrain.workloads.training.integer_optimiser import IntegerOptimiser
from deltatrain.workloads.workload import Workload

OFF_CHIP = {"placement.weights": "remote", "placement.gradients": "remote"}
FEW_LANES = {
    **{"engine.lanes": 2, "engine.encoder_elements": 2, "engine.elementwise_lanes": 2},
    "dma.bytes_per_cycle": 4,
}
TWO_TILES = {
    "tiles": {"count": 2, "exchange_bytes_per_cycle": 8, "exchange_latency_cycles": 3},
}
NARROW = {
    "engine.formats.weight": {"bits": 8, "fraction_bits": 7},
    "engine.formats.gradient": {"bits": 8, "fraction_bits": 7},
    "engine.formats.weight_gradient_bits": 24,
    "engine.formats.weight_gradient_overflow": "wrap",
}
MOMENTUM = {"training.machine_optimiser.momentum": 0.9}


@pytest.mark.parametrize(
    ("cell", "machine", "momentum"),
    [
        ("lstm", {}, 29491),
        pytest.param("gru", OFF_CHIP, 1, marks=pytest.mark.long),
        pytest.param("gru", {"engine.arrays": 4}, 29491, marks=pytest.mark.long),
        ("gru", FEW_LANES, 16384),
        ("rnn", TWO_TILES, 29491),
        pytest.param("rnn", NARROW, -32768, marks=pytest.mark.long),
    ],
)
def test_gates_keep_the_velocity_of_the_golden_model(cell, machine, momentum):
    architecture = Architecture.named("tiny", machine)
    plain = random_step(architecture, cell, seed=3)
    step = replace(plain, network=plain.network._replace(optimiser=IntegerOptimiser("update_momentum", momentum)))
    on_gates = StepOnGates(step)
    simulation = AmaranthSimulation(on_gates.tile, stops=on_gates.stops, halts="finished")
    try:
        ran = on_gates.run(simulation)
    finally:
        simulation.close()
    assert list(differences(step, ran)) == []
    kept = np.concatenate([matrix.ravel() for matrix in step.golden.kept.matrices()])
    assert kept.any() and not any(matrix.any() for matrix in plain.golden.kept.matrices())


def test_a_step_with_momentum_is_simulated_as_gates():
    workload = Workload.named("tiny", MOMENTUM)
    gates, law = (simulate("tiny", workload, fidelity=name, dense=False) for name in ("rtl", "cycle"))
    assert gates.counters.phases["WU"].macs == law.counters.phases["WU"].macs > 0
    assert gates.area_mm2 == law.area_mm2 and "update multipliers" in gates.area_mm2


def test_a_core_has_no_register_of_momentum(tmp_path):
    with pytest.raises(ConfigError, match=r"a core has registers for plain gradient descent"):
        verilog("tiny", Workload.named("tiny", MOMENTUM), tmp_path, top="axi")
