"""The gates of several arrays against the golden model and the law: whole training steps, every number and cycle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gate_steps import CELLS, check, compiled, large_tile, steps
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel import shares
from deltatrain.accel.architecture import Architecture
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.random_step import random_step
from deltatrain.workloads.training.integer_optimiser import IntegerOptimiser

LONG = pytest.mark.long
MATRICES = {"placement.weights": "remote", "placement.gradients": "remote"}
OFF_CHIP = MATRICES | {"placement.tape": "remote"}
MOST = {"features": 9, "hidden": (9, 10), "classes": 5, "lengths": (4, 3)}


def _tiny(arrays: int, **changes: object) -> Architecture:
    return Architecture.named("tiny", {"engine.arrays": arrays} | changes)


@given(st.integers(1, 4), st.integers(1, 9), st.sampled_from([1, 2, 4, 8]))
def test_a_matrix_is_shared_out_by_columns_and_put_together_again(rows: int, columns: int, arrays: int) -> None:
    matrix = np.arange(rows * columns).reshape(rows, columns)
    own = shares.of_arrays(matrix, arrays)
    for column in range(columns):
        np.testing.assert_array_equal(own[column % arrays][:, column // arrays], matrix[:, column])
    np.testing.assert_array_equal(shares.whole_arrays(own, columns), matrix)


_CHOSEN = {("gru", 4), ("lstm", 2), ("rnn", 4)}
"""Cells and arrays of the default run; the other ones are long."""


@pytest.mark.parametrize(
    ("cell", "arrays"),
    [
        pytest.param(cell, arrays, marks=() if (cell, arrays) in _CHOSEN else pytest.mark.long)
        for cell in CELLS
        for arrays in (2, 3, 4)
    ],
)
def test_a_step_of_two_layers(cell: str, arrays: int) -> None:
    check(random_step(_tiny(arrays), cell, seed=arrays, hidden=(5, 4), lengths=(2, 2)), AmaranthSimulation)


@pytest.mark.parametrize(
    ("arrays", "threshold", "homes"), [(3, 0, OFF_CHIP), (4, 100, {}), pytest.param(4, 1 << 20, OFF_CHIP, marks=LONG)]
)
def test_where_all_fire_few_or_none(arrays: int, threshold: int, homes: dict[str, str]) -> None:
    machine, thresholds = _tiny(arrays, **homes), (threshold, threshold)
    step = random_step(machine, "rnn", seed=3, hidden=(3,), lengths=(3,), thresholds=thresholds)
    if homes:  # with a velocity
        step = replace(step, network=step.network._replace(optimiser=IntegerOptimiser("update_momentum", 16384)))
    check(step, AmaranthSimulation)


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "cell", "hidden"),
    [
        pytest.param({"dma.buffer_bytes": 96, "dma.bytes_per_cycle": 16}, "rnn", (10,), id="columns in pieces"),
        pytest.param({"placement.weights": "local", "dma.bytes_per_cycle": 64}, "gru", (4, 3), id="dW alone"),
        pytest.param({"placement.gradients": "local", "dma.bytes_per_cycle": 4}, "lstm", (3,), id="W alone"),
        pytest.param({"engine.arrays": 4, "placement.tape": "remote", "dma.in_flight": 3}, "lstm", (5,), id="a tape"),
        pytest.param({"engine.arrays": 6, "dma.buffer_bytes": 512}, "gru", (9,), id="more arrays than lanes"),
        pytest.param({"dma.columns_in_flight": 2, "dma.bytes_per_cycle": 20}, "gru", (5,), id="two under way"),
    ],
)
def test_columns_off_chip(changes: dict[str, Any], cell: str, hidden: tuple[int, ...]) -> None:
    """Segments shorter than columns, ports of any width, one kind of matrix alone."""
    machine = _tiny(2, **MATRICES | {"remote.channels": 2} | changes)
    check(random_step(machine, cell, seed=5, hidden=hidden, lengths=(3, 2), thresholds=(0, 8)), AmaranthSimulation)


@compiled
@pytest.mark.parametrize(
    ("arrays", "cell", "readout", "task", "homes"),
    [
        pytest.param(2, "lstm", "every", "labelling", OFF_CHIP, marks=LONG),
        pytest.param(4, "gru", "every", "labelling", OFF_CHIP, marks=LONG),
        pytest.param(3, "gru", "last", "classification", {}, marks=LONG),
        pytest.param(5, "lstm", "last", "regression", MATRICES, marks=LONG),
        pytest.param(2, "rnn", "last", "classification", MATRICES | {"dma.bytes_per_cycle": 40}, marks=LONG),
        (4, "gru", "last", "regression", {}),
    ],
)
def test_any_step_on_compiled_gates(arrays: int, cell: str, readout: str, task: str, homes: dict[str, Any]) -> None:
    machine = _tiny(arrays, **homes)
    tile = large_tile(machine, cell, readout, MOST, task)

    @settings(max_examples=15)
    @given(steps(machine, cell, readout, MOST, task))
    def run(step: Any) -> None:
        check(step, CompiledSimulation, tile)

    run()
