"""A course: which classes come when, what is kept of them, what the teacher says, and going on after a stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.incremental import learning, lesson
from deltatrain.workloads.incremental.course import Course, in_order
from deltatrain.workloads.incremental.distillation import chances_of
from deltatrain.workloads.incremental.learning import course_of
from deltatrain.workloads.network.network import forward, from_flat, initial_parameters
from deltatrain.workloads.training.drawing import INITIAL, generator
from deltatrain.workloads.training.learning_state import LearningState
from deltatrain.workloads.workload import Workload

COURSE = Course(first=2, more=2, exemplars=12)
CLASSES = 6


def _recordings(seed: int = 0) -> Recordings:
    """Six classes of sines, each with a frequency of its own; feature 3 is the number of the class."""
    rng = np.random.default_rng(seed)

    def part(of_each: int) -> Sequences:
        labels = np.repeat(np.arange(CLASSES), of_each)
        lengths = rng.integers(5, 9, len(labels))
        waves = [
            np.stack(
                [np.sin(0.6 * (one + 1) * np.arange(n)), np.cos(0.5 * one * np.arange(n)), np.full(n, one)], axis=1
            )
            + 0.05 * rng.standard_normal((n, 3))
            for one, n in zip(labels, lengths, strict=True)
        ]
        return Sequences(np.concatenate(waves).astype(np.float32), lengths, labels)

    return Recordings("waves", "none", "here", CLASSES, part(8), part(4), class_names=tuple("abcdef"))


def _workloads() -> tuple[Workload, Workload]:
    changes = {"cell": "delta_lstm", "readout": "every", "hidden": [7], "training.batch": 4, "training.dense_epochs": 0}
    first = Workload.named("vowels", changes | {"training.epochs": 3, "training.learning_rate": 0.02})
    return first, first.with_changes(training__epochs=2, training__schedule="constant", training__warm_up=0.0)


def test_classes_come_in_the_order_of_the_seed_with_their_recordings() -> None:
    recordings = _recordings()
    ordered = in_order(recordings, 5)
    assert sorted(ordered.class_names) == list("abcdef") and ordered.class_names != recordings.class_names
    assert_array_equal(ordered.train.values, recordings.train.values)
    for before, now in zip(recordings.train.labels, ordered.train.labels, strict=True):
        assert ordered.class_names[now] == recordings.class_names[before]
    assert COURSE.known(CLASSES) == (2, 4, 6)
    assert Course(20, 3, 1).known(35) == (20, 23, 26, 29, 32, 35)
    assert Course(20, 3, 1).known(34)[-1] == 32
    with pytest.raises(ConfigError, match="the first task has 20 classes, and there are 6"):
        Course(20, 3, 1).known(6)


def test_a_task_has_its_classes_and_those_kept_and_a_teacher_that_knew_only_those(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    learned = learning.lessons.learned
    monkeypatch.setattr(learning.lessons, "learned", lambda one, *rest: seen.append(one) or learned(one, *rest))
    found = course_of(*_workloads(), COURSE, _recordings(), tmp_path)
    assert [one.classes for one in found] == [2, 4, 6]
    for number, one in enumerate(seen):
        old = 2 + 2 * number
        counts = np.bincount(one.train.labels)
        assert counts.tolist() == [COURSE.exemplars // old] * old + [8, 8]
        assert np.unique(one.test.labels).tolist() == list(range(old + 2))
        assert one.teacher.chances.labels.shape == (len(one.train.values), old)
        assert one.parameters.W_out.shape == (old + 2, 7)
    first, second = seen
    trace, train = found[1].trace, second.train
    assert trace.classes == 4 and len(trace.epochs) == len(trace.recorded) == 2
    herding = sum(int(second.train.lengths[second.train.labels == new].sum()) for new in (4, 5))
    teaching = int(train.lengths[train.labels < 4].sum())
    assert found[2].passed_steps > herding + teaching  # and the means of all six
    assert found[2].passed_steps - herding - teaching <= COURSE.exemplars * 8
    assert 1 / 6 < found[-1].accuracy <= 1 and 0 <= found[-1].readout_accuracy <= 1
    assert first.digest() != second.digest() == second._replace(workload=first.workload).digest()


def test_what_the_teacher_says_is_of_each_step_of_each_recording() -> None:
    first, _ = _workloads()
    ordered = _recordings()
    sizes = learning.network_sizes(first, 3, CLASSES)
    network = learning.network_of(first, sizes, 2)
    parameters = initial_parameters(sizes, generator(first.training, INITIAL, 0), first.dtype)
    said = lesson.taught_by(network, parameters, ordered.test)
    begins = np.cumsum(said.lengths) - said.lengths
    for number, (begin, length) in enumerate(zip(begins, said.lengths, strict=True)):
        alone = forward(network, parameters, *ordered.test.padded(np.array([number])))
        assert_allclose(said.labels[begin : begin + length], chances_of(alone.logits), rtol=1e-5)


def test_a_read_out_grows_and_what_was_known_stays() -> None:
    first, _ = _workloads()
    sizes = learning.network_sizes(first, 3, 2)
    before = initial_parameters(sizes, np.random.default_rng(0), first.dtype)
    after = lesson.widened(before, 5, first)
    assert after.W_out.shape == (5, 7) and after.bias_out.shape == (5,) and after.W_out.dtype == first.dtype
    assert_array_equal(after.W_out[:2], before.W_out)
    assert_array_equal(after.bias_out[:2], before.bias_out)
    assert 0 < np.abs(after.W_out[2:]).max() <= 1 / np.sqrt(7)


class _StoppedError(Exception):
    pass


def test_stopped_anywhere_it_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    pair, recordings = _workloads(), _recordings()
    whole = course_of(*pair, COURSE, recordings, _made(tmp_path / "whole"))

    told: list[tuple[int, int]] = []

    def stop(task: int, epoch: int) -> None:
        told.append((task, epoch))
        if told[-1] in ((1, 0), (2, 1)):
            raise _StoppedError

    folder = _made(tmp_path / "stopped")
    for _ in range(2):
        with pytest.raises(_StoppedError):
            course_of(*pair, COURSE, recordings, folder, stop)
    assert told == [(1, 0), (1, 1), (2, 0), (2, 1)]
    again = course_of(*pair, COURSE, recordings, folder)
    assert [one[:3] for one in again] == [one[:3] for one in whole]
    states = [sorted(file.name for file in one.iterdir()) for one in (folder, tmp_path / "whole")]
    assert states[0] == states[1] and len(states[0]) == 3
    for one, other in zip(again, whole, strict=True):
        assert one.trace.epochs == other.trace.epochs
        assert one.passed_steps == other.passed_steps


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_task_begins_with_the_average_that_the_optimiser_of_the_one_before_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, then = _workloads()
    begun, left = list[lesson.Lesson](), list[LearningState]()
    learned = lesson.learned

    def noted(one: lesson.Lesson, *rest: Any) -> LearningState:
        begun.append(one)
        left.append(learned(one, *rest))
        return left[-1]

    monkeypatch.setattr(learning.lessons, "learned", noted)
    for optimiser in ("asgd", "nt_asgd"):
        course_of(first, then.with_changes(training__optimiser=optimiser), COURSE, _recordings(), tmp_path)
    sizes = begun[0].sizes
    average = from_flat(left[0].optimiser["average"], sizes)
    assert_array_equal(begun[1].parameters.W_out[: sizes.classes], average.W_out)
    assert_array_equal(begun[1].parameters.layers[0].W_x, average.layers[0].W_x)
    assert np.abs(average.W_out - from_flat(left[0].parameters, sizes).W_out).max() > 0
    losses = left[2].optimiser["losses"][-2:]  # of the two epochs of a task by nt_asgd
    assert (losses > 0).all() and (losses < 100).all()


def test_a_class_without_a_training_recording_is_refused_by_name(tmp_path: Path) -> None:
    recordings = _recordings()
    train = recordings.train.take(np.flatnonzero(recordings.train.labels != 4))
    with pytest.raises(ConfigError, match="class 'e' has no training recording"):
        course_of(*_workloads(), COURSE, replace(recordings, train=train), tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"readout": "last"}, "readout = 'every'"),
        ({"sparsity__rule": "static", "sparsity__density": 0.5}, "sparsity.density must be 1"),
        ({"training__class_weights": "balanced"}, "training.class_weights must be left out"),
        ({"cell": "lif", "theta_x": 0, "theta_h": 0, "training__rule": "ottt"}, "training.rule must be 'bptt'"),
        ({"training__numbers": Architecture.named("edge").engine.numbers.model_dump(mode="json")}, "training.numbers"),
    ],
)
def test_a_workload_that_learns_otherwise_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    first, then = _workloads()
    with pytest.raises(ConfigError, match=said):
        course_of(first, then.with_changes(**changes), COURSE, _recordings(), tmp_path)
