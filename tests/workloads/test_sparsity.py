"""Sparse weights: exact counts, what moves and how it is shared out, and training that never touches the others."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.lowering.sparse_columns import (
    compressed_words,
    lane_weights,
    matrix_bytes,
    word_bytes,
)
from deltatrain.workloads.network.network import Sizes, from_flat, shapes
from deltatrain.workloads.optimisers import OPTIMISERS
from deltatrain.workloads.sparsity import SPARSITY, balanced, selfish, selfish_gates
from deltatrain.workloads.sparsity._matrix import Matrix
from deltatrain.workloads.sparsity._pruning import pruned
from deltatrain.workloads.tables import Sparsity
from deltatrain.workloads.training import learning_state
from deltatrain.workloads.training.operations import matrix_macs
from deltatrain.workloads.training.training import Progress, Trained, train
from deltatrain.workloads.weight_masks import LAST_RATE, counts, first_mask, next_mask, pruning_rate
from deltatrain.workloads.workload import Workload

THIN = [name for name in SPARSITY.names() if name != "dense"]
seeds = st.integers(0, 2**32 - 1)
densities = st.floats(0.02, 0.98)
networks = st.builds(
    lambda cell, features, hidden, classes: Sizes(CELLS.load(cell), features, hidden, classes),
    st.sampled_from(CELLS.names()),
    st.integers(1, 9),
    st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    st.integers(1, 6),
)


class _InterruptionError(Exception):
    pass


@given(sizes=networks, density=densities, seed=seeds, rule=st.sampled_from(THIN))
@settings(max_examples=60)
def test_every_matrix_has_exactly_its_count_and_biases_are_whole(
    sizes: Sizes, density: float, seed: int, rule: str
) -> None:
    thin = Sparsity(rule=rule, density=density)
    masks = from_flat(first_mask(sizes, thin, np.random.default_rng(seed)), sizes).arrays()
    for mask, count in zip(masks, counts(sizes, thin), strict=True):
        assert mask.sum() == count
        assert count == (mask.size if mask.ndim == 1 else round(density * mask.size))


@given(sizes=networks, density=densities)
@settings(max_examples=100)
def test_erdos_renyi_keeps_the_total_and_gives_by_rows_and_columns(sizes: Sizes, density: float) -> None:
    kept = counts(sizes, Sparsity(rule="static", density=density, distribution="erdos_renyi"))
    matrices = [(shape, n) for shape, n in zip(shapes(sizes), kept, strict=True) if len(shape) == 2]
    whole = sum(math.prod(shape) for shape, _ in matrices)
    assert sum(n for _, n in matrices) == round(density * whole)
    assert all(0 <= n <= math.prod(shape) for shape, n in matrices)
    open_ones = [(n, sum(shape)) for shape, n in matrices if n < math.prod(shape)]
    for n, edges in open_ones:  # the same number of weights for each row and column, to rounding
        for other, others in open_ones:
            assert abs(n - other * edges / others) <= 1 + edges / others


@given(
    rule=st.sampled_from(SPARSITY.names()),
    blocks=st.integers(1, 4),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 8)),
    share=st.floats(0, 1),
    rate=st.floats(0, 1),
    seed=seeds,
)
@settings(max_examples=200)
def test_a_move_keeps_the_count_and_takes_the_smallest_away(
    rule: str, blocks: int, shape: tuple[int, int], share: float, rate: float, seed: int
) -> None:
    rng, member = np.random.default_rng(seed), SPARSITY.load(rule)
    matrix = Matrix(blocks * shape[0], shape[1], blocks, lanes=3)
    mask = member.first(matrix, matrix.size if rule == "dense" else round(share * matrix.size), rng)
    weights = rng.standard_normal(matrix.shape) * mask
    before = mask.copy()
    moved = member.moved(matrix, weights, mask, rng.standard_normal(matrix.shape), rate, rng)
    np.testing.assert_array_equal(mask, before)  # nothing in place
    assert moved.shape == matrix.shape
    assert moved.sum() == mask.sum()
    gone = mask & ~moved
    if rule in ("dense", "static"):
        assert not gone.any()
    left = pruned(weights, mask, rate)
    assert np.all(left <= mask)
    assert rule == "set" or np.all(gone <= ~left)  # what goes was pruned; "set" prunes otherwise and has its own test
    if left.any() and (mask & ~left).any():
        assert np.abs(weights[mask & ~left]).max() <= np.abs(weights[left]).min()
    sparsity = 1 - mask.mean()
    expected = math.ceil((min(rate, sparsity) if sparsity < 0.2 else rate) * mask.sum())
    assert (mask & ~left).sum() == expected


@given(total=st.integers(0, 40), room=st.lists(st.integers(0, 20), min_size=1, max_size=5), seed=seeds)
def test_shares_are_as_even_as_the_room_allows(total: int, room: list[int], seed: int) -> None:
    total = min(total, sum(room))
    given_ = selfish_gates.shares(total, np.array(room), np.random.default_rng(seed))
    assert given_.sum() == total
    assert np.all(given_ <= room)
    most = given_.max(initial=0)
    assert all(most - n <= 1 for n, places in zip(given_, room, strict=True) if n < places)


@given(
    blocks=st.integers(1, 4),
    width=st.integers(1, 20),
    columns=st.integers(1, 9),
    lanes=st.integers(1, 8),
    share=st.floats(0, 1),
    rate=st.floats(0, 1),
    seed=seeds,
)
@settings(max_examples=100)
def test_balanced_lanes_differ_by_at_most_one_weight_a_column(
    blocks: int, width: int, columns: int, lanes: int, share: float, rate: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    matrix = Matrix(blocks * width, columns, blocks, lanes)
    mask = balanced.first(matrix, round(share * matrix.size), rng)
    room = lane_weights(np.ones(matrix.shape, np.bool_), lanes)
    for _ in range(3):
        of_lanes = lane_weights(mask, lanes)
        assert of_lanes.sum() == round(share * matrix.size)
        assert np.ptp(of_lanes.sum(axis=0)) <= 1
        for column, places in zip(of_lanes.T, room.T, strict=True):
            open_lanes = column[column < places]
            assert not len(open_lanes) or column.max() - open_lanes.min() <= 1
        mask = balanced.moved(matrix, rng.standard_normal(matrix.shape) * mask, mask, mask, rate, rng)


@given(
    blocks=st.integers(1, 4), width=st.integers(1, 20), columns=st.integers(1, 5), lanes=st.integers(1, 8), seed=seeds
)
def test_compressed_columns_are_as_long_as_their_longest_lane(
    blocks: int, width: int, columns: int, lanes: int, seed: int
) -> None:
    """Against putting each weight into its lane's queue, one by one; a number is of a word, or of none."""
    rng = np.random.default_rng(seed)
    mask = rng.random((blocks * width, columns)) < rng.random()
    words, whole = compressed_words(mask, lanes), math.ceil(blocks * width / lanes)
    for column in range(columns):
        queues: list[list[int]] = [[] for _ in range(lanes)]
        for row in np.flatnonzero(mask[:, column]):
            queues[int(row) % lanes].append(int(row) // lanes)
        assert words[column] == max(1, *map(len, queues))  # an entry of a list always takes a cycle
        assert max((n for queue in queues for n in queue), default=0) < whole
    assert np.all(words <= whole)
    one_word = word_bytes(mask, lanes, 16)
    assert 8 * one_word - 8 < lanes * (16 + math.ceil(math.log2(whole + 1))) <= 8 * one_word
    assert matrix_bytes(mask, lanes, 16) == words.sum() * one_word + 4 * (columns + 1)


def test_gates_with_larger_weights_gain_under_equal_regrowth() -> None:
    """The cell gate redistribution: gate 0 has ten times the weights, so the others lose and all get the same."""
    rng = np.random.default_rng(0)
    matrix = Matrix(4 * 50, 40, blocks=4, lanes=8)
    mask = selfish_gates.first(matrix, 4000, rng)
    weights = rng.standard_normal(mask.shape) * np.repeat([10.0, 1.0, 1.0, 1.0], 50)[:, None] * mask
    moved = selfish_gates.moved(matrix, weights, mask, weights, 0.3, rng)
    before, after = (m.reshape(4, -1).sum(axis=1) for m in (mask, moved))
    lost = before - pruned(weights, mask, 0.3).reshape(4, -1).sum(axis=1)
    np.testing.assert_array_equal(after, before - lost + 300)  # 1,200 pruned, 300 grown in each
    assert after[0] > before[0] + 200


def test_uniform_regrowth_is_uniform_over_the_empty_places() -> None:
    rng = np.random.default_rng(1)
    matrix = Matrix(60, 100, blocks=4, lanes=8)
    mask = selfish.first(matrix, 3000, rng)
    weights = rng.standard_normal(mask.shape) * mask
    left = pruned(weights, mask, 0.5)
    grown = np.zeros(mask.shape)
    for _ in range(300):
        grown += selfish.moved(matrix, weights, mask, weights, 0.5, rng) & ~left
    assert not grown[left].any()
    rate = 1500 / (~left).sum()
    np.testing.assert_allclose(grown[~left].mean() / 300, rate, rtol=1e-12)
    deviations = (grown[~left] - 300 * rate) / np.sqrt(300 * rate * (1 - rate))
    assert 0.95 < deviations.std() < 1.05  # a binomial's, so no place is favoured
    removed = mask & ~left
    assert abs(grown[removed].mean() / 300 / rate - 1) < 0.02  # places emptied just now are drawn as often


def test_set_takes_of_each_gate_the_smallest_of_either_sign_and_lets_as_many_grow_there() -> None:
    rng, matrix = np.random.default_rng(2), Matrix(4 * 30, 20, blocks=4, lanes=8)
    mask = selfish.first(matrix, 800, rng)
    weights = rng.standard_normal(mask.shape) * np.repeat([10.0, 1.0, 0.1, 1.0], 30)[:, None] * mask
    moved = SPARSITY.load("set").moved(matrix, weights, mask, weights, 0.3, rng)
    for M, after, W in zip(*(np.split(of, 4) for of in (mask, moved, weights)), strict=True):
        assert after.sum() == M.sum()
        for sign in (1, -1):
            there = np.sort(np.abs(W[M & (sign * W > 0)]))
            bound = there[math.ceil(0.3 * len(there)) - 1]  # a place that was emptied may be drawn again
            assert (after[M & (sign * W > bound)]).all()
            assert not (after[M & (sign * W > 0) & (np.abs(W) <= bound)]).all()


def test_rigl_grows_where_the_gradient_of_what_is_not_there_is_largest() -> None:
    rng, matrix = np.random.default_rng(3), Matrix(60, 100, blocks=4, lanes=8)
    mask = selfish.first(matrix, 2000, rng)
    weights, gradient = rng.standard_normal(mask.shape) * mask, rng.standard_normal(mask.shape)
    moved = SPARSITY.load("rigl").moved(matrix, weights, mask, gradient, 0.5, rng)
    left = pruned(weights, mask, 0.5)
    grown, empty = moved & ~left, ~moved
    assert moved[left].all() and grown.sum() == 1000
    assert np.abs(gradient[grown]).min() > np.abs(gradient[empty]).max()


def test_the_pruning_rate_is_the_published_cosine() -> None:
    # computed from the published formula for 100 epochs of 1,328 iterations and a first rate of 0.8
    published = {1: 0.7998, 10: 0.7805, 25: 0.684, 50: 0.4025, 75: 0.121, 90: 0.024, 100: 0.005}
    for epoch, rate in published.items():
        assert pruning_rate(0.8, epoch * 1328 / 132_797) == pytest.approx(rate, abs=1e-3)
    assert pruning_rate(0.8, 1.0) == pytest.approx(LAST_RATE)
    assert pruning_rate(0.0, 0.5) == 0


@pytest.mark.parametrize("name", OPTIMISERS.names())
def test_an_optimiser_leaves_a_weight_without_gradient_and_memory_at_zero(name: str) -> None:
    optimiser, rng = OPTIMISERS.load(name), np.random.default_rng(0)
    mask = np.arange(20) % 3 > 0
    vector = rng.standard_normal(20) * mask
    state = optimiser.start(vector)
    for _ in range(5):
        vector, state = optimiser.update(vector, rng.standard_normal(20) * mask, state, 0.1, 0.9, 0.01)
        assert np.all(vector[~mask] == 0)
        assert np.all(vector[mask] != 0)


@pytest.fixture(scope="module")
def thin_workload(drift_workload: Workload) -> Workload:
    table = drift_workload.model_dump(mode="json", exclude_none=True) | {
        "sparsity": {"rule": "selfish", "density": 0.4, "prune_rate": 0.5}
    }
    return Workload.from_table(table)


@pytest.mark.parametrize("rule", THIN)
def test_training_keeps_counts_and_leaves_the_others_at_zero(
    thin_workload: Workload, drifts: Recordings, tmp_path: Path, rule: str
) -> None:
    workload = thin_workload.with_changes(sparsity__rule=rule)
    path, masks = tmp_path / "state.npz", []

    def keep(progress: Progress) -> None:
        if path.exists():
            state = learning_state.load(path, workload.digest())
            masks.append(state.mask)
            assert np.all(state.parameters[~state.mask] == 0)
            for array in state.optimiser.values():
                assert array.shape != state.mask.shape or np.all(array[~state.mask] == 0)

    trained = train(workload, drifts, state_path=path, on_progress=keep)
    found = from_flat(trained.mask, trained.sizes).arrays()
    assert tuple(int(mask.sum()) for mask in found) == counts(trained.sizes, workload.sparsity)
    parameters = trained.parameters.flat()
    assert np.all(parameters[~trained.mask] == 0)
    assert np.count_nonzero(parameters) == trained.mask.sum()
    different = {mask.tobytes() for mask in masks}
    assert len(different) == (1 if rule == "static" else 5)  # six epochs, no move after the last
    assert all(mask.sum() == trained.mask.sum() for mask in masks)
    assert trained.evaluation.accuracy > 0.6


@pytest.mark.parametrize("update", [5, 25, 47])
def test_an_interrupted_run_goes_on_with_the_same_masks(
    thin_workload: Workload, drifts: Recordings, tmp_path: Path, update: int
) -> None:
    path = tmp_path / "state.npz"

    def interrupt(progress: Progress) -> None:
        if progress.update == update:
            raise _InterruptionError

    with pytest.raises(_InterruptionError):
        train(thin_workload, drifts, state_path=path, on_progress=interrupt)
    resumed, whole = train(thin_workload, drifts, state_path=path, resume=True), train(thin_workload, drifts)
    np.testing.assert_array_equal(resumed.mask, whole.mask)
    np.testing.assert_array_equal(resumed.parameters.flat(), whole.parameters.flat())
    assert resumed.evaluation == whole.evaluation


def test_weights_move_only_as_often_as_asked(thin_workload: Workload, drifts: Recordings) -> None:
    still = train(thin_workload.with_changes(sparsity__update_epochs=6), drifts)
    rng = np.random.default_rng([thin_workload.training.seed, 3, 0])
    np.testing.assert_array_equal(still.mask, first_mask(still.sizes, thin_workload.sparsity, rng))


@pytest.fixture(scope="module")
def thin(thin_workload: Workload, drifts: Recordings) -> Trained:
    return train(thin_workload, drifts)


def test_operations_scale_with_the_density(thin: Trained, drifts: Recordings) -> None:
    counted = thin.epochs[-1]
    whole = matrix_macs(counted, thin.sizes, "last")
    sparse = matrix_macs(counted, thin.sizes, "last", thin.workload.sparsity)
    assert (sparse.dense_fp, sparse.dense_bp) == (whole.dense_fp, whole.dense_bp)
    assert sparse.fp / whole.fp == pytest.approx(0.4, abs=0.02)
    assert sparse.bp / whole.bp == pytest.approx(0.4, abs=0.02)
    assert thin.macs().total < 0.45 * thin.macs().dense_total


def test_a_move_of_a_network_is_that_of_each_matrix(thin: Trained) -> None:
    vector, rng = thin.parameters.flat(), np.random.default_rng(9)
    moved = next_mask(vector, thin.mask, vector, thin.sizes, thin.workload.sparsity, 0.25, rng)
    again, rate = np.random.default_rng(9), pruning_rate(0.5, 0.25)
    before, weights = from_flat(thin.mask, thin.sizes).arrays(), thin.parameters.arrays()
    for after, mask, W in zip(from_flat(moved, thin.sizes).arrays(), before, weights, strict=True):
        expected = selfish.moved(Matrix(*mask.shape, 1, 8), W, mask, W, rate, again) if mask.ndim == 2 else mask
        np.testing.assert_array_equal(after, expected)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"rule": "selfsh", "density": 0.5}, "did you mean 'selfish'"),
        ({"rule": "dense", "density": 0.5}, "density must be 1 with the rule 'dense'"),
        ({"rule": "static", "density": 0}, "sparsity.density must be"),
        ({"rule": "static", "density": 0.5, "prune_rate": 1.5}, "sparsity.prune_rate must be at most 1"),
        ({"rule": "static", "density": 0.5, "distribution": "even"}, "sparsity.distribution must be one of"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(drift_workload: Workload, table: dict[str, object], message: str) -> None:
    whole = drift_workload.model_dump(mode="json", exclude_none=True) | {"sparsity": table}
    with pytest.raises(ConfigError, match=message) as caught:
        Workload.from_table(whole)
    assert "\n" not in str(caught.value)
