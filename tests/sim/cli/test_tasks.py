"""A regression from the file of a user to result, page and sweep: its figure is called what it is everywhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

from deltatrain.accel.result import Result
from deltatrain.sim.sweep.point import _learned as learned
from deltatrain.workloads.trace import Trace

WORKLOAD = """
name = "level"
cell = "delta_gru"
hidden = [5]
theta_x = 0.1
theta_h = 0.1
task = "regression"
readout = "every"

[dataset]
path = "level.npz"
targets = "step_numbers"
split = {test = 0.25, validation = 0.25}

[training]
epochs = 5
batch = 8
learning_rate = 0.02
early_stopping = 4
"""


@pytest.fixture
def described(tmp_path):
    x = np.random.default_rng(0).standard_normal((32, 6, 2)).astype(np.float32)
    np.savez(tmp_path / "level.npz", x=x, y=1000 * x.cumsum(axis=1))  # far above any cross-entropy
    path = tmp_path / "level.toml"
    path.write_text(WORKLOAD)
    return path


def test_a_regression_is_called_one_everywhere(deltatrain, tmp_path, described):
    out = tmp_path / "out"
    ran = deltatrain("run", "--workload", described, "--on", "tiny", "--fidelity", "analytic", "--out", out)
    assert ran.status == 0, ran.stderr
    result, trace = Result.load(out / "result.json"), Trace.load(out / "trace.npz")
    kept = json.loads((out / "training.json").read_text())
    for told in (result.training, kept["training"]):
        assert told["mean_squared_error"] == trace.chosen.figure and "accuracy" not in told
        assert told["epoch_kept"] == trace.chosen.epoch
    assert trace.chosen.figure > 1000
    assert [epoch["mean_squared_error"] for epoch in kept["epochs"]] == [counts.figure for counts in trace.epochs]
    assert learned(trace)["mean_squared_error"] == trace.chosen.figure and "accuracy" not in learned(trace)
    assert "mean squared error of the float training" in ran.stdout and "ccuracy" not in ran.stdout
    assert "mean squared error of the float training" in repr(result)
    shown = deltatrain("report", out, "--out", tmp_path / "page.html")
    assert shown.status == 0, shown.stderr
    page = (tmp_path / "page.html").read_text()
    assert "Mean squared error of the float training" in page and "Accuracy of the float" not in page
    trained = deltatrain("train", "--workload", described, "--out", tmp_path / "again")
    assert "Mean squared error on the validation part" in trained.stdout and "epoch kept" in trained.stdout
    data = deltatrain("data", "show", described)
    assert data.status == 0 and "numbers wanted" in data.stdout


def test_perplexity_is_called_so_everywhere(deltatrain, tmp_path):
    (tmp_path / "letters").mkdir()
    for part, lines in (("train", 40), ("valid", 8), ("test", 8)):
        (tmp_path / "letters" / f"letters.{part}.txt").write_text("a b a c a d\n" * lines)
    described = tmp_path / "letters.toml"
    table, _, training = WORKLOAD.replace('"regression"', '"next_word"').partition("[training]")
    data = '[dataset]\npath = "letters"\ntargets = "step_classes"\nwindow_steps = 10\n\n'
    described.write_text(table.partition("[dataset]")[0] + data + "[training]" + training)
    out = tmp_path / "out"
    ran = deltatrain("run", "--workload", described, "--on", "tiny", "--fidelity", "analytic", "--out", out)
    assert ran.status == 0, ran.stderr
    result, trace = Result.load(out / "result.json"), Trace.load(out / "trace.npz")
    kept = json.loads((out / "training.json").read_text())
    assert result.training["perplexity"] == kept["training"]["perplexity"] == trace.chosen.figure
    assert 1 < trace.chosen.figure < 5  # of five letters
    assert [epoch["perplexity"] for epoch in kept["epochs"]] == [counts.figure for counts in trace.epochs]
    assert learned(trace)["perplexity"] == trace.chosen.figure and "accuracy" not in learned(trace)
    assert "perplexity of the float training" in ran.stdout and "ccuracy" not in ran.stdout
    assert "perplexity of the float training" in repr(result)
    shown = deltatrain("report", out, "--out", tmp_path / "page.html")
    assert shown.status == 0, shown.stderr
    page = (tmp_path / "page.html").read_text()
    assert "Perplexity of the float training" in page and "Accuracy of the float" not in page
    trained = deltatrain("train", "--workload", described, "--out", tmp_path / "again")
    assert "Perplexity on the validation part" in trained.stdout, trained.stdout
    data = deltatrain("data", "show", described)
    assert data.status == 0 and "<eos>" in data.stdout, data.stderr


STREAMS = """
base = "vowels"
name = "talk"
hidden = [8]
task = "next_word"
readout = "every"
embedding.width = 4

[dataset]
path = "talk"
targets = "step_classes"
streams = 1

[training]
epochs = 3
dense_epochs = 1
batch = 1
truncate_steps = 5
learning_rate = 0.02
"""


@pytest.fixture
def talk(tmp_path):
    (tmp_path / "talk").mkdir()
    for part, lines in (("train", 40), ("valid", 8), ("test", 8)):
        (tmp_path / "talk" / f"{part}.txt").write_text("a b a c a d\n" * lines)
    (tmp_path / "talk.toml").write_text(STREAMS)
    return tmp_path / "talk.toml"


def test_a_stream_of_words_is_learned_online_and_simulated(deltatrain, tmp_path, talk):
    """Batch 1, an update every five words; what of it is simulated is said."""
    out = tmp_path / "out"
    ran = deltatrain("run", "--workload", talk, "--on", "edge", "--out", out)
    assert ran.status == 0, ran.stderr
    trace = Trace.load(out / "trace.npz")
    assert trace.recorded[-1].carried and trace.recorded[-1].words.shape == (5, 1)
    assert 1 < trace.chosen.figure < 4
    told = " ".join(ran.stdout.split())
    assert "loads its word's row" in told and "goes on from a state" in told and "not simulated" in told
    result = Result.load(out / "result.json")
    assert result.counters.phases["WU"].macs < result.workload["hidden"][0] * 10_000
    shown = deltatrain("report", out, "--out", tmp_path / "page.html")
    assert shown.status == 0 and "goes on from a state" in (tmp_path / "page.html").read_text()
    again = deltatrain("simulate", out / "trace.npz", "--on", "reneta", "--fidelity", "analytic")
    assert again.status == 0, again.stderr
    data = deltatrain("data", "show", talk)
    assert data.status == 0 and "<eos>" in data.stdout, data.stderr


def test_what_no_machine_or_file_has_of_words_is_one_line(deltatrain, tmp_path, talk):
    out = tmp_path / "out"
    for changes, line in (
        (["embedding.tied=true", "embedding.width=8"], "embedding.tied must be false for a machine"),
        (["dataset.streams=100"], "dataset.streams must be at most 55, as the validation part has 56 words, not 100"),
        (["training.window_state=kept"], "window_state"),
        (["training.truncate_steps=0"], "truncate_steps must be a positive integer, not 0"),
        (["initial_weights=a.npz"], "a.npz"),
    ):
        told = [word for change in changes for word in ("--set", f"workload.{change}")]
        ran = deltatrain("run", "--workload", talk, "--on", "edge", *told, "--out", out)
        assert ran.status == 2 and len(ran.stderr.splitlines()) == 1 and line in ran.stderr, ran.stderr
    assert deltatrain("train", "--workload", talk, "--out", out).status == 0
    for name in ("net.onnx", "net.safetensors", "net.npz"):
        ran = deltatrain("export", out, "--out", tmp_path / name)
        assert ran.status == 2 and "has an embedding" in ran.stderr and not (tmp_path / name).exists(), ran.stderr


def test_gates_say_of_words_and_windows_that_they_take_neither(deltatrain, tmp_path, talk):
    """And not that another trace would do."""
    assert deltatrain("train", "--workload", talk, "--out", tmp_path / "out").status == 0
    for command in (("verilog", "--on", "tiny", "--out", tmp_path / "v"), ("simulate", "--fidelity", "rtl")):
        ran = deltatrain(*command, tmp_path / "out" / "trace.npz")
        words, windows = ran.stderr.splitlines()
        assert ran.status == 2 and "which looks up no words" in words and "whose steps begin without state" in windows
    assert not (tmp_path / "v").exists()


def test_gates_refuse_what_they_cannot_learn_before_it_is_trained(deltatrain, tmp_path, described):
    rates = "workload.training.layer_rates=[1.0,0.5]"
    told = ("--on", "tiny", "--fidelity", "rtl", "--set", rates, "--out", tmp_path / "out")
    ran = deltatrain("run", "--workload", described, *told)
    assert ran.status == 2 and "training.layer_rates must be left out for fidelity 'rtl'" in ran.stderr


def test_what_fits_no_task_is_one_line(deltatrain, tmp_path, described):
    for change, line in (
        ("readout=last", "takes numbers of each sequence, and data set 'level.npz' has numbers of each step"),
        ("dataset.targets=classes", "y is float32 of shape (32, 6, 2)"),
        ("training.class_weights=balanced", "task 'regression' has no classes"),
        ("task=labeling", "'labeling' is not known"),
    ):
        out = tmp_path / "out"
        ran = deltatrain("train", "--workload", described, "--set", f"workload.{change}", "--out", out)
        assert ran.status == 2 and len(ran.stderr.splitlines()) == 1 and line in ran.stderr, ran.stderr
