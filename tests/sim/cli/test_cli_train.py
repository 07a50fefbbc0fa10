"""Training from the command line tells the truth: what cannot be learned from, what diverged, what lay there before."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from deltatrain.workloads.datasets import DATASETS
from deltatrain.workloads.trace import Trace

PNG = b"\x89PNG\r\n\x1a\n"


def test_training_into_the_folder_of_another_run_leaves_no_stale_result(deltatrain, tmp_path, few, caplog):
    said = f"{tmp_path} held another run of workload few, which this one replaces"
    whole = {"result.json", "schedule.json.gz", "trace.npz", "training.json", "training_state.npz"}
    drawn = {f"figures/{name}.png" for name in ("phase_breakdown", "memory_traffic", "occupancy")}
    assert deltatrain("run", "-w", few, "--on", "tiny", "--out", tmp_path).status == 0
    (tmp_path / "figures" / "mine.png").write_bytes(PNG)
    assert deltatrain("train", "-w", few, "--out", tmp_path).status == 0
    assert _files(tmp_path) == whole | drawn | {"figures/mine.png"} and not caplog.messages, "the same training again"
    other = ("train", "-w", few, "--set", "workload.training.seed=9", "--out", tmp_path)
    assert deltatrain(*other).status == 0
    assert _files(tmp_path) == whole - {"result.json", "schedule.json.gz"} | {"figures/mine.png"}
    assert [message.removeprefix("deltatrain: ") for message in caplog.messages] == [
        f"{said}; its result and figures are removed"
    ]
    assert Trace.load(tmp_path / "trace.npz").workload.training.seed == 9
    caplog.clear()
    assert deltatrain(*other).status == 0 and not caplog.messages
    assert deltatrain("train", "-w", few, "--out", tmp_path).status == 0
    assert [message.removeprefix("deltatrain: ") for message in caplog.messages] == [said]


def test_training_beside_the_result_of_another_trace_removes_it(deltatrain, tmp_path, few, caplog):
    assert deltatrain("run", "-w", few, "--on", "tiny", "--out", tmp_path).status == 0
    (tmp_path / "trace.npz").unlink()
    assert deltatrain("train", "-w", few, "--out", tmp_path).status == 0
    assert "result.json" in _files(tmp_path), "a result of the same workload"
    (tmp_path / "trace.npz").unlink()
    assert deltatrain("train", "-w", few, "--set", "workload.theta_h=0.2", "--out", tmp_path).status == 0
    assert "result.json" not in _files(tmp_path) and len(caplog.messages) == 1


@pytest.mark.parametrize("command", [("run", "--on", "tiny", "--fidelity", "analytic"), ("train",)])
def test_a_training_that_diverges_is_one_line_and_leaves_nothing(deltatrain, tmp_path, few, command):
    """Issue 14: such a run ended with status 0, a loss of nan, "10.6x faster" and "90.2 % fewer, measured"."""
    changes = ("--set", "workload.training.learning_rate=1e39", "--set", "workload.training.dense_epochs=0")
    ran = deltatrain(*command, "-w", few, "--out", tmp_path, "--json", *changes)
    assert (ran.status, ran.stdout, _files(tmp_path)) == (2, "", set())
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("deltatrain: ")]
    assert line.startswith("deltatrain: training diverged in epoch 1 of 4, update 1 of 12: a weight is not finite;")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda part: part.values.__setitem__((5, 1), np.nan), "values must be finite numbers, not nan in sequence"),
        (lambda part: part.labels.__setitem__(3, 7), "labels must be from 0 to 2, not 7 in train, sequence 3"),
        (lambda part: part.labels.__setitem__(3, -1), "labels must be from 0 to 2, not -1 in train, sequence 3"),
    ],
)
@pytest.mark.parametrize("command", [("train", "--out", "{out}"), ("data", "digits")])
def test_recordings_that_nothing_can_be_learned_from_are_one_line(
    deltatrain, tmp_path, few, monkeypatch, spoil, said, command
):
    digits = DATASETS.load("digits")
    right = digits.load()

    def load(progress=None):
        spoil(right.train)
        return dataclasses.replace(right, train=dataclasses.replace(right.train))

    monkeypatch.setattr(digits, "load", load)
    words = [word.format(out=tmp_path / "out") for word in command]
    ran = deltatrain(*words, *(("-w", few) if command[0] == "train" else ()))
    assert ran.status == 2 and ran.stderr.startswith(f"deltatrain: data set digits: {said}")
    assert len(ran.stderr.splitlines()) == 1 and not (tmp_path / "out").exists()


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
