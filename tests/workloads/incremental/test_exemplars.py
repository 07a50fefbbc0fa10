"""Herding and nearest means against what their definitions say, candidate by candidate."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.incremental.herding import herded
from deltatrain.workloads.incremental.nearest_mean import class_means, features_of, nearest, normalised
from deltatrain.workloads.network.network import Network, Sizes, forward, from_flat, initial_parameters


def _by_definition(features: np.ndarray, count: int) -> list[int]:
    """Return the exemplars by trying each candidate, with means of lists."""
    chosen: list[int] = []
    while len(chosen) < min(count, len(features)):
        rest = [one for one in range(len(features)) if one not in chosen]
        off = {
            one: np.sqrt(((features.mean(axis=0) - np.mean(features[[*chosen, one]], axis=0)) ** 2).sum())
            for one in rest
        }
        chosen.append(min(rest, key=lambda one: off[one]))
    return chosen


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), recordings=st.integers(1, 12), count=st.integers(1, 15))
def test_herding_takes_what_brings_the_mean_nearest(seed: int, recordings: int, count: int) -> None:
    features = np.random.default_rng(seed).standard_normal((recordings, 4))
    chosen = herded(features, count)
    assert chosen.tolist() == _by_definition(features, count)
    assert_array_equal(chosen[:2], herded(features, 2)[:count])


def test_of_equal_recordings_herding_takes_the_first() -> None:
    assert herded(np.ones((4, 3)), 3).tolist() == [0, 1, 2]


def test_features_are_the_last_h_of_each_sequence_by_itself() -> None:
    rng = np.random.default_rng(2)
    sizes = Sizes(CELLS.load("delta_lstm"), 3, (5, 4), 2)
    network = Network(sizes, ((0.1, 0.1), (0.1, 0.1)), "every", 0.0)
    parameters = initial_parameters(sizes, rng, np.dtype(np.float64))
    lengths = np.array([4, 1, 7, 2])
    part = Sequences(rng.standard_normal((14, 3)).astype(np.float32), lengths, np.zeros(4, np.int64))
    found = features_of(network, parameters, part)
    assert_allclose(np.linalg.norm(found, axis=1), 1)
    for number, length in enumerate(lengths):
        alone = forward(network, parameters, *part.padded(np.array([number])))
        h = alone.tapes[-1].values[sizes.cell.VALUES.index("h"), length]
        assert_allclose(found[number], h / np.linalg.norm(h))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_nearest_mean_is_the_nearest_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, labels = normalised(rng.standard_normal((20, 4))), np.arange(20) % 3
    means = class_means(features, labels, 3)
    for one in range(3):
        mean = np.mean([feature for feature, label in zip(features, labels, strict=True) if label == one], axis=0)
        assert_allclose(means[one], mean / np.linalg.norm(mean))
    for feature, found in zip(features, nearest(features, means), strict=True):
        assert found == np.argmin([np.linalg.norm(feature - mean) for mean in means])


def test_a_vector_of_zeros_stays() -> None:
    vectors = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert_allclose(normalised(vectors), [[0, 0], [0.6, 0.8]])
    sizes = Sizes(CELLS.load("delta_lstm"), 2, (3,), 2)
    silent = from_flat(
        np.zeros(initial_parameters(sizes, np.random.default_rng(0), np.dtype(float)).flat().shape), sizes
    )
    part = Sequences(np.ones((2, 2), np.float32), np.array([2]), np.zeros(1, np.int64))
    assert_array_equal(features_of(Network(sizes, None, "every", 0.0), silent, part), np.zeros((1, 3)))
