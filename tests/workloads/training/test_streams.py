"""Truncated back-propagation through time: windows of streams whose state is carried or reset, down to one stream."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.fidelity import analytic
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.data.found import Tokens
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.data.windows import streams_of, windows_of
from deltatrain.workloads.lowering.step_programs import program_of, recorded_program, shape_of
from deltatrain.workloads.network.network import forward, from_flat
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.training import learning_state
from deltatrain.workloads.training.drawing import INITIAL, generator
from deltatrain.workloads.training.evaluation import evaluate
from deltatrain.workloads.training.operations import matrix_macs
from deltatrain.workloads.training.streams import Truncation, epoch_updates, training_batches, windows
from deltatrain.workloads.training.training import (
    initial_parameters,
    network_of,
    sizes_of,
    train,
)
from deltatrain.workloads.training.updates import learning_rate
from deltatrain.workloads.weight_masks import counts
from deltatrain.workloads.workload import Workload


def _workload(**changes: object) -> Workload:
    table = {
        "name": "words",
        "dataset": "digits",
        "cell": "delta_lstm",
        "hidden": [12],
        "theta_x": 0.1,
        "theta_h": 0.05,
    }
    training = {"epochs": 4, "batch": 4, "learning_rate": 0.02, "truncate_steps": 10, "precision": "float64", "seed": 1}
    words = {"task": "next_word", "readout": "every", "embedding": {"width": 6}}
    return Workload.from_table(table | words | {"training": training}).with_changes(**changes)


def _counting(count: int, rng: np.random.Generator) -> Array:
    """Return words of which each one is the sum of the two before, but for one in ten: more than one word tells it."""
    words = [1, 2]
    for stray in rng.random(count - 2) < 0.1:
        words.append(int(rng.integers(7)) if stray else (words[-1] + words[-2]) % 7)
    return np.array(words)


@pytest.fixture(scope="module")
def text() -> Tokens:
    rng = np.random.default_rng(2)
    return Tokens(tuple("abcdefg"), *(_counting(count, rng) for count in (1609, 405, 405)))


@pytest.fixture(scope="module")
def streams(text: Tokens) -> Recordings:
    return streams_of(text, 4, "sums", "here")


def _first(workload: Workload, recordings: Recordings) -> Any:
    rng, bias = generator(workload.training, INITIAL, 0), workload.training.forget_bias
    return initial_parameters(sizes_of(workload, recordings), rng, workload.dtype, bias)


def _torch_losses(torch: Any, workload: Workload, recordings: Recordings) -> tuple[list[float], float]:
    """Train torch.nn.Embedding, LSTM and Linear likewise, state carried from window to window; return losses, test."""
    training, first = workload.training, _first(workload, recordings)
    (layer,), vocabulary, width = first.layers, recordings.classes, workload.hidden[0]
    lstm = torch.nn.LSTM(workload.embedding.width, width, batch_first=True).double()
    embedding, head = torch.nn.Embedding(vocabulary, workload.embedding.width), torch.nn.Linear(width, vocabulary)
    model = torch.nn.ModuleList([embedding, lstm, head]).double()
    lstm.bias_hh_l0.requires_grad_(False)  # the trainer has one bias
    told = (first.embedding, layer.W_x, layer.W_h, layer.bias, 0 * layer.bias, first.W_out, first.bias_out)
    with torch.no_grad():
        for mine, array in zip(model.parameters(), told, strict=True):
            mine.copy_(torch.tensor(array))
    learned = [one for one in model.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=training.learning_rate, weight_decay=0.0)

    def run(words: Array, wanted: Array, state: Any) -> tuple[Any, Any]:
        h, state = lstm(embedding(torch.tensor(words.T)), state)
        outputs = head(h).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(outputs, torch.tensor(wanted.T).flatten())
        return loss, tuple(part.detach() for part in state)

    (text, _, wanted), steps = recordings.train.batch(np.arange(training.batch)), training.truncate_steps
    starts = range(0, len(text), steps)
    losses = np.zeros(training.epochs)
    for epoch in range(training.epochs):
        state = None
        for window, start in enumerate(starts):
            rows = slice(start, start + steps)
            update = epoch * len(starts) + window
            optimiser.param_groups[0]["lr"] = learning_rate(training, update, training.epochs * len(starts), ())
            optimiser.zero_grad()
            loss, state = run(text[rows], wanted[rows], state)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learned, training.clip_norm)
            optimiser.step()
            losses[epoch] += loss.item() * len(text[rows]) / len(text)
    with torch.no_grad():
        text, _, wanted = recordings.test.batch(np.arange(training.batch))
        return losses.tolist(), float(run(text, wanted, None)[0].exp())


def test_a_word_model_on_streams_learns_as_in_torch(streams: Recordings) -> None:
    torch = pytest.importorskip("torch")
    part, workload = streams.train, _workload(training__dense_epochs=4)
    even = replace(streams, train=part, validation=None)
    assert len(set(part.lengths.tolist())) == 1, "torch has no ragged streams here"
    trained, (losses, perplexity) = train(workload, even), _torch_losses(torch, workload, even)
    np.testing.assert_allclose([counts.loss for counts in trained.epochs], losses, rtol=1e-9)
    assert trained.evaluation.figure == pytest.approx(perplexity, rel=1e-9)
    best = np.exp(-(0.9 + 0.1 / 7) * np.log(0.9 + 0.1 / 7) - 6 * (0.1 / 7) * np.log(0.1 / 7))  # of who knows the rule
    assert best < trained.evaluation.figure < 7


def test_a_thresholded_word_model_learns_as_well_as_the_dense_one(text: Tokens) -> None:
    streams = streams_of(text, 4, "sums", "here")
    changes = {"training__epochs": 12, "training__batch": 4, "hidden": [24]}
    dense = train(_workload(**changes, training__dense_epochs=12), streams).evaluation.figure
    delta = train(_workload(**changes, training__dense_epochs=6), streams).evaluation.figure
    assert dense < 3 and abs(np.log(delta / dense)) < 0.1, (dense, delta)


@pytest.mark.parametrize("state", ["carried", "reset"])
def test_one_stream_is_learned_from_with_an_update_every_few_steps(text: Tokens, state: str) -> None:
    """Online: batch 1. Reset windows are those that the data set cuts, in the text's order."""
    one = streams_of(text, 1, "sums", "here")
    workload = _workload(training__batch=1, training__epochs=1, training__window_state=state)
    trained = train(workload, one)
    assert epoch_updates(one.train.lengths, workload.training) == 161 == -(-1608 // 10)
    recorded = trained.recorded[-1]
    assert recorded.update == 161 and recorded.lengths.tolist() == [10]
    assert recorded.carried == (state == "carried") == any(mask[0].any() for mask in recorded.fired_h)
    if state == "reset":
        cut = windows_of(text, 10, "sums", "here")
        network = network_of(workload, trained.sizes, 0)
        found = evaluate(network, trained.parameters, cut.test)
        assert found.figure == pytest.approx(trained.evaluation.figure)
        assert found.fired == trained.evaluation.fired


def test_windows_keep_what_still_runs() -> None:
    lengths = np.array([5, 12, 7, 4])
    part = Sequences(np.arange(28) % 7, lengths, np.arange(28) % 5, stepwise=True, vocabulary=7)
    found = list(windows(part, np.array([1, 0, 3, 2]), Truncation(4)))
    assert [one.lengths.tolist() for one in found] == [[4, 4, 4, 4], [4, 1, 3], [4]]
    assert [one.going.tolist() for one in found] == [[], [0, 1, 3], [0]]
    assert [one.weight for one in found] == [16, 8, 4]
    read = [np.concatenate([one.x[: one.lengths[0], 0] for one in found]), found[1].x[:1, 1], found[1].x[:3, 2]]
    for words, wanted in zip(read, (np.arange(5, 17), [4], np.arange(21, 24)), strict=True):
        assert words.tolist() == [word % 7 for word in wanted]


def test_every_epoch_has_as_many_updates_in_an_order_of_its_own() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 50)
    training = _workload().training
    orders = [training_batches(lengths, training, np.random.default_rng(epoch)) for epoch in range(5)]
    updates = {sum(-(-int(lengths[one].max()) // 10) for one in order) for order in orders}
    assert updates == {epoch_updates(lengths, training)}
    assert len({str(order) for order in orders}) > 1


@pytest.mark.parametrize("theta", [0.0, 0.2])
def test_evaluation_is_of_the_running_stream_whatever_its_windows(streams: Recordings, theta: float) -> None:
    workload = _workload(theta_x=theta, theta_h=theta)
    sizes, parameters = sizes_of(workload, streams), _first(workload, streams)
    network = network_of(workload, sizes, 0)
    whole = evaluate(network, parameters, streams.test)
    for steps in (1, 7, 1000):
        found = evaluate(network, parameters, streams.test, Truncation(steps))
        assert found.figure == pytest.approx(whole.figure, rel=1e-12)
        assert found.loss == pytest.approx(whole.loss, rel=1e-12)
        assert found.fired.fired_x == whole.fired.fired_x and found.fired.fired_h == whole.fired.fired_h


def test_recorded_windows_go_on_from_the_one_before_and_are_kept(streams: Recordings, tmp_path: Path) -> None:
    workload = _workload()
    trained = train(workload, streams)
    trace = trained.trace(streams)
    step = trace.recorded[-1]
    assert step.carried and step.words is not None and step.words.shape == (10, 4) and trace.inputs == 6
    assert step.fired_h[0][0].any()
    trace.save(tmp_path / "a.npz")
    again = Trace.load(tmp_path / "a.npz")
    assert again == trace and again.recorded[-1].carried
    np.testing.assert_array_equal(again.recorded[-1].words, step.words)
    in_text = {tuple(streams.train.padded(np.array([n]))[0][10:20, 0]) for n in range(4)}
    assert {tuple(words) for words in step.words.T} == in_text
    network = network_of(workload, trained.sizes, 3)
    anew = forward(network, trained.parameters, step.words, step.lengths)
    assert not anew.tapes[0].fired_h[:4].any()


def test_counts_of_carried_windows_are_what_fires_and_what_goes_back(streams: Recordings) -> None:
    trained = train(_workload(), streams)
    counts, sizes = trained.epochs[-1], trained.sizes
    steps = int(streams.train.lengths.sum())
    firsts = sum(len(one.lengths) for one in windows(streams.train, np.arange(4), Truncation(10)))
    assert counts.steps_h == ((steps - 4) * 12,) and counts.carried_steps_h == ((firsts - 4) * 12,)
    assert 0 < counts.carried_h[0] < counts.fired_h[0]
    macs = matrix_macs(counts, sizes, "every")
    products = (counts.fired_x[0] + counts.fired_h[0]) * 48
    assert macs.fp == macs.wg == products + steps * 7 * 12
    assert macs.bp == macs.fp - counts.carried_h[0] * 48
    assert macs.dense_bp == macs.dense_fp - counts.carried_steps_h[0] * 48


def test_training_goes_on_where_it_was_stopped(streams: Recordings, tmp_path: Path) -> None:
    whole = train(_workload(), streams, state_path=tmp_path / "whole.npz")
    assert learning_state.load(tmp_path / "whole.npz", _workload().digest()).updates == whole.recorded[-1].update

    class StoppedError(Exception):
        pass

    def stop(progress: Any) -> None:
        if progress.epoch == 2:
            raise StoppedError

    path = tmp_path / "state.npz"
    with pytest.raises(StoppedError):
        train(_workload(), streams, state_path=path, on_progress=stop)
    again = train(_workload(), streams, state_path=path, resume=True)
    np.testing.assert_array_equal(again.parameters.flat(), whole.parameters.flat())
    assert again.epochs == whole.epochs and again.trace(streams) == whole.trace(streams)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"readout": "last", "task": "classification", "embedding": None},
            "must be left out with read-out 'last'",
        ),
        ({"task": "classification", "embedding": None}, "task 'classification', of whole sequences"),
        ({"training__truncate_steps": None, "training__window_state": "reset"}, "window_state 'reset' is of windows"),
        ({"task": "labelling"}, "embedding is of task 'next_word', not of 'labelling'"),
        ({"embedding": {"width": 6, "tied": True}}, "embedding.width must be 12, as wide as the last layer"),
        ({"embedding": {"width": 0}}, "embedding.width must be a positive integer"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], line: str) -> None:
    table = _workload().model_dump(mode="json", exclude_none=True)
    for path, value in changes.items():
        target, *rest = path.split("__")
        if rest:
            table[target][rest[0]] = value
        else:
            table[target] = value
    table["training"] = {name: value for name, value in table["training"].items() if value is not None}
    with pytest.raises(ConfigError, match=line):
        Workload.from_table({name: value for name, value in table.items() if value is not None})


def test_words_and_embeddings_need_each_other(drifts: Recordings, streams: Recordings) -> None:
    labels = np.zeros(len(drifts.train.values), np.int64)
    parts = {n: replace(p, labels=labels[: len(p.values)], stepwise=True) for n, p in drifts.parts().items()}
    with pytest.raises(ConfigError, match="embedding must be left out: data set 'drifts' has no words"):
        train(_workload(), replace(drifts, **parts))
    wide = replace(
        streams,
        classes=20_000_000,
        **{name: replace(part, vocabulary=20_000_000) for name, part in streams.parts().items()},
    )
    with pytest.raises(ConfigError, match=r"one-hot in a vocabulary of 20,000,000, .* give an embedding"):
        train(_workload(embedding=None), wide)


def test_a_damaged_step_of_words_is_refused(streams: Recordings) -> None:
    trained = train(_workload(training__epochs=1), streams)
    trace = trained.trace(streams)
    step = trace.recorded[-1]

    def refused(changed: RecordedStep, line: str) -> None:
        with pytest.raises(ConfigError, match=line):
            replace(trace, recorded=(changed,))

    refused(replace(step, words=None), "words must be int64 of shape")
    refused(replace(step, words=step.words + 7), "words must be from 0 to 6")
    refused(replace(step, carried=False), r"fired_h\[0\] must be false where there is no h")
    with pytest.raises(ConfigError, match=r"inputs must be 6, as embedding\.width says, not 7"):
        replace(trace, inputs=7)
    assert from_flat(trained.parameters.flat(), trained.sizes).embedding.shape == (7, 6)


@pytest.mark.parametrize("tied", [False, True])
def test_the_weights_of_a_network_of_words_are_sparse_its_table_too(
    streams: Recordings, tmp_path: Path, tied: bool
) -> None:
    """With an average that begins and masks that move; an interrupted training ends with the same bits."""
    workload = _workload(
        embedding={"width": 12, "tied": tied},
        sparsity={"rule": "rigl", "density": 0.4},
        training__clipped_gradient="all",
        training__optimiser="snt_asgd",
        training__learning_rate=0.5,
        training__epochs=9,
    )
    trained = train(workload, streams)
    found = from_flat(trained.mask, trained.sizes).arrays()
    assert tuple(int(mask.sum()) for mask in found) == counts(trained.sizes, workload.sparsity)
    assert len(found[-1].shape) == (1 if tied else 2) and not trained.parameters.flat()[~trained.mask].any()
    path = tmp_path / "state.npz"

    def stop(progress: Any) -> None:
        if progress.epoch == 7:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train(workload, streams, state_path=path, on_progress=stop)
    again = train(workload, streams, state_path=path, resume=True)
    np.testing.assert_array_equal(again.parameters.flat(), trained.parameters.flat())
    if not tied:
        trace = trained.trace(streams)
        trace.save(tmp_path / "a.npz")
        assert Trace.load(tmp_path / "a.npz") == trace and len(trace.recorded[-1].weights) == 3
        whole, thin = (
            program_of(Architecture.named("edge"), shape_of(trace), trace.recorded[-1], "every"),
            recorded_program(Architecture.named("edge"), trace, trace.recorded[-1]),
        )
        tables = [[one for one in program.tensors if one.stream == "words"] for program in (whole, thin)]
        assert tables[0] == tables[1] and len(tables[0]) == 2
        assert all(one.compressed is not None for one in thin.tensors if one.stream != "words")
        assert analytic.count(thin).phases["FP"].macs < 0.5 * analytic.count(whole).phases["FP"].macs
