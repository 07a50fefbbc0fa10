"""Compiled steps against the cells' own statements in NumPy: the same bits, in whole networks."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import CELLS, _delta, _steps
from deltatrain.workloads.network.network import Network, Sizes, Step, initial_parameters, training_step


def _learned(steps_in_numpy: int, network: Network, lengths: Array, seed: int, dtype: type) -> Step:
    rng = np.random.default_rng(seed)
    parameters = initial_parameters(network.sizes, rng, np.dtype(dtype))
    x = rng.standard_normal((int(lengths.max()), len(lengths), network.sizes.features)).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_steps, "STEPS_IN_NUMPY", steps_in_numpy)
        return training_step(network, parameters, x, lengths, np.arange(len(lengths)) % network.sizes.classes)


@given(
    cell=st.sampled_from(CELLS.names()),
    theta=st.sampled_from([None, 0.0, 0.05, 0.3]),
    beta=st.sampled_from([0.0, 0.1]),
    few_bit=st.sampled_from([None, 2]),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5).map(np.array),
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from([np.float64, np.float32]),
)
@settings(deadline=None)  # the first example compiles
def test_compiled_steps_give_the_bits_of_numpy(
    cell: str, theta: float | None, beta: float, few_bit: int | None, lengths: Array, seed: int, dtype: type
) -> None:
    sizes = Sizes(CELLS.load(cell), 3, (19, 4), 4)
    thresholds = None if theta is None else ((theta, theta),) * 2
    network = Network(sizes, thresholds, "every", beta, few_bit if cell in ("delta_lstm", "delta_gru") else None)
    stated, compiled = (_learned(steps, network, lengths, seed, dtype) for steps in (10**9, -1))
    assert compiled.loss == stated.loss
    for one, other in zip(compiled.gradients.arrays(), stated.gradients.arrays(), strict=True):
        np.testing.assert_array_equal(one, other)
    for tape, other_tape in zip(compiled.forward.tapes, stated.forward.tapes, strict=True):
        for field, array in tape._asdict().items():
            np.testing.assert_array_equal(array, getattr(other_tape, field), err_msg=field)


@pytest.mark.parametrize("name", ["delta_lstm", "delta_gru"])
def test_gated_cells_have_a_compiled_form(name: str) -> None:
    stated, compiled = _steps._in_numpy(CELLS.load(name)), _steps._compiled(CELLS.load(name))
    assert stated.streams is _delta
    assert all(one is not other for one, other in zip(stated, compiled, strict=True))


def test_a_process_that_computes_few_steps_does_not_load_numba() -> None:
    code = (
        "import sys\n"
        "from deltatrain.workloads.cells import CELLS, _steps\n"
        "for count in (_steps.STEPS_IN_NUMPY, 1):\n"
        "    _steps.steps_of(CELLS.load('delta_lstm'), count)\n"
        "    print('numba' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
