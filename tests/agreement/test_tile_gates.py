"""The tile against the golden model and the law: whole training steps, every number and every cycle."""

from __future__ import annotations

import numpy as np
import pytest
from components import unelaborated
from gate_steps import CELLS, check, compiled, large_tile, steps
from hypothesis import given, settings

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import StepOnGates, tile_for

HOMES = {
    "local": {"placement.weights": "local", "placement.gradients": "local"},
    "remote": {"placement.weights": "remote", "placement.gradients": "remote", "cache.bytes": 0},
    "gradients_remote": {"placement.weights": "local", "placement.gradients": "remote"},
    "weights_remote": {"placement.weights": "remote", "placement.gradients": "local"},
    "tape_remote": {"placement.weights": "local", "placement.gradients": "local", "placement.tape": "remote"},
    "all_remote": {"placement.weights": "remote", "placement.gradients": "remote", "placement.tape": "remote"},
}
FAR = dict.fromkeys(("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes"), 4) | {
    "dma.bytes_per_cycle": 8,
    "remote.device": {"source": "a test", "latency_ps": 3_000_000},
}
"""Four lanes and a memory so far away that several transfers are on their way."""

HOMES["far"] = HOMES["all_remote"] | FAR | {"dma.in_flight": 3, "dma.bytes_per_cycle": 5}


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_of_two_layers_on_tiny(cell):
    check(random_step(Architecture.named("tiny"), cell, seed=1), AmaranthSimulation)


@pytest.mark.parametrize(("task", "readout", "outputs"), [("regression", "every", 6), ("labelling", "every", 3)])
def test_other_losses_than_that_of_sequences_on_tiny(task, readout, outputs):
    step = random_step(Architecture.named("tiny"), "gru", seed=8, task=task, readout=readout, classes=outputs)
    assert len({tuple(np.ravel(label)) for label in step.labels}) == 2
    check(step, AmaranthSimulation)


@pytest.mark.parametrize(
    ("elements", "tiles"),
    [(8, 1), *(pytest.param(*of, marks=pytest.mark.long) for of in [(1, 1), (2, 2), (8, 3)])],
)
def test_an_encoder_that_is_narrower_or_wider_than_the_lanes(elements, tiles):
    wires = {"tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 4}
    several = wires | {"tiles.count": tiles, "dma.bytes_per_cycle": 4} if tiles > 1 else {}
    machine = Architecture.named("tiny", {"engine.encoder_elements": elements} | several)
    hidden = (5 * tiles,)
    check(random_step(machine, "rnn", seed=3, features=9, hidden=hidden, lengths=(2, 1)), AmaranthSimulation)


def test_gates_that_saturate_below_1():
    narrow = {"engine.formats.gate.bits": 8, "engine.formats.gate.fraction_bits": 7}
    machine = Architecture.named("tiny", narrow)
    check(random_step(machine, "gru", seed=3, features=2, hidden=(2,), lengths=(2,), scale=1.0), AmaranthSimulation)


def test_a_tile_without_counters_computes_the_same_in_the_same_cycles(monkeypatch):
    step = random_step(Architecture.named("tiny"), "rnn", seed=9, hidden=(3,), lengths=(2,))
    tile = tile_for(step, Layout(step.program, step.shape, "last").sizes._replace(uncounted=1))
    on_gates = StepOnGates(step, tile)
    simulation = AmaranthSimulation(tile, stops=on_gates.stops, halts="finished")
    monkeypatch.setattr(on_gates, "_counters", lambda simulation, host, cycles: cycles)  # the others would not add up
    ran = on_gates.run(simulation)
    assert ran.counters == simulation.value("cycles") == cycle.count(step.program).cycles
    assert simulation.value("spent") == 0
    for name, matrix in step.matrices.items():
        np.testing.assert_array_equal(ran.matrices[name], matrix, err_msg=name)


def test_columns_from_dram_and_back_on_tiny():
    step = random_step(Architecture.named("tiny", HOMES["remote"]), "gru", seed=2, lengths=(2,))
    check(step, AmaranthSimulation)


def test_a_step_on_edge_with_its_dram():
    step = random_step(Architecture.named("edge"), "rnn", seed=3, hidden=(9, 8), lengths=(3,))
    check(step, AmaranthSimulation)


@pytest.mark.parametrize("cell", CELLS)
def test_a_tape_to_dram_and_back(cell):
    step = random_step(Architecture.named("tiny", HOMES["tape_remote"]), cell, seed=4, hidden=(6,), lengths=(4, 1))
    check(step, AmaranthSimulation)


def test_a_tape_whose_moves_block_all_units():
    def moved(overlap):
        machine = Architecture.named("tiny", HOMES["tape_remote"] | {"checkpoint.overlap": overlap})
        return random_step(machine, "lstm", seed=4, hidden=(3,), lengths=(3, 1))

    assert cycle.count(moved(False).program).cycles > cycle.count(moved(True).program).cycles
    check(moved(False), AmaranthSimulation)


def test_a_tape_to_a_memory_that_answers_at_once():
    home = HOMES["all_remote"] | {"remote.device": "zero_latency", "dma.request_cycles": 0}
    step = random_step(Architecture.named("tiny", home), "gru", seed=5, hidden=(3, 5), lengths=(3,), thresholds=(0, 0))
    check(step, AmaranthSimulation)


@pytest.mark.parametrize(("home", "bytes_per_cycle", "in_flight"), [("all_remote", 3, 1), ("remote", 20, 2)])
def test_a_port_that_is_not_a_word_wide(home, bytes_per_cycle, in_flight):
    described = HOMES[home] | FAR | {"dma.bytes_per_cycle": bytes_per_cycle, "dma.in_flight": in_flight}
    step = random_step(Architecture.named("tiny", described), "rnn", seed=8, hidden=(3,), lengths=(3, 1))
    check(step, AmaranthSimulation)


@pytest.mark.parametrize(("cell", "in_flight"), [("rnn", 3), ("gru", 2)])
def test_transfers_in_flight_to_a_far_memory(cell, in_flight):
    def far(number):
        machine = Architecture.named("tiny", HOMES["tape_remote"] | FAR | {"dma.in_flight": number})
        return random_step(machine, cell, seed=4, hidden=(3,), lengths=(5, 2))

    assert cycle.count(far(in_flight).program).cycles < 0.8 * cycle.count(far(1).program).cycles
    check(far(in_flight), AmaranthSimulation)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("lanes", 2), "engine.lanes of at least 4 for a tape off-chip"),
        (("activation", 8), "engine.formats.activation of 9 to 16 bits for a tape off-chip .*, not 8"),
        (("state", 17), "engine.formats.state of 16 bits at most for a tape off-chip .*, not 17"),
    ],
)
def test_a_tape_that_gates_cannot_move_is_refused(wrong, message):
    what, value = wrong
    machine = HOMES["tape_remote"]
    if what == "lanes":
        units = ("lanes", "encoder_elements", "elementwise_lanes")
        machine = machine | {f"engine.{unit}": value for unit in units} | {"dma.bytes_per_cycle": 4}
    else:
        machine = machine | {f"engine.formats.{what}.bits": value}
        machine |= {"engine.formats.activation.fraction_bits": 4, "dma.bytes_per_cycle": 4} if value == 8 else {}
    step = random_step(Architecture.named("tiny", machine), "lstm", seed=6, hidden=(2,), lengths=(1,))
    with unelaborated(), pytest.raises(ConfigError, match=message):
        StepOnGates(step)


MOST = {"features": 9, "hidden": (9, 10), "classes": 5, "lengths": (5, 5, 5)}


@compiled
@pytest.mark.parametrize(
    ("machine", "home", "cell", "readout", "task"),
    [
        pytest.param("tiny", "local", "lstm", "every", "labelling", marks=pytest.mark.long),
        pytest.param("tiny", "remote", "gru", "last", "regression", marks=pytest.mark.long),
        pytest.param("tiny", "gradients_remote", "rnn", "every", "classification", marks=pytest.mark.long),
        ("edge", "remote", "lstm", "last", "classification"),
        pytest.param("tiny", "all_remote", "gru", "every", "regression", marks=pytest.mark.long),
        pytest.param("tiny", "far", "rnn", "last", "classification", marks=pytest.mark.long),
    ],
)
def test_any_step_on_compiled_gates(machine, home, cell, readout, task):
    architecture = Architecture.named(machine, HOMES[home])
    tile = large_tile(architecture, cell, readout, MOST, task)

    @settings(max_examples=25)
    @given(steps(architecture, cell, readout, MOST, task))
    def run(step):
        check(step, CompiledSimulation, tile)

    run()
