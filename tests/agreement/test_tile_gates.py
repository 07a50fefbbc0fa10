"""The tile against the golden model and the law: whole training steps, every number and every cycle."""

from __future__ import annotations

import numpy as np
import pytest
from components import unelaborated
from hypothesis import given, settings
from hypothesis import strategies as st

from accel.architecture import Architecture
from accel.errors import ConfigError
from sim.fidelity import cycle
from sim.gates.amaranth_simulation import AmaranthSimulation
from sim.gates.compiled.simulation import CompiledSimulation
from sim.gates.compiled.tools import find_tool
from sim.gates.export.files import exported
from sim.gates.layout import Layout
from sim.gates.random_step import random_step
from sim.gates.run import StepOnGates, tile_for

CELLS = ("rnn", "gru", "lstm")
HOMES = {
    "local": {"placement.weights": "local", "placement.gradients": "local"},
    "remote": {"placement.weights": "remote", "placement.gradients": "remote"},
    "gradients_remote": {"placement.weights": "local", "placement.gradients": "remote"},
    "weights_remote": {"placement.weights": "remote", "placement.gradients": "local"},
    "tape_remote": {"placement.weights": "local", "placement.gradients": "local", "placement.tape": "remote"},
    "all_remote": {"placement.weights": "remote", "placement.gradients": "remote", "placement.tape": "remote"},
}


def check(step, simulation_of, tile=None):
    """Run `step`; every matrix must be the golden model's, every counter the law's."""
    on_gates = StepOnGates(step, tile)
    simulation = simulation_of(on_gates.tile, stops=on_gates.stops, halts="finished")
    try:
        ran = on_gates.run(simulation)
    finally:
        simulation.close()
    expected = step.matrices
    assert list(ran.matrices) == list(expected)
    for name, matrix in expected.items():
        np.testing.assert_array_equal(ran.matrices[name], matrix, err_msg=name)
    assert ran.counters == cycle.count(step.program)


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_of_two_layers_on_tiny(cell):
    check(random_step(Architecture.named("tiny"), cell, seed=1), AmaranthSimulation)


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


def test_a_tape_to_a_memory_that_answers_at_once():
    home = HOMES["all_remote"] | {"remote.device": "zero_latency", "dma.request_cycles": 0}
    step = random_step(Architecture.named("tiny", home), "gru", seed=5, hidden=(3, 5), lengths=(3,), thresholds=(0, 0))
    check(step, AmaranthSimulation)


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


def test_a_tape_off_chip_has_no_test_bench():
    step = random_step(Architecture.named("tiny", HOMES["tape_remote"]), "rnn", seed=7, hidden=(2,), lengths=(1,))
    with pytest.raises(ConfigError, match=r"placement.tape must be 'local', .*, not 'remote' with 65536"):
        exported(step, AmaranthSimulation)


def compiler_missing():
    try:
        find_tool(None)
    except ConfigError as error:
        return str(error)
    return ""


compiled = pytest.mark.skipif(bool(compiler_missing()), reason=compiler_missing())

MOST = {"features": 9, "hidden": (9, 10), "classes": 5, "lengths": (5, 5, 5)}


def large_tile(machine, home, cell, readout):
    """Return a tile that every step drawn below fits, compiled once."""
    architecture = Architecture.named(machine, HOMES[home])
    step = random_step(architecture, cell, seed=0, readout=readout, thresholds=(0, 0), **MOST)
    layout = Layout(step.program, step.shape, readout)
    most = sum(MOST["lengths"]) * 4 * (MOST["features"] + sum(MOST["hidden"]))
    return tile_for(step, layout.sizes._replace(list_entries=1 << most.bit_length()))


@st.composite
def steps(draw, machine, home, cell, readout):
    layers = draw(st.integers(1, 2))
    return random_step(
        Architecture.named(machine, HOMES[home]),
        cell,
        seed=draw(st.integers(0, 2**32 - 1)),
        features=draw(st.integers(1, MOST["features"])),
        hidden=tuple(draw(st.integers(1, width)) for width in MOST["hidden"][:layers]),
        classes=draw(st.integers(1, MOST["classes"])),
        lengths=tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))),
        thresholds=(draw(st.sampled_from([0, 1, 8, 100, 1 << 20])), draw(st.sampled_from([0, 1, 8, 100, 1 << 20]))),
        readout=readout,
        scale=draw(st.sampled_from([0.02, 0.5, 1.0])),
        updates=draw(st.booleans()),
    )


@compiled
@pytest.mark.parametrize(
    ("machine", "home", "cell", "readout"),
    [
        ("tiny", "local", "lstm", "every"),
        ("tiny", "remote", "gru", "last"),
        ("tiny", "gradients_remote", "rnn", "every"),
        ("edge", "remote", "lstm", "last"),
        ("tiny", "all_remote", "gru", "every"),
    ],
)
def test_any_step_on_compiled_gates(machine, home, cell, readout):
    tile = large_tile(machine, home, cell, readout)

    @settings(deadline=None, max_examples=25)
    @given(steps(machine, home, cell, readout))
    def run(step):
        check(step, CompiledSimulation, tile)

    run()
