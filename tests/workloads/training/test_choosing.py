"""The epoch that a validation part chooses is kept, training ends when none is better, and classes weigh as told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads import training_summary
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.network.network import Network, Sizes, forward, initial_parameters, loss_of
from deltatrain.workloads.plain_learning import learning_limits
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training import learning_state
from deltatrain.workloads.training import training as trainer
from deltatrain.workloads.training.choosing import class_weights_of
from deltatrain.workloads.training.evaluation import evaluate
from deltatrain.workloads.training.streams import Truncation
from deltatrain.workloads.training.training import Progress, network_of, train
from deltatrain.workloads.workload import Workload


@pytest.fixture(scope="module")
def parted(drifts: Recordings) -> Recordings:
    """The drifts with a small validation part, and labels in training that mislead after a while."""
    rng = np.random.default_rng(5)
    train_part = drifts.train.take(np.arange(40))
    wrong = rng.random(40) < 0.3
    labels = np.where(wrong, rng.integers(0, 3, 40), train_part.labels)
    return replace(
        drifts, train=replace(train_part, labels=labels), validation=drifts.train.take(np.arange(40, len(drifts.train)))
    )


@pytest.fixture(scope="module")
def long_workload(drift_workload: Workload) -> Workload:
    return drift_workload.with_changes(training__epochs=14, training__schedule="constant", training__learning_rate=0.05)


def _losses(workload: Workload, recordings: Recordings, monkeypatch: pytest.MonkeyPatch) -> tuple[list[float], list]:
    """Train and return the loss of each epoch on what is held out, and every part that was looked at."""
    seen: list[tuple[Sequences, float]] = []

    def watched(network: Network, parameters: object, part: Sequences, truncation: Truncation) -> object:
        found = evaluate(network, parameters, part, truncation)
        seen.append((part, found.loss))
        return found

    monkeypatch.setattr(trainer, "evaluate", watched)
    train(workload, recordings)
    return [loss for part, loss in seen if part is recordings.validation], [part for part, _ in seen]


def test_the_epoch_of_the_lowest_validation_loss_is_kept_and_test_is_looked_at_once(
    long_workload: Workload, parted: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, parts = _losses(long_workload, parted, monkeypatch)
    assert len(losses) == 14 and sum(part is parted.test for part in parts) == 1 and parts[-1] is parted.test
    trained = train(long_workload, parted)
    dense = long_workload.training.dense_epochs
    wanted = dense + int(np.argmin(losses[dense:]))
    assert trained.chosen is not None and dense <= trained.chosen.epoch == wanted < 13
    assert trained.chosen.validation_loss == losses[wanted]
    network = network_of(long_workload, trained.sizes, wanted)
    assert evaluate(network, trained.parameters, parted.validation).loss == losses[wanted]
    assert evaluate(network, trained.parameters, parted.test) == trained.evaluation
    assert trained.recorded[-1].epoch == wanted and trained.recorded[-1].numbers is not None
    np.testing.assert_array_equal(trained.recorded[-1].numbers.parameters, trained.parameters.flat())


def test_what_is_kept_is_the_last_epoch_of_a_training_that_ends_there(
    long_workload: Workload, parted: Recordings
) -> None:
    trained = train(long_workload, parted)
    ended = train(long_workload.with_changes(training__epochs=trained.chosen.epoch + 1), parted)
    np.testing.assert_array_equal(ended.parameters.flat(), trained.parameters.flat())
    for one, other in zip(ended.recorded[-1].fired_h, trained.recorded[-1].fired_h, strict=True):
        np.testing.assert_array_equal(one, other)
    assert ended.recorded[-1].numbers.learning_rate == trained.recorded[-1].numbers.learning_rate
    assert ended.recorded[-1].update == trained.recorded[-1].update


@pytest.mark.parametrize("patience", [1, 2])
def test_training_ends_when_no_epoch_was_better(
    long_workload: Workload, parted: Recordings, patience: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, _ = _losses(long_workload, parted, monkeypatch)
    stopped = train(long_workload.with_changes(training__early_stopping=patience), parted)
    best = 2
    for epoch in range(2, 14):  # the rule, stated again
        best = epoch if losses[epoch] < losses[best] else best
        if epoch - best >= patience:
            break
    assert (len(stopped.epochs), stopped.chosen.epoch) == (epoch + 1, best)
    assert len(stopped.epochs) < 14


def test_a_stopped_training_resumes_to_the_same(long_workload: Workload, parted: Recordings, tmp_path: Path) -> None:
    workload = long_workload.with_changes(training__early_stopping=2)
    whole, path = train(workload, parted), tmp_path / "state.npz"

    class StopError(Exception):
        pass

    def stop(at: Progress) -> None:
        if at.epoch == len(whole.epochs) - 1:
            raise StopError

    with pytest.raises(StopError):
        train(workload, parted, state_path=path, on_progress=stop)
    for _ in range(2):  # once to the end, and once from the end
        resumed = train(workload, parted, state_path=path, resume=True)
        np.testing.assert_array_equal(resumed.parameters.flat(), whole.parameters.flat())
        assert (resumed.chosen, resumed.epochs) == (whole.chosen, whole.epochs)


def test_a_damaged_best_epoch_is_refused(long_workload: Workload, parted: Recordings, tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    train(long_workload, parted, state_path=path)
    state = learning_state.load(path, long_workload.digest())
    for change, told in (({"epoch": 99}, "best.epoch"), ({"parameters": state.parameters[1:]}, "best.parameters")):
        learning_state.save(replace(state, best=replace(state.best, **change)), path)
        with pytest.raises(ConfigError, match=told):
            train(long_workload, parted, state_path=path, resume=True)


def test_summary_and_trace_say_which_epoch(long_workload: Workload, parted: Recordings, tmp_path: Path) -> None:
    trained = train(long_workload, parted)
    trained.trace(parted).save(tmp_path / "trace.npz")
    trace = Trace.load(tmp_path / "trace.npz")
    assert trace == trained.trace(parted) and trace.chosen == trained.chosen
    found = training_summary.summary(trace)
    kept = trained.epochs[trained.chosen.epoch]
    assert (found["epoch_kept"], found["accuracy"]) == (trained.chosen.epoch, trained.evaluation.accuracy)
    assert (found["loss"], found["test_loss"]) == (kept.loss, trained.evaluation.loss)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"training__early_stopping": 3}, "training.early_stopping needs a validation part"),
        ({"training__class_weights": (1.0, 2.0)}, "training.class_weights must be 3 numbers"),
    ],
)
def test_what_the_recordings_lack_is_said(
    drift_workload: Workload, drifts: Recordings, changes: dict[str, object], fault: str
) -> None:
    with pytest.raises(ConfigError, match=fault):
        train(drift_workload.with_changes(**changes), drifts)


def test_class_weights_equal_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    sizes, lengths, labels = Sizes(CELLS.load("delta_gru"), 2, (4,), 3), np.array([3, 5, 2]), np.array([0, 2, 2])
    weights = (0.5, 1.0, 3.0)
    for readout in ("last", "every"):
        network = Network(sizes, ((0.1, 0.1),), readout, 0.0, class_weights=weights)
        parameters = initial_parameters(sizes, rng, np.dtype(np.float64))
        ran = forward(network, parameters, rng.standard_normal((5, 3, 2)), lengths)
        loss, g_logits = loss_of(network, ran, labels)
        logits = torch.tensor(ran.logits, requires_grad=True)
        owner = ran.packing.order[np.concatenate([np.arange(n) for n in ran.packing.active])]
        owner = np.arange(3) if readout == "last" else owner
        each = torch.nn.functional.cross_entropy(
            logits, torch.tensor(labels[owner]), weight=torch.tensor(weights, dtype=torch.float64), reduction="none"
        )
        steps = np.ones(3) if readout == "last" else lengths
        wanted = (each / torch.tensor(steps[owner] * 3.0)).sum()
        wanted.backward()
        assert loss == pytest.approx(wanted.item(), rel=1e-12)
        np.testing.assert_allclose(g_logits, logits.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_balanced_classes_count_alike(drift_workload: Workload, drifts: Recordings) -> None:
    few = replace(drifts, train=drifts.train.take(np.flatnonzero(drifts.train.labels != 2)[:-5]))
    training = drift_workload.with_changes(training__class_weights="balanced").training
    weights = np.array(class_weights_of(training, few))
    counts = np.bincount(few.train.labels, minlength=3)
    np.testing.assert_allclose((weights * counts)[:2], len(few.train) / 3)
    assert class_weights_of(drift_workload.training, few) == ()


def test_gates_refuse_weights_of_classes(drift_workload: Workload) -> None:
    weighted = drift_workload.with_changes(training__class_weights="balanced")
    assert learning_limits(drift_workload, "these gates") == []
    assert "training.class_weights" in learning_limits(weighted, "these gates")[0]


def test_a_training_no_better_than_guessing_says_so(drift_workload: Workload, drifts: Recordings) -> None:
    assert "doubt" not in training_summary.summary(train(drift_workload, drifts).trace(drifts))
    bad = drift_workload.with_changes(training__learning_rate=30.0)
    found = training_summary.summary(train(bad, drifts).trace(drifts))
    assert found["loss"] > np.log(3)
    assert found["doubt"] == (
        f"the loss of {found['loss']:.4g} is above 1.099, that of guessing among 3 classes; lower "
        "training.learning_rate (30), or train longer"
    )
