"""Checkpoint policies on gates against the golden model and the law: every number and every cycle."""

from __future__ import annotations

import numpy as np
import pytest
from components import unelaborated
from gate_steps import CELLS, check
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduled_steps import scheduled

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError, FitError
from deltatrain.accel.program import PHASES, UNITS
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.places import Places
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import StepOnGates
from deltatrain.workloads.lowering.checkpoint import mixed

POLICIES = ("segment", "revolve", "reversible", "segment_dram", "double", "hrevolve", "disk_revolve")
LOCAL = {"placement.weights": "local", "placement.gradients": "local"}
REMOTE = {"placement.weights": "remote", "placement.gradients": "remote"}

WIRES = {"tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 1}
TWO_LANES = dict.fromkeys(("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes"), 2)


def under(policy, room, cell, changes=LOCAL, **sizes):
    """Return a random step under a checkpoint policy that may keep `room` bytes."""
    wanted = {"checkpoint.policy": policy, "checkpoint.local_bytes": room}
    return random_step(Architecture.named("tiny", changes | wanted), cell, **{"seed": 4, "features": 3} | sizes)


def ops(program, mode, phase):
    return int((program.ops.is_mode(mode) & (program.ops.phase == PHASES.index(phase))).sum())


@pytest.mark.parametrize(
    ("policy", "room", "cell", "sizes"),
    [
        ("revolve", 150, "rnn", {"hidden": (3,), "lengths": (5, 2)}),
        pytest.param(
            "revolve", 260, "gru", {"hidden": (3,), "lengths": (4,), "readout": "every"}, marks=pytest.mark.long
        ),
        ("revolve", 380, "lstm", {"hidden": (2, 3), "lengths": (4,)}),
    ],
)
def test_steps_that_run_again_from_kept_states(policy, room, cell, sizes):
    step = under(policy, room, cell, **sizes)
    assert ops(step.program, "cell_forward", "RF") and ops(step.program, "copy", "RF")
    check(step, AmaranthSimulation)


@pytest.mark.parametrize(
    ("policy", "room", "cell", "changes"),
    [
        ("segment_dram", 300, "lstm", {}),
        ("hrevolve", 260, "rnn", {"dma.in_flight": 2, "dma.bytes_per_cycle": 5, "checkpoint.overlap": False}),
    ],
)
def test_states_to_dram_and_back(policy, room, cell, changes):
    width = 3 if cell == "lstm" else 5
    step = under(policy, room, cell, LOCAL | changes, hidden=(width,), lengths=(7,))
    assert step.program.ops.is_mode("store").any() and ops(step.program, "copy", "RF")
    check(step, AmaranthSimulation)


def test_tapes_and_states_to_dram_and_back_while_steps_run_again():
    step = under("optimal", 400, "rnn", hidden=(5,), lengths=(7,))
    scheduled(step, mixed.Pattern(inner=1, length=2, block=1, share=0.5), spread=True)
    assert {"brought", "loaded"} <= Places(step.program).counts.keys() and ops(step.program, "cell_forward", "RF")
    check(step, AmaranthSimulation)


@pytest.mark.long
@pytest.mark.parametrize(
    ("cell", "sizes", "changes", "pattern", "code_bits"),
    [
        ("gru", {"hidden": (4,), "lengths": (7, 3)}, {}, mixed.Pattern(1, 2, 2, 0.5), None),
        ("lstm", {"hidden": (3, 2), "lengths": (6,)}, {}, mixed.Pattern(1, 1, 1, 0.5), 3),
        (
            *("rnn", {"hidden": (5,), "lengths": (7,)}, {"dma.in_flight": 3, "dma.bytes_per_cycle": 5}),
            *(mixed.Pattern(1, 1, 2, 0.4), None),
        ),
        ("lstm", {"hidden": (3,), "lengths": (7,), "readout": "every"}, REMOTE, mixed.Pattern(2, 1, 1, 0.5), None),
    ],
)
def test_tapes_and_states_of_other_machines(cell, sizes, changes, pattern, code_bits):
    step = under("optimal", 500, cell, LOCAL | changes, code_bits=code_bits, **sizes)
    scheduled(step, pattern, spread=not changes)
    assert {"brought", "loaded"} <= Places(step.program).counts.keys()
    check(step, AmaranthSimulation)


@pytest.mark.long
@pytest.mark.parametrize(("cell", "room"), [("rnn", 140), ("lstm", 180)])
def test_what_the_policy_optimal_chooses_runs_on_gates(cell, room):
    step = under("optimal", room, cell, hidden=(4,), lengths=(5,))
    assert "brought" in Places(step.program).counts
    check(step, AmaranthSimulation)


def test_a_layer_so_wide_that_its_list_begins_before_its_last_word_is_read():
    step = under("segment", 300, "rnn", LOCAL | TWO_LANES, features=2, hidden=(24,), lengths=(3,))
    assert ops(step.program, "cell_forward", "RF")
    check(step, AmaranthSimulation)


def test_steps_that_are_undone():
    step = under("reversible", 330, "lstm", hidden=(2,), lengths=(3,))
    assert ops(step.program, "cell_forward", "RF") == 3 and not ops(step.program, "encode", "RF")
    check(step, AmaranthSimulation)


@pytest.mark.parametrize("changes", [{"dma.bytes_per_cycle": 16}, TWO_LANES])
def test_what_only_moves_off_chip_is_not_asked_of_states_that_stay(changes):
    step = under("disk_revolve", 2_000, "rnn", LOCAL | changes, hidden=(3,), lengths=(5,))
    assert not step.program.ops.is_mode("store").any()
    with unelaborated():
        StepOnGates(step)


@given(st.data())
@settings(max_examples=15)
def test_nothing_is_overwritten_that_may_still_be_read(data):
    """Whatever order ops run in, as long as each waits for what it depends on and units take theirs in order."""
    cell, policy = data.draw(st.sampled_from(CELLS)), data.draw(st.sampled_from(["segment", "revolve", "mixed"]))
    sizes = {
        "lengths": (data.draw(st.integers(2, 9)), 3),
        "hidden": (3, 2),
        "readout": data.draw(st.sampled_from(["last", "every"])),
    }
    room = data.draw(st.integers(150, 900))
    try:
        if policy == "mixed":
            step = under("optimal", room, cell, **sizes)
            of = (st.integers(1, 2), st.integers(1, 3), st.integers(1, 2), st.sampled_from([0.3, 0.7, 1.0]))
            program = scheduled(step, mixed.Pattern(*map(data.draw, of)), spread=data.draw(st.booleans())).program
        else:
            tiles = {"tiles.count": data.draw(st.integers(1, 3))} | WIRES
            program = under(policy, room, cell, LOCAL | tiles, **sizes).program
    except FitError:
        return
    begins, ends = drawn_times(program, np.random.default_rng(data.draw(st.integers(0, 99))))
    places = Places(program)
    for kind, of_layer in places.kept.items():
        for layer, kept in of_layer.items():
            last = {}
            for one in sorted(kept, key=lambda one: begins[one.writer]):
                assert begins[one.writer] >= last.get(one.place, 0), (kind, layer)
                last[one.place] = max(ends[row] for row in (one.writer, *one.readers))
            assert len(last) == places.counts[kind][layer]


def drawn_times(program, rng):
    """Return when each op begins and ends, if units take random times and nothing but the program holds them back."""
    begins, ends = (np.zeros(len(program.ops), dtype=np.int64) for _ in range(2))
    free, done = np.zeros((2, len(UNITS)), dtype=np.int64)
    slow = rng.integers(1, 60, len(UNITS))
    for row, unit in enumerate(program.unit):
        waits = [ends[one] for one in program.ops.depends[row] if one >= 0]
        begins[row] = max([free[unit], *waits])
        free[unit] = begins[row] + rng.integers(1, slow[unit] + 1)
        drain = (
            0 if UNITS[unit] == "elementwise" else rng.integers(0, slow[unit] + 1)
        )  # its reads and writes keep order
        ends[row] = done[unit] = max(done[unit], free[unit] + drain)
    return begins, ends


def test_a_policy_keeps_no_more_states_and_tapes_than_the_program_counts():
    step = under("revolve", 330, "rnn", hidden=(3,), lengths=(9,))
    counts, kept = Places(step.program).counts, step.program.local_bytes
    state_bytes, tape_bytes = 44, 40  # of one layer of three neurons and three inputs, four lanes
    assert counts["kept"][0] == kept["checkpoints"] // state_bytes > 1
    assert counts["tape"][0] == kept["tape"] // tape_bytes == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine.arrays": 2}, "engine.arrays must be 1, not 2"),
        (
            {"checkpoint.policy": "segment_dram", "checkpoint.local_bytes": 80},
            "an even number of words of M, .* not .1.",
        ),
    ],
)
def test_what_gates_cannot_run_again_is_refused_by_name(changes, message):
    machine = Architecture.named("tiny", LOCAL | {"checkpoint.policy": "segment"} | changes)
    step = random_step(machine, "rnn", seed=1, hidden=(3,), lengths=(6,))
    with unelaborated(), pytest.raises(ConfigError, match=message):
        StepOnGates(step)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_random_programs_under_stalls(seed):
    """Policies, cells, sizes, homes of matrices, codes, blocking or not, as drawn; a far memory stalls at random."""
    rng = np.random.default_rng(seed)
    cell, policy = CELLS[seed % 3], POLICIES[rng.integers(len(POLICIES))]
    sizes = {
        "hidden": tuple(rng.integers(1, 7, rng.integers(1, 3)).tolist()),
        "features": int(rng.integers(1, 7)),
        "lengths": tuple(rng.integers(1, 7, 2).tolist()),
        "readout": ["last", "every"][rng.integers(2)],
        "thresholds": tuple(rng.choice([0, 8, 100], 2).tolist()),
        "scale": float(rng.choice([0.02, 0.5, 1.0])),
        "code_bits": None if rng.random() < 0.5 else 3,
        "seed": seed,
    }
    homes = [LOCAL, REMOTE | {"remote.device": "ddr3_1600", "checkpoint.overlap": bool(rng.random() < 0.5)}]
    changes = homes[rng.integers(2)]
    for room in range(int(rng.integers(60, 400)), 4000, 60):
        try:
            step = under(policy, room, cell, changes, **sizes)
            tile = StepOnGates(step).tile
        except FitError:
            continue
        except ConfigError as error:  # some states are no whole words
            assert "an even number of words of M" in str(error) or "every gate begins with a word" in str(error)
        else:
            check(step, AmaranthSimulation, tile)
            return
    pytest.skip("no room that is drawn gives states of whole words")
