"""Whole trainings of spiking networks beside PyTorch, which states network and optimiser again (`torch_training`).

In float64 nothing but the order of sums differs. Given the same weights, the two have the same gradient to rounding,
at every update of a training. What a training makes of that rounding is another matter: its map from the weights of
one update to those of the next is unstable at the preset's learning rate and spreads a rounding, until a spike differs;
from there on two runs are two draws. Two runs of the trainer part just so when first weights are nudged by a rounding
(but not all: of seed 1 two statements end the same). Hence three comparisons: of gradients at the
trainer's own weights; of whole trainings on a grid of weights, which takes the rounding away after each update, so
that all is the same; and of free trainings as far as they can be compared, in the mean over seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from spike_patterns import CLEAR, FAINT, spike_patterns
from torch_training import GRID, batches, first_weights, own_training, torch_gradient, torch_training

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.datasets import DATASETS
from deltatrain.workloads.optimisers import adamw
from deltatrain.workloads.training.training import Trained, train
from deltatrain.workloads.workload import Workload

SPIKING = ("lif", "lif_recurrent")
every_cell = pytest.mark.parametrize("cell", SPIKING)
ROUNDING = 1e-15
LOUDER = 4.0  # two layers so narrow would be silent, and nothing would be compared


@pytest.fixture(scope="module")
def torch() -> Iterator[Any]:
    module = pytest.importorskip("torch", reason="PyTorch is the independent oracle: pip install '.[torch]'")
    threads = module.get_num_threads()
    module.set_num_threads(1)  # products so small are not worth sharing
    yield module
    module.set_num_threads(threads)


def _small(cell: str, **changes: Any) -> Workload:
    """Return a training of a second or two of which much depends on rounding, on faint patterns."""
    small = {"cell": cell, "hidden": [32], "training.epochs": 10, "training.batch": 8, "training.precision": "float64"}
    return Workload.named("spikes", small | {"training.learning_rate": 0.05} | changes)


def _losses(trained: Trained) -> Array:
    return np.array([counts.loss for counts in trained.epochs])


def _nudge(workload: Workload, recordings: Recordings) -> Array:
    return ROUNDING * np.random.default_rng(1).choice([-1.0, 1.0], len(first_weights(workload, recordings)))


@every_cell
def test_a_small_training_is_that_of_pytorch(torch: Any, cell: str) -> None:
    changes = {"training.epochs": 8, "training.batch": 16, "training.learning_rate": 0.02}
    workload, recordings = _small(cell, **changes), spike_patterns(CLEAR, (6, 15))
    ours = train(workload, recordings)
    losses, accuracy = torch_training(torch, workload, recordings)
    np.testing.assert_allclose(_losses(ours), losses, rtol=1e-9)
    assert ours.evaluation.accuracy == accuracy
    assert accuracy > 0.5  # of four classes
    assert losses[-1] < losses[0]


@every_cell
def test_gradients_of_a_whole_training_are_those_of_pytorch_at_the_same_weights(
    torch: Any, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every update, whether or not two runs of their own would have parted by then."""
    workload = _small(cell, hidden=[24, 16], **{"training.epochs": 6})
    recordings = spike_patterns(FAINT, (20, 30))
    order, update = [chosen for _, chosen in batches(workload, recordings.train)], adamw.update
    apart, below = [], []

    def compared(weights: Array, gradient: Array, state: dict[str, Array], *args: Any) -> tuple[Array, Any]:
        _, wanted = torch_gradient(torch, workload, recordings, weights, order[int(state["steps"][0])])
        apart.append(np.abs(gradient - wanted).max())
        below.append(np.abs(gradient[: 24 * recordings.train.features]).max())  # W_x of the first layer
        return update(weights, gradient, state, *args)

    monkeypatch.setattr(adamw, "update", compared)
    own_training(workload, recordings, nudge=LOUDER - 1)
    assert len(apart) == len(order)
    assert max(apart) < 1e-13
    assert min(below) > 1e-4


@every_cell
def test_a_small_training_on_a_grid_is_that_of_pytorch_however_rounding_would_spread(torch: Any, cell: str) -> None:
    _equal_on_a_grid(torch, _small(cell), spike_patterns(FAINT, (20, 30)))


def test_two_runs_of_the_trainer_part_as_those_of_two_statements_do(torch: Any) -> None:
    """Why free trainings are not compared bit for bit: moving first weights by a rounding does the same."""
    workload = _small("lif_recurrent", **{"training.seed": 2})
    recordings = spike_patterns(FAINT, (20, 30))
    ours = _losses(train(workload, recordings))
    nudged = _losses(own_training(workload, recordings, nudge=_nudge(workload, recordings)))
    losses, _ = torch_training(torch, workload, recordings)
    for other in (nudged, np.array(losses)):
        apart = np.abs(other / ours - 1)
        assert apart[0] < 1e-12
        assert 1e-6 < apart[-1] < 0.2


@pytest.mark.long
@every_cell
def test_spoken_digits_are_learned_as_by_pytorch(torch: Any, cell: str) -> None:
    """The preset, whole, on a grid: the same losses and the same decisions on unheard voices."""
    recordings = _spoken()
    accuracy = _equal_on_a_grid(
        torch, Workload.named("spikes", {"cell": cell, "training.precision": "float64"}), recordings
    )
    assert accuracy > 0.7  # of twenty classes


@pytest.mark.long
def test_free_recurrent_trainings_end_within_a_point_of_pytorch_in_the_mean(torch: Any) -> None:
    """Sixteen seeds and 2,000 unseen recordings; how far nudged runs end says how well the mean is known.

    For so much of the preset it would take hours, and its 260 unseen recordings tell two networks apart to two points.
    """
    recordings = spike_patterns(FAINT, (20, 30), test=2000)
    found = []
    for seed in range(1, 17):
        workload = _small("lif_recurrent", **{"training.learning_rate": 0.03, "training.seed": seed})
        nudged = own_training(workload, recordings, nudge=_nudge(workload, recordings))
        ours, (_, wanted) = train(workload, recordings), torch_training(torch, workload, recordings)
        found.append((ours.evaluation.accuracy, nudged.evaluation.accuracy, wanted))
    accuracy, nudged_accuracy, wanted_accuracy = np.array(found).T
    deviation = np.sqrt(np.mean((nudged_accuracy - accuracy) ** 2) / len(found))  # of the mean of differences
    assert 0 < deviation < 0.005
    assert abs(np.mean(accuracy - wanted_accuracy)) <= 0.01, found


def _equal_on_a_grid(torch: Any, workload: Workload, recordings: Recordings) -> float:
    """Assert that both statements learn the same, their weights on a grid, and return the accuracy."""
    ours = own_training(workload, recordings, GRID)
    losses, accuracy = torch_training(torch, workload, recordings, GRID)
    np.testing.assert_allclose(_losses(ours), losses, rtol=1e-12)
    assert ours.evaluation.accuracy == accuracy
    assert losses[-1] < losses[0]
    return accuracy


def _spoken() -> Recordings:
    try:
        return DATASETS.load("spikes").load()
    except ConfigError as error:
        pytest.skip(str(error))
