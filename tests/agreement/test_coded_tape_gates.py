"""A tape of codes on gates, local and off-chip: whole training steps against the golden model and the law."""

from __future__ import annotations

import numpy as np
import pytest
from core_on_bus import TAPE, bus_of, check_matrices, core_for, driver_on, image_of, tiny, train
from gate_steps import CELLS, check, compiled, large_tile, steps
from hypothesis import given, settings

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.program import PHASES
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.random_step import random_step

HOMES = ("placement.weights", "placement.gradients")
OFF_CHIP = {**dict.fromkeys(HOMES, "local"), "placement.tape": "remote"}
FAR = {
    **dict.fromkeys((*HOMES, "placement.tape"), "remote"),
    **dict.fromkeys(("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes"), 4),
    "dma.bytes_per_cycle": 5,
    "dma.in_flight": 3,
    "remote.device": {"source": "a test", "latency_ps": 3_000_000},
}


@pytest.mark.parametrize(
    ("cell", "bits", "home"),
    [("rnn", 2, {}), pytest.param("gru", 3, OFF_CHIP, marks=pytest.mark.long), ("lstm", 7, OFF_CHIP)],
)
def test_a_step_with_codes_on_its_tape(cell, bits, home):
    step = random_step(Architecture.named("tiny", home), cell, seed=4, hidden=(9,), lengths=(3, 1), code_bits=bits)
    check(step, AmaranthSimulation)


@pytest.mark.parametrize("cell", CELLS)
def test_a_tape_of_codes_moves_fewer_bytes_and_gives_other_gradients(cell):
    of_values, of_codes = (
        random_step(Architecture.named("tiny", OFF_CHIP), cell, seed=4, hidden=(32,), lengths=(4,), code_bits=bits)
        for bits in (None, 3)
    )
    values, codes = cycle.count(of_values.program).remote, cycle.count(of_codes.program).remote
    # 8 chunks of 4 neurons: 8 words become 2 of 5 codes each, 24 of sigmoids and tanhs 6 of 4 codes each, 40 become 10.
    fewer_words = {"rnn": 8 - 2, "gru": 24 - 6, "lstm": 40 - 10}[cell]
    assert values.asked_bytes - codes.asked_bytes == 2 * 4 * fewer_words * 8  # there and back, of four steps
    written = [int(step.program.ops.written_bytes.sum()) for step in (of_values, of_codes)]
    assert written[0] - written[1] == 4 * fewer_words * 8
    assert any(np.any(of_values.matrices[name] != of_codes.matrices[name]) for name in of_codes.matrices)


@pytest.mark.long
def test_a_step_of_two_tiles_with_codes_on_their_tapes():
    tiles = {"tiles.count": 2, "tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 4}
    machine = Architecture.named("tiny", tiles)
    step = random_step(machine, "lstm", seed=4, hidden=(18, 7), lengths=(3, 1), code_bits=3)
    check(step, AmaranthSimulation)


@pytest.mark.long
@pytest.mark.parametrize(("policy", "room"), [("revolve", 230), ("reversible", 400)])
def test_steps_that_run_again_write_their_codes_again(policy, room):
    kept = {"checkpoint.policy": policy, "checkpoint.local_bytes": room, **dict.fromkeys(HOMES, "local")}
    machine = Architecture.named("tiny", kept)
    step = random_step(machine, "gru", seed=4, features=3, hidden=(3,), lengths=(4,), code_bits=3)
    ops = step.program.ops
    assert (ops.is_mode("cell_forward") & (ops.phase == PHASES.index("RF"))).any()
    check(step, AmaranthSimulation)


@pytest.mark.long
def test_deltas_sparse_weights_codes_and_a_column_cache_together():
    cache = {"cache.bytes": 320, "cache.ways": 2, "cache.line_bytes": 32, "dma.buffer_bytes": 128}
    machine = Architecture.named("tiny", dict.fromkeys((*HOMES, "placement.tape"), "remote") | cache)
    check(random_step(machine, "gru", seed=4, hidden=(5,), lengths=(4,), density=0.4, code_bits=3), AmaranthSimulation)


@pytest.mark.long
def test_a_step_with_codes_through_the_buses_of_a_core():
    step = random_step(tiny(TAPE), "gru", seed=3, hidden=(5,), lengths=(2, 1), code_bits=3)
    image = image_of(step)
    with bus_of(core_for(step, image), image, seed=2) as bus:
        driver = driver_on(bus, image)
        train(driver, step)
        check_matrices(driver, step)


MOST = {"features": 9, "hidden": (9, 10), "classes": 5, "lengths": (5, 5, 5)}


@compiled
@pytest.mark.long
@pytest.mark.parametrize(
    ("machine", "home", "cell", "bits"),
    [
        ("tiny", {}, "lstm", 4),
        ("tiny", FAR, "rnn", 3),
        ("tiny", FAR, "gru", 2),
        ("edge", OFF_CHIP | {"cache.bytes": 0}, "lstm", 3),
        ("tiny", OFF_CHIP, "gru", 7),
    ],
)
def test_any_step_with_codes_on_compiled_gates(machine, home, cell, bits):
    architecture = Architecture.named(machine, home)
    tile = large_tile(architecture, cell, "last", MOST, code_bits=bits)

    @settings(max_examples=25)
    @given(steps(architecture, cell, "last", MOST, code_bits=bits))
    def run(step):
        check(step, CompiledSimulation, tile)

    run()
