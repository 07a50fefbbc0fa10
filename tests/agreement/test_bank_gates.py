"""A tile whose W and dW are in banks of one port: golden model, law and gates agree in every number and cycle."""

from __future__ import annotations

import pytest
from gate_steps import check, compiled, large_tile, steps
from hypothesis import given, settings

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.random_step import random_step

MOST = {"features": 5, "hidden": (9, 6), "classes": 4, "lengths": (3, 2)}


def machine(banks: int, lanes: int = 2) -> Architecture:
    widths = dict.fromkeys(("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes"), lanes)
    local = {"placement.weights": "local", "placement.gradients": "local", "local.ports": 1, "local.banks": banks}
    return Architecture.named("tiny", widths | local)


@pytest.mark.parametrize("banks", [1, pytest.param(2, marks=pytest.mark.long), 3])
def test_lanes_wait_for_the_bank_of_a_word(banks: int) -> None:
    """With two banks dW's words five apart are in one where columns are skipped, and W's six always, as with three."""
    step = random_step(machine(banks), "rnn", seed=3, features=2, hidden=(5,), lengths=(2, 1), thresholds=(8, 8))
    waited = cycle.count(step.program).units["engine"].stall_cycles
    assert waited["sram"] > 0
    check(step, AmaranthSimulation)


@compiled
@pytest.mark.long
@pytest.mark.parametrize(("cell", "banks"), [("gru", 1), ("lstm", 2), ("rnn", 4), ("lstm", 8), ("gru", 5)])
def test_any_step_on_compiled_gates(cell: str, banks: int) -> None:
    tile = large_tile(machine(banks), cell, "every", MOST)

    @settings(max_examples=25)
    @given(steps(machine(banks), cell, "every", MOST))
    def run(step) -> None:
        check(step, CompiledSimulation, tile)

    run()
