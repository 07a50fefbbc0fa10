"""Few-bit backward: codes, their packing, and training whose tape holds nothing else of sigmoids and tanhs."""

from __future__ import annotations

import numpy as np
import pytest
from checkpoint_cases import CELL_NAMES, network_case
from float_replay import FloatReplay
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.value_code import value_code
from deltatrain.workloads.arrays.few_bit import approximated, keep, neuron_bits, pack, unpack, value_codes
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.network.network import training_step
from deltatrain.workloads.training.training import train
from deltatrain.workloads.workload import Workload

functions = st.sampled_from(["sigmoid", "tanh"])
bits_of_codes = st.integers(1, 7)


def _derivative(function: str, y: np.ndarray) -> np.ndarray:
    return y * (1 - y) if function == "sigmoid" else 1 - y * y


@given(bits=st.integers(1, 8), shape=st.tuples(st.integers(1, 5), st.integers(1, 40)), seed=st.integers(0, 2**32 - 1))
def test_packing_and_unpacking_lose_nothing_and_waste_less_than_a_byte(
    bits: int, shape: tuple[int, int], seed: int
) -> None:
    codes = np.random.default_rng(seed).integers(0, 2**bits, shape, dtype=np.uint8)
    packed = pack(codes, bits)
    assert packed.nbytes == -(-codes.size * bits // 8)
    np.testing.assert_array_equal(unpack(packed, bits, shape), codes)


def test_codes_are_packed_little_endian() -> None:
    assert pack(np.array([0b101, 0b011, 0b110], np.uint8), 3).tolist() == [0b10_011_101, 0b1]


@given(function=functions, bits=bits_of_codes, sided=st.booleans(), x=st.lists(st.floats(-30, 30), min_size=1))
def test_a_value_comes_back_on_its_side_with_the_level_of_its_piece(
    function: str, bits: int, sided: bool, x: list[float]
) -> None:
    code = value_code(function, bits, sided)
    y = np.tanh(np.array(x)) if function == "tanh" else 1 / (1 + np.exp(-np.array(x)))
    codes = code.encode(y)
    assert codes.dtype == np.uint8
    assert codes.max() < 2**code.bits == len(code.decoded)
    back = code.decode(codes, np.dtype(np.float64))
    if sided:
        assert np.all((back < code.centre) == (y < code.centre))
    np.testing.assert_array_equal(code.encode(back), codes)  # what stands for a piece lies in it
    far, near = (_derivative(function, v) for v in (y, back))
    steepest = _derivative(function, np.array(code.centre))
    assert np.all(np.abs(far - near) <= 0.65 * steepest / 2 ** (bits - 1))


@pytest.mark.parametrize("function", ["sigmoid", "tanh"])
@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_the_derivative_is_the_mean_over_the_piece(function: str, bits: int) -> None:
    code = value_code(function, bits, False)
    x = (np.arange(200_000) + 0.5) / 20_000  # 0 to 10
    y = np.tanh(x) if function == "tanh" else 1 / (1 + np.exp(-x))
    codes, exact = code.encode(y), _derivative(function, y)
    levels = _derivative(function, code.decoded)
    for piece in range(2**bits):
        assert exact[codes == piece].mean() == pytest.approx(levels[piece], abs=5e-5)  # the sum's own error
    exact_borders = {  # computed by another program
        ("sigmoid", 2): [1.1301699, 2.0216959, 3.2905204],
        ("tanh", 2): [0.5741908, 1.0326376, 1.7065348],
        ("sigmoid", 3): [0.7006698, 1.1463844, 1.5659869, 2.0122134, 2.5350637, 3.2262065, 4.3696832],
        ("tanh", 3): [0.3536, 0.579, 0.792, 1.0196, 1.2885, 1.6496, 2.2715],
    }.get((function, bits))
    if exact_borders:
        places = x[np.flatnonzero(np.diff(codes))]
        np.testing.assert_allclose(places, exact_borders, atol=1.1e-4)


@pytest.mark.parametrize("name", CELLS.names())
def test_only_what_the_tape_keeps_of_a_step_is_coded(name: str) -> None:
    cell = CELLS.load(name)
    codes = value_codes(cell, 2)
    assert set(codes) <= set(cell.TAPE)
    assert neuron_bits(cell, None, 16) == 16 * len(cell.TAPE)
    kept_bits = sum(code.bits for code in codes.values())
    assert neuron_bits(cell, 2, 16) == kept_bits + 16 * (len(cell.TAPE) - len(codes))
    values = np.random.default_rng(0).uniform(0.01, 0.99, (len(cell.VALUES), 8, 5))
    back = approximated(cell, values, 2)
    for number, value in enumerate(cell.VALUES):
        assert np.array_equal(back[number], values[number]) == (value not in codes)
    assert approximated(cell, values, None) is values
    tape = dict.fromkeys(cell.TAPE, values[0])
    kept = keep(tape, codes)
    assert 8 * kept.nbytes == 40 * neuron_bits(cell, 2, 64)
    for value, array in kept.read(codes, np.dtype(np.float64)).items():
        wanted = codes[value].decode(codes[value].encode(values[0]), array.dtype) if value in codes else values[0]
        np.testing.assert_array_equal(array, wanted)


@given(cell=st.sampled_from(CELL_NAMES), bits=bits_of_codes, seed=st.integers(0, 100))
@settings(max_examples=15)
def test_a_tape_of_packed_codes_gives_the_same_gradients(cell: str, bits: int, seed: int) -> None:
    """Step by step from packed bits, against all steps at once from approximated values."""
    network, *rest = network_case(cell, 6, seed)
    network = network._replace(few_bit=bits)
    whole = training_step(network, *rest)
    replay = FloatReplay(network, *rest)
    state, tapes = replay.first_state(), []
    for t in range(replay.steps):
        state, tape = replay.forward(t, state)
        tapes.append(tape)
    for t in reversed(range(replay.steps)):
        replay.reverse(t, tapes[t])
    np.testing.assert_allclose(replay.gradients().flat(), whole.gradients.flat(), rtol=1e-4, atol=1e-6)
    for tape in tapes:
        for layer in tape.layers:
            at_least = np.prod(layer.values.shape) * neuron_bits(network.sizes.cell, bits, 32) / 8
            assert at_least <= layer.values.nbytes < at_least + len(network.sizes.cell.TAPE)


@pytest.mark.parametrize(
    "cell", [name for name in CELL_NAMES if value_codes(network_case(name, 7, 3)[0].sizes.cell, 1)]
)
def test_the_forward_pass_is_exact_and_gradients_close_in_with_the_bits(cell: str) -> None:
    network, *rest = network_case(cell, 7, 3)
    exact = training_step(network, *rest)
    found = [training_step(network._replace(few_bit=bits), *rest) for bits in (1, 2, 3, 4, 7)]
    assert all(step.loss == exact.loss for step in found)
    wanted = exact.gradients.flat()
    errors = [np.linalg.norm(step.gradients.flat() - wanted) / np.linalg.norm(wanted) for step in found]
    assert errors[0] > errors[1] > errors[3] > errors[4] > 0
    assert errors[3] < 0.15


@pytest.mark.parametrize("bits", [1, 3])
def test_training_learns_nearly_as_well(drift_workload: Workload, drifts: Recordings, bits: int) -> None:
    exact = train(drift_workload, drifts)
    coded = train(drift_workload.with_changes(few_bit__bits=bits), drifts)
    assert coded.epochs[-1].loss != exact.epochs[-1].loss
    assert coded.epochs[-1].loss < (2 if bits == 1 else 1.15) * exact.epochs[-1].loss
    assert coded.evaluation.accuracy > exact.evaluation.accuracy - 0.15


def test_bits_out_of_range_are_refused_in_one_line(drift_workload: Workload) -> None:
    with pytest.raises(ConfigError, match=r"few_bit\.bits must be at most 7, not 8"):
        drift_workload.with_changes(few_bit__bits=8)
