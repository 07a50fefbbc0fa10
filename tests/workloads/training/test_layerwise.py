"""Learning rates of layers and dropout between them."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.network.network import (
    Network,
    Sizes,
    forward,
    from_flat,
    initial_parameters,
    loss_of,
    training_step,
)
from deltatrain.workloads.plain_learning import learning_limits
from deltatrain.workloads.tables import Training
from deltatrain.workloads.training.layerwise import kept_outputs
from deltatrain.workloads.training.training import Trained, train
from deltatrain.workloads.workload import Workload

LENGTHS = np.array([2, 5, 1, 4])


@pytest.mark.parametrize("theta", [None, 0.1])
@pytest.mark.parametrize("cell", ["delta_rnn", "delta_gru", "delta_lstm"])
def test_gradients_through_dropout_equal_central_differences(cell: str, theta: float | None) -> None:
    rng = np.random.default_rng(7)
    sizes = Sizes(CELLS.load(cell), 2, (4, 3, 2), 3)
    kept = tuple((rng.random((4, width)) < 0.6) / 0.6 for width in sizes.hidden[:-1])
    network = Network(sizes, None if theta is None else ((theta, theta),) * 3, "every", 0.0, kept=kept)
    weights = 2 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat()
    x, labels = rng.standard_normal((5, 4, 2)), rng.integers(0, 3, 4)

    def loss(vector: Array) -> float:
        return loss_of(network, forward(network, from_flat(vector, sizes), x, LENGTHS), labels)[0]

    found = training_step(network, from_flat(weights, sizes), x, LENGTHS, labels).gradients.flat()
    wanted = np.array([(loss(weights + nudge) - loss(weights - nudge)) / 2e-5 for nudge in 1e-5 * np.eye(len(weights))])
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8)


def test_what_is_dropped_is_not_seen_and_the_rest_keeps_the_mean(drift_workload: Workload) -> None:
    training = drift_workload.with_changes(training__dropout=0.25).training
    sizes = Sizes(CELLS.load("delta_gru"), 2, (400, 3), 3)
    (kept,) = kept_outputs(training, sizes, 50, np.dtype(np.float64), np.random.default_rng(0))
    assert set(np.unique(kept)) == {0.0, 1 / 0.75}
    assert kept.mean() == pytest.approx(1.0, abs=0.02)
    network = Network(sizes, None, "last", 0.0, kept=(kept[:4],))
    parameters = initial_parameters(sizes, np.random.default_rng(1), np.dtype(np.float64))
    ran = forward(network, parameters, np.random.default_rng(2).standard_normal((5, 4, 2)), LENGTHS)
    h = ran.tapes[0].values[sizes.cell.VALUES.index("h"), 4:]
    owner = np.concatenate([ran.packing.order[:n] for n in ran.packing.active])
    np.testing.assert_array_equal(ran.tapes[1].delta_x, h * kept[owner])


def _moved(trained: Trained, first: Trained) -> list[float]:
    pairs = zip(trained.parameters.arrays(), first.parameters.arrays(), strict=True)
    return [float(np.abs(one - other).max()) for one, other in pairs]


def test_a_layer_moves_at_its_own_rate(drift_workload: Workload, drifts: Recordings) -> None:
    still = train(drift_workload.with_changes(training__learning_rate=1e-30), drifts)
    for optimiser in ("adamw", "sgd"):
        workload = drift_workload.with_changes(training__optimiser=optimiser)
        moved = _moved(train(workload.with_changes(training__layer_rates=(0.0, 1.0, 0.5)), drifts), still)
        assert moved[:3] == [0.0] * 3 and min(moved[3:]) > 0
    plain, ones = (train(drift_workload.with_changes(training__layer_rates=r), drifts) for r in (None, (1.0, 1.0, 1.0)))
    np.testing.assert_allclose(plain.parameters.flat(), ones.parameters.flat(), rtol=1e-4, atol=1e-5)


def test_a_training_with_dropout_learns_and_is_reproducible(drift_workload: Workload, drifts: Recordings) -> None:
    workload = drift_workload.with_changes(training__dropout=0.2, training__epochs=10)
    one, other = (train(workload, drifts) for _ in range(2))
    np.testing.assert_array_equal(one.parameters.flat(), other.parameters.flat())
    assert one.evaluation.accuracy > 0.8
    plain = train(drift_workload.with_changes(training__epochs=10), drifts)
    assert not np.array_equal(one.parameters.flat(), plain.parameters.flat())


def test_what_does_not_fit_is_said(drift_workload: Workload) -> None:
    for changes, line in (
        ({"training__layer_rates": (1.0, 2.0)}, "training.layer_rates must be 3 numbers"),
        ({"training__dropout": 0.2, "hidden": (4,), "theta_x": 0.1}, "there is one layer alone"),
        ({"training__dropout": 1.0}, "training.dropout"),
    ):
        with pytest.raises(ConfigError, match=line):
            drift_workload.with_changes(**changes)
    rates = drift_workload.with_changes(training__layer_rates=(1.0, 2.0, 1.0))
    assert "training.layer_rates" in learning_limits(rates, "these gates")[0]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("theta", [None, 0.1])
def test_dropout_of_words_and_of_what_is_read_equals_central_differences(theta: float | None, tied: bool) -> None:
    rng = np.random.default_rng(7)
    sizes = Sizes(CELLS.load("delta_lstm"), 3, (4, 3), 5, 5, tied)
    training = Training(epochs=1, dropout=0.4)
    kept = kept_outputs(training, sizes, 4, np.dtype(np.float64), rng)
    assert [one.shape for one in kept] == [(4, 4), (4, 3), (4, 3)] and all((one == 0).any() for one in kept)
    network = Network(sizes, theta and ((theta, theta),) * 2, "every", 0.0, task="next_word", kept=kept)
    weights = 2 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat()
    words, labels = rng.integers(0, 5, (5, 4)), rng.integers(0, 5, (5, 4))

    def loss(vector: Array) -> float:
        return loss_of(network, forward(network, from_flat(vector, sizes), words, LENGTHS), labels)[0]

    found = training_step(network, from_flat(weights, sizes), words, LENGTHS, labels).gradients.flat()
    wanted = np.array([(loss(weights + nudge) - loss(weights - nudge)) / 2e-5 for nudge in 1e-5 * np.eye(len(weights))])
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8)
