"""What every cell and the delta streams must satisfy, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.modes import MODES
from deltatrain.workloads.arrays.packing import Array, pack, packing_of, unpack
from deltatrain.workloads.cells import CELLS, _delta
from deltatrain.workloads.network.network import (
    Forward,
    Network,
    Parameters,
    Sizes,
    Step,
    forward,
    from_flat,
    initial_parameters,
    outputs,
    training_step,
)

delta_cells = st.sampled_from([name for name in CELLS.names() if name.startswith("delta")])
cells = st.sampled_from(CELLS.names())
thetas = st.sampled_from([0.0, 0.05, 0.3])
seeds = st.integers(0, 2**32 - 1)
lengths_of_batches = st.lists(st.integers(1, 9), min_size=1, max_size=5).map(np.array)


def _case(
    cell: str, hidden: tuple[int, ...], theta_x: float, theta_h: float, seed: int, lengths: Array
) -> tuple[Network, Parameters, Array]:
    rng = np.random.default_rng(seed)
    sizes = Sizes(CELLS.load(cell), 3, hidden, 4)
    network = Network(sizes, ((theta_x, theta_h),) * len(hidden), "every", 0.1)
    parameters = from_flat(3 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat(), sizes)
    return network, parameters, rng.standard_normal((int(lengths.max()), len(lengths), 3))


def _hats(delta: Array) -> Array:
    """What the stream holds after each step, as the sum of its deltas so far; padded, shape (T, B, W)."""
    hats: Array = np.cumsum(delta, axis=0)
    return hats


def _stream(ran: Forward, layer: int, name: str) -> Array:
    return unpack(getattr(ran.tapes[layer], name), ran.packing)


@pytest.mark.parametrize("name", CELLS.names())
def test_a_cell_declares_what_the_machine_needs_to_know(name: str) -> None:
    cell = CELLS.load(name)
    for targets in (cell.TARGETS_X, cell.TARGETS_H):
        assert len(set(targets)) == len(targets)
        assert set(targets) <= set(cell.ACCUMULATORS)
    assert set(cell.TARGETS_X) | set(cell.TARGETS_H) == set(cell.ACCUMULATORS)
    assert {vector.removesuffix("_before") for vector in cell.TAPE} <= set(cell.VALUES)


@pytest.mark.parametrize("name", CELLS.names())
def test_a_cell_and_its_integer_twin_lay_out_the_same_matrices(name: str) -> None:
    cell = CELLS.load(name)
    twin = CELL_ARITHMETIC.load(cell.ARITHMETIC)
    assert len(cell.ACCUMULATORS) == twin.ACCUMULATORS
    assert tuple(map(cell.ACCUMULATORS.index, cell.TARGETS_X)) == twin.BLOCKS_X
    assert tuple(map(cell.ACCUMULATORS.index, cell.TARGETS_H)) == twin.BLOCKS_H
    assert len(cell.TAPE) == len(twin.TAPE)
    names = dict(zip(cell.TAPE, twin.TAPE, strict=True))
    assert {names[value]: function for value, function in cell.SQUASHED.items()} == twin.SQUASHED
    assert tuple(names[value] for value in cell.SQUARED) == twin.SQUARED
    assert cell.STREAMS.HELD == MODES.load(twin.ENCODER).HELD == twin.KEPT


@pytest.mark.parametrize("name", CELLS.names())
def test_the_tape_is_all_that_the_backward_pass_reads(name: str) -> None:
    cell, rng = CELLS.load(name), np.random.default_rng(0)
    packing = packing_of(np.array([4, 2, 3]))
    before = np.concatenate([np.arange(3), np.arange(3, 6), np.arange(6, 8), np.arange(9, 10)])
    values = rng.uniform(-0.9, 0.9, (len(cell.VALUES), packing.samples + packing.rows, 2))
    spoilt = values.copy()
    for number, vector in enumerate(cell.VALUES):
        if vector not in cell.TAPE and f"{vector}_before" not in cell.TAPE:
            spoilt[number] = np.nan
    factors = cell.backward_factors(spoilt, before, packing)
    np.testing.assert_array_equal(factors, cell.backward_factors(values, before, packing))


@given(cell=delta_cells, theta_x=thetas, theta_h=thetas, seed=seeds, lengths=lengths_of_batches)
def test_the_delta_memory_holds_the_matrix_products_of_what_the_streams_hold(
    cell: str, theta_x: float, theta_h: float, seed: int, lengths: Array
) -> None:
    network, parameters, x = _case(cell, (5, 4), theta_x, theta_h, seed, lengths)
    module = network.sizes.cell
    for steps in range(1, int(lengths.max()) + 1):  # at all times: M after so many steps
        ran = forward(network, parameters, x, np.minimum(lengths, steps))
        for number, layer in enumerate(parameters.layers):
            width = layer.W_h.shape[1]
            wanted = np.tile(layer.bias.reshape(-1, width), (len(lengths), 1, 1))
            for W, name, targets in (
                (layer.W_x, "delta_x", module.TARGETS_X),
                (layer.W_h, "delta_h", module.TARGETS_H),
            ):
                product = _stream(ran, number, name).sum(axis=0) @ W.T
                for block, target in enumerate(targets):
                    rows = slice(block * width, (block + 1) * width)
                    wanted[:, module.ACCUMULATORS.index(target)] += product[:, rows]
            found = ran.tapes[number].M.reshape(wanted.shape)
            np.testing.assert_allclose(found, wanted[ran.packing.order], rtol=1e-10, atol=1e-12)


@given(cell=delta_cells, theta_x=thetas, theta_h=thetas, seed=seeds, lengths=lengths_of_batches)
def test_streams_stay_within_their_threshold_and_only_what_fired_has_a_delta(
    cell: str, theta_x: float, theta_h: float, seed: int, lengths: Array
) -> None:
    network, parameters, x = _case(cell, (5, 4), theta_x, theta_h, seed, lengths)
    ran = forward(network, parameters, x, lengths)
    running = np.arange(len(x))[:, None] < lengths
    values = x
    for layer, tape in enumerate(ran.tapes):
        h = unpack(outputs(network, tape, ran.packing), ran.packing)
        recurrent = bool(CELLS.load(cell).TARGETS_H)
        h_before = np.concatenate([np.zeros_like(h[:1]), h[:-1]]) * recurrent
        for stream, moved, theta in (("x", values, theta_x), ("h", h_before, theta_h)):
            delta, fired = _stream(ran, layer, f"delta_{stream}"), _stream(ran, layer, f"fired_{stream}")
            np.testing.assert_array_equal(delta != 0, fired)
            assert np.all(np.abs(delta[fired]) >= theta)
            assert np.all(np.abs(moved - _hats(delta))[running] < theta + 1e-12)
            assert not fired[~running].any()
        assert not _stream(ran, layer, "fired_h")[0].any()
        values = h


@given(cell=cells, theta_x=thetas, theta_h=thetas, seed=seeds, lengths=lengths_of_batches)
def test_a_sample_alone_and_one_padded_in_a_batch_give_the_same(
    cell: str, theta_x: float, theta_h: float, seed: int, lengths: Array
) -> None:
    network, parameters, x = _case(cell, (5, 4), theta_x, theta_h, seed, lengths)
    for sample, length in enumerate(lengths):
        x[length:, sample] = np.nan  # what lies beyond the end is never looked at
    labels = np.arange(len(lengths)) % 4
    step = training_step(network, parameters, x, lengths, labels)
    alone = [
        training_step(network, parameters, x[:length, [s]], np.array([length]), labels[[s]])
        for s, length in enumerate(lengths)
    ]
    assert step.loss == pytest.approx(np.mean([one.loss for one in alone]), rel=1e-12)
    mean = np.mean([one.gradients.flat() for one in alone], axis=0)
    np.testing.assert_allclose(step.gradients.flat(), mean, rtol=1e-9, atol=1e-12)
    for layer in range(2):
        for name in ("fired_x", "fired_h"):
            together = _stream(step.forward, layer, name)
            for sample, one in enumerate(alone):
                found = together[: lengths[sample], sample]
                np.testing.assert_array_equal(found, _stream(one.forward, layer, name)[:, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_delta_of_exactly_the_threshold_fires_and_one_just_below_does_not(dtype: type) -> None:
    theta = dtype(0.1)
    below = np.nextafter(theta, dtype(0))
    x = np.array([theta, below, -theta, -below], dtype)[:, None, None]
    for value, expected in zip(x, (True, False, True, False), strict=True):
        packing = packing_of(np.array([1]))
        delta, fired = _delta.encode(pack(value[None], packing), float(theta), packing)
        assert fired.item() is expected
        assert delta.item() == (value.item() if expected else 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_zero_delta_never_fires_even_without_threshold(dtype: type) -> None:
    x = np.array([0.0, 0.3, 0.3, 0.3 + 1e-6, 0.0, 0.0], dtype)[:, None, None]
    packing = packing_of(np.array([len(x)]))
    _, fired = _delta.encode(pack(x, packing), 0.0, packing)
    assert fired[:, 0].tolist() == [False, True, False, True, True, False]


@given(
    cell=delta_cells,
    seed=seeds,
    lengths=lengths_of_batches,
    hidden=st.sampled_from([(4,), (5, 3)]),
    silent=st.integers(0, 9),
)
def test_dense_is_the_delta_network_with_thresholds_zero(
    cell: str, seed: int, lengths: Array, hidden: tuple[int, ...], silent: int
) -> None:
    """Also where values repeat exactly: silent steps, in which h without a bias is zero, then inputs on a grid."""
    network, parameters, x = _case(cell, hidden, 0.0, 0.0, seed, lengths)
    if silent:
        x = np.round(x)
        x[:silent] = 0
        for layer in parameters.layers:
            layer.bias[...] = 0
    network = network._replace(beta=0.0)
    labels = np.arange(len(lengths)) % 4
    delta = training_step(network, parameters, x, lengths, labels)
    dense = training_step(network._replace(thresholds=None), parameters, x, lengths, labels)
    assert dense.loss == pytest.approx(delta.loss, rel=1e-12)
    assume(not (cell == "delta_dense" and (_at_the_kink(delta) or _at_the_kink(dense))))
    np.testing.assert_allclose(dense.gradients.flat(), delta.gradients.flat(), rtol=1e-9, atol=1e-12)


def _at_the_kink(step: Step) -> bool:
    """Tell whether a neuron is above zero by rounding alone: M sums up in another order than the dense network's."""
    return any(bool(((tape.values > 0) & (tape.values < 1e-9)).any()) for tape in step.forward.tapes)


@given(lengths=lengths_of_batches, seed=seeds)
def test_packing_and_unpacking_lose_nothing(lengths: Array, seed: int) -> None:
    padded = np.random.default_rng(seed).standard_normal((int(lengths.max()), len(lengths), 2))
    padded[np.arange(len(padded))[:, None] >= lengths] = 0
    packing = packing_of(lengths)
    rows = pack(padded, packing)
    assert rows.shape == (lengths.sum(), 2)
    np.testing.assert_array_equal(unpack(rows, packing), padded)
