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
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.gates.amaranth_simulation import AmaranthSimulation
from deltatrain.sim.gates.compiled.simulation import CompiledSimulation
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import StepOnGates
from deltatrain.workloads.training.integer_optimiser import IntegerOptimiser

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
        for arrays in (2, 4)
    ],
)
def test_a_step_of_two_layers(cell: str, arrays: int) -> None:
    check(random_step(_tiny(arrays), cell, seed=arrays, hidden=(5, 4), lengths=(2, 2)), AmaranthSimulation)


@pytest.mark.parametrize(("arrays", "threshold"), [(2, 0), (4, 100), (4, 1 << 20)])
def test_where_all_fire_few_or_none(arrays: int, threshold: int) -> None:
    step = random_step(_tiny(arrays), "rnn", seed=3, hidden=(3,), lengths=(3,), thresholds=(threshold, threshold))
    check(step, AmaranthSimulation)


def test_arrays_that_would_keep_a_velocity_are_not_drawn() -> None:
    plain = random_step(_tiny(2), "rnn", seed=1)
    step = replace(plain, network=plain.network._replace(optimiser=IntegerOptimiser("update_momentum", 16384)))
    with pytest.raises(ConfigError, match=r"keep no velocity: .* engine\.arrays must be 1, not 2"):
        StepOnGates(step)


@compiled
@pytest.mark.parametrize(
    ("arrays", "cell", "readout", "task"),
    [
        pytest.param(2, "lstm", "every", "labelling", marks=pytest.mark.long),
        (4, "gru", "last", "regression"),
    ],
)
def test_any_step_on_compiled_gates(arrays: int, cell: str, readout: str, task: str) -> None:
    machine = _tiny(arrays)
    tile = large_tile(machine, cell, readout, MOST, task)

    @settings(max_examples=15)
    @given(steps(machine, cell, readout, MOST, task))
    def run(step: Any) -> None:
        check(step, CompiledSimulation, tile)

    run()
