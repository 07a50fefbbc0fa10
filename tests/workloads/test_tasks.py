"""Tasks: every loss against differences and PyTorch, what recordings must say, and figures that are called rightly."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch_training import batches, first_weights

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.arrays.packing import Array, unpack
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.data.fetching import member_of
from deltatrain.workloads.data.found import Tokens
from deltatrain.workloads.data.recordings import Recordings, Sequences, standardised
from deltatrain.workloads.data.windows import windows_of
from deltatrain.workloads.datasets import vowels
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
from deltatrain.workloads.tasks import TASKS
from deltatrain.workloads.training.evaluation import evaluate
from deltatrain.workloads.training.training import sizes_of, train
from deltatrain.workloads.training.updates import learning_rate
from deltatrain.workloads.workload import Workload

LENGTHS = np.array([2, 5, 1, 4])
OUTPUTS = 3
CASES = [
    ("classification", "last"),
    ("classification", "every"),
    ("labelling", "every"),
    ("next_word", "every"),
    ("regression", "last"),
    ("regression", "every"),
]


def _labels(task: str, readout: str, rng: np.random.Generator) -> Array:
    wanted = TASKS.load(task).wanted(readout)
    leading = (LENGTHS.max(), len(LENGTHS)) if wanted.startswith("step") else (len(LENGTHS),)
    if wanted.endswith("numbers"):
        return rng.standard_normal((*leading, OUTPUTS))
    return rng.integers(0, OUTPUTS, leading)


def _torch_loss(torch, task: str, readout: str, logits: Array, labels: Array) -> tuple[float, Array]:
    """Return the mean over samples of the mean over what is read, as torch's own losses have it, and its gradient."""
    padded = torch.tensor(logits, requires_grad=True)  # (T, B, K) or (B, K)
    total = torch.zeros((), dtype=torch.float64)
    for sample, steps in enumerate(LENGTHS):
        own = padded[sample : sample + 1] if readout == "last" else padded[:steps, sample]
        stepwise = TASKS.load(task).wanted(readout).startswith("step")
        wanted = torch.tensor(
            labels[:steps, sample] if stepwise else np.repeat(labels[sample : sample + 1], len(own), 0)
        )
        loss = torch.nn.functional.mse_loss if task == "regression" else torch.nn.functional.cross_entropy
        total = total + loss(own, wanted) / len(LENGTHS)
    total.backward()
    return total.item(), padded.grad.numpy()


@pytest.mark.parametrize(("task", "readout"), CASES)
def test_losses_equal_those_of_torch(task: str, readout: str) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    sizes = Sizes(CELLS.load("delta_gru"), 2, (4,), OUTPUTS)
    network = Network(sizes, ((0.2, 0.1),), readout, 0.0, task=task)
    labels = _labels(task, readout, rng)
    parameters = initial_parameters(sizes, rng, np.dtype(np.float64))
    ran = forward(network, parameters, rng.standard_normal((5, 4, 2)), LENGTHS)
    loss, gradient = loss_of(network, ran, labels)
    padded = ran.logits if readout == "last" else unpack(ran.logits, ran.packing)
    wanted, wanted_gradient = _torch_loss(torch, task, readout, padded, labels)
    assert loss == pytest.approx(wanted, rel=1e-12)
    found = gradient if readout == "last" else unpack(gradient, ran.packing)
    np.testing.assert_allclose(found, wanted_gradient, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("theta", [None, 0.15])
@pytest.mark.parametrize(("task", "readout"), CASES)
@pytest.mark.parametrize("cell", ["delta_gru", "delta_lstm"])
def test_gradients_equal_central_differences(cell: str, task: str, readout: str, theta: float | None) -> None:
    rng = np.random.default_rng(7)
    sizes = Sizes(CELLS.load(cell), 2, (3, 2), OUTPUTS)
    network = Network(sizes, None if theta is None else ((theta, theta),) * 2, readout, 0.0, task=task)
    weights = 2 * initial_parameters(sizes, rng, np.dtype(np.float64)).flat()
    x, labels = rng.standard_normal((5, 4, 2)), _labels(task, readout, rng)

    def loss(vector: Array) -> float:
        return loss_of(network, forward(network, from_flat(vector, sizes), x, LENGTHS), labels)[0]

    found = training_step(network, from_flat(weights, sizes), x, LENGTHS, labels).gradients.flat()
    nudges = 1e-5 * np.eye(len(weights))
    wanted = np.array([(loss(weights + nudge) - loss(weights - nudge)) / 2e-5 for nudge in nudges])
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8)


def test_figures_are_what_they_are_called() -> None:
    outputs, owners = np.array([[1.0, 2.0], [5.0, 1.0], [0.0, 1.0]]), np.array([0, 0, 1])
    classified = TASKS.load("classification").figure_sum(outputs, np.array([0, 0, 0]), owners)
    labelled = TASKS.load("labelling").figure_sum(outputs, np.array([1, 0, 0]), owners)
    squared = TASKS.load("regression").figure_sum(outputs, np.array([[1.0, 0.0], [5.0, 1.0], [0.0, 4.0]]), owners)
    assert (classified, labelled, squared) == ((1.0, 2), (2.0, 3), (13.0, 6))
    words = TASKS.load("next_word")
    total, count = words.figure_sum(np.log([[0.5, 0.5], [0.125, 0.875], [0.25, 0.75]]), np.array([1, 0, 0]), owners)
    assert count == 3 and words.figure(total / count) == pytest.approx((2 * 8 * 4) ** (1 / 3))
    assert words.figure(1e4) == np.inf


def _workload(for_task: str, readout_: str, **changes: object) -> Workload:
    described = {"name": "task", "dataset": "digits", "cell": "delta_gru", "hidden": [16], "theta_x": 0.05}
    training = {"epochs": 30, "batch": 16, "learning_rate": 0.01, "seed": 1}
    table = described | {"theta_h": 0.02, "task": for_task, "readout": readout_, "training": training}
    return Workload.from_table(table).with_changes(**changes)


def _tecator(part: str) -> Sequences:
    """Return near-infrared spectra of meat, 20 steps of 5 channels, and the share of fat, moved and scaled."""
    text = member_of(vowels._WHEEL, f"sktime/datasets/data/Tecator/Tecator_{part}.ts").read().decode()
    rows = [line.split(":") for line in text.partition("@data")[2].split()]
    x = np.stack([np.array(values.split(","), np.float32) for values, _ in rows])
    x = x - x.mean(axis=1, keepdims=True)
    fat = np.array([[(float(y) - 18.0) / 13.0] for _, y in rows], np.float32)
    return Sequences(x.reshape(-1, 5), np.full(len(x), 20, np.int64), fat)


def _torch_trained(torch, workload: Workload, recordings: Recordings, loss) -> tuple[float, list[float]]:
    """Train torch.nn.GRU by torch's AdamW on the trainer's first weights and batches; return figure and losses."""
    training, (train_part, test), width = workload.training, (recordings.train, recordings.test), workload.hidden[0]
    first = from_flat(first_weights(workload, recordings), sizes_of(workload, recordings))
    W_x, W_h, bias, W_out, bias_out = (torch.tensor(array.copy()) for array in first.arrays())
    rnn = torch.nn.GRU(train_part.features, width).double()
    head = torch.nn.Linear(width, recordings.classes).double()
    kept = torch.arange(3 * width) >= 2 * width  # gates r and z have one bias in the trainer
    second = torch.cat([torch.zeros(2 * width), bias[3 * width :]])
    parameters = [*rnn.parameters(), *head.parameters()]
    with torch.no_grad():
        for mine, told in zip(parameters, (W_x, W_h, bias[: 3 * width], second, W_out, bias_out), strict=True):
            mine.copy_(told)
    rnn.bias_hh_l0.register_hook(lambda gradient: gradient * kept)

    def run(part: Sequences, chosen: Array):
        x, _ = part.padded(chosen)
        h, _ = rnn(torch.tensor(np.eye(part.vocabulary)[x] if part.vocabulary else x).double())
        wanted = torch.tensor(part.wanted(chosen))
        return head(h if part.stepwise else h[-1]), wanted.double() if wanted.is_floating_point() else wanted

    optimiser = torch.optim.AdamW(parameters, lr=training.learning_rate, weight_decay=0.0)
    order, losses = list(batches(workload, train_part)), [0.0] * training.epochs
    for update, (epoch, chosen) in enumerate(order):
        optimiser.param_groups[0]["lr"] = learning_rate(training, update, len(order), ())
        optimiser.zero_grad()
        found = loss(*run(train_part, chosen))
        found.backward()
        torch.nn.utils.clip_grad_norm_(parameters, training.clip_norm)
        optimiser.step()
        losses[epoch] += float(found.detach()) * len(chosen) / len(train_part)
    with torch.no_grad():
        outputs, wanted = run(test, np.arange(len(test)))
        if wanted.is_floating_point():
            return float(torch.nn.functional.mse_loss(outputs, wanted)), losses
        if workload.task == "next_word":
            return float(torch.nn.functional.cross_entropy(outputs.flatten(0, 1), wanted.flatten()).exp()), losses
        return float((outputs.argmax(dim=-1) == wanted).double().mean()), losses


@pytest.fixture
def torch():
    found = pytest.importorskip("torch")
    threads = found.get_num_threads()
    found.set_num_threads(1)
    yield found
    found.set_num_threads(threads)


def test_regression_on_tecator_is_as_good_as_torch(torch) -> None:
    recordings = standardised(Recordings("tecator", "", "", 1, _tecator("TRAIN"), _tecator("TEST")))
    workload = _workload("regression", "last", training__precision="float64")
    workload = workload.with_changes(training__epochs=30, training__dense_epochs=30, training__learning_rate=0.02)
    trained = train(workload, recordings)
    wanted, losses = _torch_trained(torch, workload, recordings, torch.nn.functional.mse_loss)
    np.testing.assert_allclose([counts.loss for counts in trained.epochs], losses, rtol=1e-3)
    assert trained.evaluation.figure == pytest.approx(wanted, rel=1e-2)
    assert trained.evaluation.figure < 0.1 * recordings.test.labels.var(), trained.evaluation.figure
    delta = train(workload.with_changes(training__dense_epochs=15), recordings)
    assert delta.evaluation.figure < 0.2 * recordings.test.labels.var(), delta.evaluation.figure


def _pairs(part: Sequences, count: int, rng: np.random.Generator) -> Sequences:
    """Return pairs of vowel recordings one after the other, cut to 14 steps; the label of a step is its speaker."""
    chosen = [part.take(rng.integers(0, len(part), 2)) for _ in range(count)]
    rows = [np.concatenate([np.arange(7), steps.lengths[0] + np.arange(7)]) for steps in chosen]
    labels = [np.repeat(steps.labels, 7) for steps in chosen]
    values = np.concatenate([steps.values[row] for steps, row in zip(chosen, rows, strict=True)])
    return Sequences(values, np.full(count, 14, np.int64), np.concatenate(labels), stepwise=True)


def test_labelling_of_steps_is_as_good_as_torch(torch) -> None:
    spoken, rng = vowels.load(), np.random.default_rng(3)
    recordings = Recordings("speakers", "", "", 9, _pairs(spoken.train, 160, rng), _pairs(spoken.test, 100, rng))
    workload = _workload("labelling", "every", training__precision="float64")
    workload = workload.with_changes(training__epochs=12, training__dense_epochs=12, training__learning_rate=0.02)
    trained = train(workload, recordings)
    wanted, losses = _torch_trained(
        torch, workload, recordings, lambda out, y: torch.nn.functional.cross_entropy(out.flatten(0, 1), y.flatten())
    )
    np.testing.assert_allclose([counts.loss for counts in trained.epochs], losses, rtol=1e-3)
    assert trained.evaluation.accuracy == pytest.approx(wanted, abs=0.01)
    assert trained.evaluation.accuracy > 0.7, trained.evaluation.accuracy
    delta = train(workload.with_changes(training__dense_epochs=6), recordings)
    assert delta.evaluation.accuracy > wanted - 0.05


def _letters(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return letters 0 to 4, of which each is followed by its own successor, or one time in five by any letter."""
    letters = [0]
    for stray in rng.random(count - 1) < 0.2:
        letters.append(int(rng.integers(5)) if stray else (2 * letters[-1] + 1) % 5)
    return np.array(letters)


def test_next_words_in_windows_are_learned_as_well_as_by_torch(torch) -> None:
    rng = np.random.default_rng(5)
    text = Tokens(tuple("abcde"), *(_letters(count, rng) for count in (1921, 961, 961)))
    recordings = replace(windows_of(text, 20, "letters", "here"), validation=None)
    workload = _workload("next_word", "every", training__precision="float64")
    workload = workload.with_changes(training__epochs=8, training__dense_epochs=8, training__learning_rate=0.02)
    trained = train(workload, recordings)
    wanted, losses = _torch_trained(
        torch, workload, recordings, lambda out, y: torch.nn.functional.cross_entropy(out.flatten(0, 1), y.flatten())
    )
    np.testing.assert_allclose([counts.loss for counts in trained.epochs], losses, rtol=1e-3)
    assert trained.evaluation.figure == pytest.approx(wanted, rel=1e-2)
    best = np.exp(-(0.84 * np.log(0.84) + 4 * 0.04 * np.log(0.04)))  # of who knows the successor's share, 0.8 + 0.2 / 5
    assert 0.9 * best < trained.evaluation.figure < 1.2 * best, (trained.evaluation.figure, best)
    delta = train(workload.with_changes(training__dense_epochs=4), recordings)
    assert 0.9 * best < delta.evaluation.figure < 1.25 * best, (delta.evaluation.figure, best)


def test_perplexity_counts_each_word_once_in_windows_of_any_length() -> None:
    rng = np.random.default_rng(0)
    text = Tokens(tuple("abcde"), *(_letters(count, rng) for count in (12, 9, 16)))
    part = windows_of(text, 7, "letters", "here").test
    sizes = Sizes(CELLS.load("delta_lstm"), 5, (4,), 5)
    network = Network(sizes, ((0.1, 0.1),), "every", 0.0, task="next_word")
    parameters = initial_parameters(sizes, rng, np.dtype(np.float64))
    logs = []
    for window in range(3):  # 7, 7 and 1 words
        outputs = forward(network, parameters, *part.padded(np.array([window]))).logits
        chances = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        logs += [np.log(row[word]) for row, word in zip(chances, text.test[1 + 7 * window :][:7], strict=True)]
    assert len(logs) == 15
    assert evaluate(network, parameters, part).figure == pytest.approx(np.exp(-np.mean(logs)))


def test_regression_of_every_step_learns_a_delayed_sum() -> None:
    rng = np.random.default_rng(0)

    def part(count: int) -> Sequences:
        x = rng.standard_normal((count, 12, 2)).astype(np.float32)
        y = np.stack([x.cumsum(axis=1)[..., 0] / 4, np.roll(x[..., 1], 1, axis=1) * (np.arange(12) > 0)], axis=-1)
        return Sequences(x.reshape(-1, 2), np.full(count, 12, np.int64), y.reshape(-1, 2).astype(np.float32), True)

    recordings = Recordings("sums", "", "", 2, part(120), part(60))
    trained = train(_workload("regression", "every"), recordings)
    assert trained.evaluation.figure < 0.1 * recordings.test.labels.var()
    assert trained.epochs[-1].accuracy is None and trained.epochs[-1].figure == trained.evaluation.figure


def test_a_task_and_its_recordings_must_fit(drifts: Recordings) -> None:
    with pytest.raises(ConfigError, match=r"takes numbers of each sequence, and data set 'drifts' has a class of each"):
        train(_workload("regression", "last"), drifts)
    for changes, line in (
        ({"readout": "last", "task": "labelling"}, "readout must be 'every' for task 'labelling', not 'last'"),
        ({"readout": "last", "task": "next_word"}, "readout must be 'every' for task 'next_word', not 'last'"),
        ({"task": "regression", "training__class_weights": "balanced"}, "task 'regression' has no classes"),
        ({"task": "regresion"}, "'regresion' is not known"),
    ):
        with pytest.raises(ConfigError, match=line):
            _workload("classification", "every", **changes)


@pytest.mark.parametrize("task", ["classification", "labelling", "next_word", "regression"])
def test_gates_compute_every_task(task: str) -> None:
    assert learning_limits(_workload(task, "every"), "fidelity 'rtl'") == []


FORMS = {
    "numbers": (np.arange(12.0).reshape(4, 3), (4, 3)),
    "step_numbers": (np.arange(24.0).reshape(4, 6), (19, 1)),
    "step_classes": (np.arange(24).reshape(4, 6) % 5, (19,)),
}


@pytest.mark.parametrize("targets", FORMS)
@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_targets_are_read(tmp_path: Path, kind: str, targets: str) -> None:
    y, shape = FORMS[targets]
    lengths, x = np.array([6, 4, 5, 4]), np.random.default_rng(0).standard_normal((4, 6, 2)).astype(np.float32)
    steps = [(n, t) for n in range(4) for t in range(lengths[n])]
    if kind == "npz":
        np.savez(tmp_path / "a.npz", x=x, y=y, lengths=lengths)
    else:
        text, wide = io.StringIO(), targets == "numbers"
        text.write("sequence,step,a,b," + ("u,v,w" if wide else "label") + "\n")
        for n, t in steps:
            told = y[n] if wide else [y[n, t]]
            text.write(f"s{n},{t},{x[n, t, 0]},{x[n, t, 1]}," + ",".join(map(str, told)) + "\n")
        (tmp_path / "a.csv").write_text(text.getvalue())
    dataset = {"path": str(tmp_path / f"a.{kind}"), "targets": targets, "standardise": "none", "split": {"test": 0.25}}
    if kind == "csv" and targets == "numbers":
        dataset["columns"] = {"numbers": ["u", "v", "w"]}
    table = _workload("classification", "last").model_dump(mode="json") | {"dataset": dataset}
    recordings = Workload.from_table(table).dataset.load()
    assert recordings.train.wants == recordings.test.wants == targets
    found = np.concatenate([recordings.test.labels, recordings.train.labels])
    assert found.shape == shape
    told = [y[n] for n in range(4)] if targets == "numbers" else [y[n, t] for n, t in steps]
    key = sorted(map(str, np.array(told, found.dtype).reshape(shape).tolist()))
    assert sorted(map(str, found.tolist())) == key


@pytest.mark.parametrize(
    ("y", "targets", "line"),
    [
        (np.zeros(3), "numbers", "accepted are numbers of shape \\(sequences, outputs\\)"),
        (np.zeros((4, 2)), "step_numbers", "accepted are numbers of shape \\(sequences, steps, outputs\\)"),
        (np.zeros((4, 6)), "step_classes", "accepted are integers or texts of shape \\(sequences, steps\\)"),
        (np.full(4, np.nan), "numbers", "labels must be finite numbers, not \\[nan\\]"),
    ],
)
def test_wrong_targets_are_said(tmp_path: Path, y: Array, targets: str, line: str) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((4, 6, 2)), y=y)
    dataset = {"path": str(tmp_path / "a.npz"), "targets": targets}
    table = _workload("classification", "last").model_dump(mode="json") | {"dataset": dataset}
    with pytest.raises(ConfigError, match=line):
        Workload.from_table(table).dataset.load()


def test_evaluation_of_numbers_is_their_mean_squared_error() -> None:
    rng = np.random.default_rng(0)
    sizes = Sizes(CELLS.load("delta_rnn"), 2, (3,), 2)
    network = Network(sizes, ((0.1, 0.1),), "last", 0.0, task="regression")
    parameters = initial_parameters(sizes, rng, np.dtype(np.float64))
    part = Sequences(rng.standard_normal((12, 2)).astype(np.float32), np.array([5, 3, 4]), np.ones((3, 2), np.float32))
    outputs = forward(network, parameters, *part.padded(np.arange(3))).logits
    found = evaluate(network, parameters, part)
    assert found.figure == pytest.approx(float(((outputs - 1) ** 2).mean())) == pytest.approx(found.loss)
