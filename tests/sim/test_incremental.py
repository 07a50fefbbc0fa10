"""The study of incremental learning: its table on recordings like Speech Commands, and what a task costs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recording_files as files

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.studies import _training, incremental
from deltatrain.sim.studies._comparisons import comparisons
from deltatrain.sim.studies._incremental_cost import task_cost
from deltatrain.sim.whole_training import cost_of, whole_training
from deltatrain.workloads.dataset import recordings_of
from deltatrain.workloads.incremental.course import Course
from deltatrain.workloads.incremental.learning import course_of

WORDS = ("go", "no", "off", "on", "up", "yes")
EDGE = Architecture.named("edge")


def _short(settings: incremental.Settings) -> incremental.Settings:
    changes = settings.changes | {"training.epochs": 4, "training.dense_epochs": 1, "hidden": [9]}
    trials = {name: trial for name, trial in settings.trials.items() if name != "LSTM, at once"}
    return settings._replace(changes=changes, later=settings.later | {"training.epochs": 3}, trials=trials)


def _in_this_process(jobs: dict[Any, Any], progress: Any, stage: str) -> dict[Any, Any]:
    return {key: job() for key, job in jobs.items()}


def test_it_is_repeated_on_speech_commands_of_ones_own(
    deltatrain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_speech_commands(tmp_path / "gsc", WORDS)
    monkeypatch.setattr(_training, "side_by_side", _in_this_process)
    monkeypatch.setattr(incremental, "SMALL_SETTINGS", _short(incremental.SMALL_SETTINGS))
    words = ("study", "incremental", "--small", "--data", tmp_path / "gsc", "--out", tmp_path / "out", "--json")
    ran = deltatrain(*words)
    assert ran.status == 0, ran.stderr
    rows = json.loads(ran.stdout)
    names = ["LSTM, batch 4", "delta LSTM, batch 4"]
    found = [(row["trial"], row["classes"]) for row in rows]
    assert found == [*((name, classes) for name in names for classes in (3, 6)), ("delta LSTM, at once", 6)]
    by_trial = dict(zip(found, rows, strict=True))
    for classes in (3, 6):
        dense, delta = (by_trial[name, classes] for name in names)
        assert dense["saved_%"] == 0 < delta["saved_%"]
        costs = ("class_GMAC", "class_s", "class_J", "class_DRAM_MB")
        assert all(0 < delta[column] < dense[column] for column in costs)
    assert (tmp_path / "out" / "figures" / "incremental.png").is_file()
    assert json.loads(deltatrain(*words).stdout) == rows  # nothing is learned again


def test_with_fewer_classes_than_the_first_task_it_says_so(deltatrain: Any, tmp_path: Path, monkeypatch: Any) -> None:
    files.write_speech_commands(tmp_path / "gsc")
    monkeypatch.setattr(_training, "side_by_side", _in_this_process)
    ran = deltatrain("study", "incremental", "--small", "--data", tmp_path / "gsc", "--out", tmp_path / "out")
    assert (ran.status, "the first task has 3 classes, and there are 2" in ran.stderr) == (2, True)


def test_a_task_costs_its_training_and_its_passes_forward(tmp_path: Path) -> None:
    files.write_speech_commands(tmp_path / "gsc", WORDS[:4])
    settings = _short(incremental.SMALL_SETTINGS).trained_on({"path": str(tmp_path / "gsc")})
    first, then = settings.workloads("delta LSTM, batch 4", 1)
    learnt = course_of(first, then, Course(2, 2, 4), recordings_of(first.dataset), tmp_path)[1]
    found = task_cost(EDGE, learnt, 3)
    training = whole_training(EDGE, learnt.trace, fidelity="cycle", steps=3).total
    step = learnt.trace.recorded[-1]
    dearer = task_cost(EDGE, learnt._replace(passed_steps=learnt.passed_steps + int(step.lengths.sum())), 3)
    forward = learnt.trace.workload.with_changes(phases=["FP"])
    alone = cost_of(cycle.count(cycle.program(EDGE, _of_workload(learnt.trace, forward), step)), EDGE)
    np.testing.assert_allclose(np.subtract(dearer.cost, found.cost), alone, rtol=1e-9)
    passes = learnt.passed_steps / int(step.lengths.sum())
    np.testing.assert_allclose(found.cost, np.add(training, passes * np.array(alone)), rtol=1e-9)
    assert found.macs.total == sum(_macs(counts) for counts in learnt.trace.epochs)


def _of_workload(trace: Any, workload: Any) -> Any:

    return replace(trace, workload=workload)


def _macs(counts: Any) -> int:
    """Return the multiply-accumulates of an epoch of an LSTM of 9 neurons, 4 classes read out at every step."""
    (x,), (h,), (steps_x,) = counts.fired_x, counts.fired_h, counts.steps_x
    readouts = 9 * 4 * (steps_x // 16)
    return 3 * (36 * h + readouts) + 2 * 36 * x


def test_published_rows_stand_beside_those_of_their_trial_and_classes() -> None:
    published = incremental._published()
    assert len(published) == 26
    assert published["LSTM, batch 1", 35] == 82.3 and published["delta LSTM, batch 1", 35] == 80.1
    assert {name for name, _ in published} == set(incremental.SETTINGS.trials)
    assert {classes for _, classes in published} == set(incremental.SETTINGS.course.known(35))
    row = {"trial": "LSTM, batch 1", "classes": 35, "published_%": 82.3, "accuracy_%": 80.0}
    (one,) = comparisons("incremental", [row, row | {"classes": 20}])
    assert (one.theirs, one.ours, one.off) == ("82.3", "80", "-2.3 points")
