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


def machine(banks: int, lanes: int = 2, tiles: int = 1) -> Architecture:
    widths = dict.fromkeys(("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes"), lanes)
    local = {"placement.weights": "local", "placement.gradients": "local", "local.ports": 1, "local.banks": banks}
    wires = {"tiles.count": tiles, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 1}
    port = {"dma.bytes_per_cycle": 2 * lanes}
    return Architecture.named("tiny", widths | local | (wires | port if tiles > 1 else {}))


@pytest.mark.parametrize("banks", [1, pytest.param(2, marks=pytest.mark.long), 3])
def test_lanes_wait_for_the_bank_of_a_word(banks: int) -> None:
    """With two banks dW's words five apart are in one where columns are skipped, and W's six always, as with three."""
    step = random_step(machine(banks), "rnn", seed=3, features=2, hidden=(5,), lengths=(2, 1), thresholds=(8, 8))
    waited = cycle.count(step.program).units["engine"].stall_cycles
    assert waited["sram"] > 0
    check(step, AmaranthSimulation)


@pytest.mark.long
def test_lanes_of_all_tiles_wait_for_the_same_bank() -> None:
    step = random_step(machine(1, tiles=2), "rnn", seed=3, features=2, hidden=(5,), lengths=(2,), thresholds=(8, 8))
    assert cycle.count(step.program).units["engine"].stall_cycles["sram"] > 0
    check(step, AmaranthSimulation)


@compiled
@pytest.mark.long
@pytest.mark.parametrize(
    ("cell", "banks", "tiles"),
    [("gru", 1, 1), ("lstm", 2, 1), ("rnn", 4, 1), ("lstm", 8, 1), ("gru", 5, 1), ("gru", 2, 2), ("lstm", 1, 3)],
)
def test_any_step_on_compiled_gates(cell: str, banks: int, tiles: int) -> None:
    architecture = machine(banks, tiles=tiles)
    tile = large_tile(architecture, cell, "every", MOST)

    @settings(max_examples=25)
    @given(steps(architecture, cell, "every", MOST))
    def run(step) -> None:
        check(step, CompiledSimulation, tile)

    run()


@pytest.mark.long
@pytest.mark.parametrize(("banks", "tiles"), [(1, 1), (3, 1), (2, 2)])
def test_lanes_wait_for_the_banks_of_compressed_columns(banks: int, tiles: int) -> None:
    sizes = {"features": 5, "hidden": (7,), "lengths": (2, 1), "density": 0.1}
    step = random_step(machine(banks, tiles=tiles), "gru", seed=3, thresholds=(8, 8), **sizes)
    assert cycle.count(step.program).units["engine"].stall_cycles["sram"] > 0
    check(step, AmaranthSimulation)
