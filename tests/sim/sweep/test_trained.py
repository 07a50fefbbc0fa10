"""Sweeps over workloads that must be trained: the accuracy of what was trained, each workload trained once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from spaces import tiny

from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.sim.sweep import sweep, trained
from deltatrain.sim.sweep.checks import checked_space
from deltatrain.sim.sweep.trained import trained_trace
from deltatrain.workloads import training_summary
from deltatrain.workloads.datasets import DATASETS
from deltatrain.workloads.training import training
from deltatrain.workloads.workload import Workload

SHORT = {"training.epochs": 2, "training.dense_epochs": 1, "hidden": [8]}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep data sets where they are, and traces where this test alone sees them."""
    try:
        DATASETS.load("vowels").load(lambda what, share: None)
    except ConfigError as error:
        pytest.skip(f"the data set cannot be had: {error}")
    monkeypatch.setattr("deltatrain.sim.sweep.trained.cache_folder", lambda: tmp_path / "cache")


def _space(**changes: Any) -> dict[str, Any]:
    table: dict[str, Any] = tiny(
        workload="vowels",
        vary__workload__theta_h=[0.0, 0.3],
        objectives={"accuracy": "maximise", "seconds": "minimise"},
        fixed={f"workload.{path}": value for path, value in SHORT.items()},
        **changes,
    )
    table["vary"] = {path: axis for path, axis in table["vary"].items() if "synthetic" not in path}
    table["vary"]["machine.engine.lanes"] = [4, 8]
    return table


def test_a_row_has_the_accuracy_of_its_own_training(tmp_path: Path) -> None:
    table = sweep(_space(machine="edge"), tmp_path / "out", workers=1).filter(polars.col("failure").is_null())
    assert table.height > 4
    recordings = DATASETS.load("vowels").load(lambda what, share: None)
    for theta in (0.0, 0.3):
        workload = Workload.named("vowels", {**SHORT, "theta_h": theta})
        done = training.train(workload, recordings)
        rows = table.filter(**{"workload.theta_h": theta})
        assert rows["accuracy"].unique().to_list() == [done.epochs[-1].accuracy]
        assert rows["training.macs_saved"].unique().to_list() == pytest.approx([done.macs().saved])


def test_each_workload_is_trained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[Workload] = []
    train = training.train

    def noted(workload: Workload, *args: Any, **named: Any) -> training.Trained:
        trained.append(workload)
        return train(workload, *args, **named)

    monkeypatch.setattr(training, "train", noted)
    sweep(_space(machine="edge"), tmp_path / "first", workers=1)
    sweep(_space(machine="edge", vary__machine__engine__lanes=[2]), tmp_path / "second", workers=1)
    assert len(trained) == 2


def test_a_training_that_diverges_is_a_failed_point_and_never_on_the_front(tmp_path: Path) -> None:
    space = _space(machine="edge")
    space["vary"] = {"workload.training.learning_rate": [3e-3, 1e39], "machine.engine.lanes": [4]}
    table = sweep(space, tmp_path / "out", workers=1)
    lost = table.filter(polars.col("workload.training.learning_rate") == 1e39)
    assert lost["failure"].unique().to_list() == ["DivergedError"]
    assert lost["reason"].str.starts_with("training diverged in epoch 1 of 2, update 1 of ").all()
    assert not lost["on_front"].any() and lost["accuracy"].null_count() == lost["seconds"].null_count() == lost.height
    assert table["on_front"].any()


def test_other_recordings_under_the_same_name_are_trained_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    workload, vowels = Workload.named("vowels", SHORT), DATASETS.load("vowels")
    right = vowels.load(lambda what, share: None)
    fewer = dataclasses.replace(right, train=right.train.take(np.arange(0, len(right.train), 2)))
    first = trained_trace(workload)
    monkeypatch.setattr(vowels, "load", lambda progress: fewer)
    for kept in (trained._recordings,):
        kept.cache_clear()
    second = trained_trace(workload)
    for kept in (trained._recordings,):
        kept.cache_clear()
    assert second.epochs[0].steps_x[0] < first.epochs[0].steps_x[0]


def test_what_was_kept_is_what_was_trained() -> None:
    workload = Workload.named("vowels", SHORT)
    first, second = trained_trace(workload), trained_trace(workload)
    assert training_summary.epoch_rows(first) == training_summary.epoch_rows(second)
    assert training_summary.summary(first)["epochs"] == 2


def test_a_cache_folder_in_the_way_stops_the_sweep_and_a_damaged_trace_is_trained_anew(tmp_path: Path) -> None:
    table = _space(machine="edge", vary__machine__engine__lanes=[4])
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(HostError, match=r"cannot be made: .*finished points"):
        sweep(table, tmp_path / "out", workers=1)
    (tmp_path / "cache").unlink()
    found = sweep(table, tmp_path / "out", workers=1)
    assert found["accuracy"].null_count() == found["failure"].is_not_null().sum() < found.height
    kept = next((tmp_path / "cache" / "trained").glob("*.npz"))
    kept.write_bytes(kept.read_bytes()[:1000])
    assert sweep(table, tmp_path / "again", workers=1).equals(found)


def test_only_what_is_trained_has_an_accuracy() -> None:
    with pytest.raises(ConfigError, match="a synthetic workload has none"):
        checked_space(tiny(objectives={"accuracy": "maximise"}))
