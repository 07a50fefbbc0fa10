"""Training in a machine's numbers from the command line: whose accuracy is shown, and beside which."""

from __future__ import annotations

import json
import re

import numpy as np
import polars
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.origin import ANOTHER_MACHINE, MEASURED_IN_INTEGERS, THIS_MACHINE
from deltatrain.accel.result import Result
from deltatrain.reports.page.page import _figures
from deltatrain.reports.units import unit_of
from deltatrain.sim.sweep import sweep
from deltatrain.workloads.trace import Trace

NARROW = "machine.engine.formats.weight={bits=10,fraction_bits=7}"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("deltatrain.sim.sweep.trained.cache_folder", lambda: tmp_path / "cache")


def test_train_on_a_machine_says_so_and_evaluate_finds_the_same(deltatrain, few, tmp_path):
    ran = deltatrain("train", "-w", few, "--on", "edge", "--out", tmp_path)
    assert ran.status == 0 and "Accuracy on the test part, of the training in the machine's numbers." in ran.stdout
    assert "accuracy in the machine's numbers" in ran.stdout and "float training" not in ran.stdout
    kept = json.loads((tmp_path / "training.json").read_text())
    found, edge = kept["training"], Architecture.named("edge")
    assert found["numbers"] == THIS_MACHINE and found["stored"]["W"][0] > found["stored"]["W"][2]
    assert kept["workload"]["training"]["numbers"]["formats"] == edge.engine.formats.model_dump(mode="json")
    train, test = json.loads(deltatrain("evaluate", tmp_path, "--on", "edge", "--json").stdout)
    assert (train["part"], train["samples"], test["samples"]) == ("train", 24, 12)
    assert (test["accuracy"], test["float_accuracy"]) == (found["accuracy"], found["float_accuracy"])
    assert kept["epochs"][-1]["float_figure"] == found["float_accuracy"]
    assert "In the numbers of edge, beside the same weights" in deltatrain("evaluate", tmp_path / "trace.npz").stdout


def test_other_formats_learn_other_weights(deltatrain, few, tmp_path):
    weights = []
    for name, changes in (("wide", ()), ("narrow", ("--set", NARROW))):
        assert deltatrain("train", "-w", few, "--on", "edge", *changes, "--out", tmp_path / name).status == 0
        weights.append(Trace.load(tmp_path / name / "trace.npz").recorded[-1].numbers.parameters)
    assert not np.array_equal(*weights)
    on_grid = weights[1] * 2**7
    np.testing.assert_array_equal(on_grid, np.rint(on_grid))


def test_run_shows_the_accuracy_of_the_machine_in_result_and_page(deltatrain, few, tmp_path):
    out = tmp_path / "run"
    ran = deltatrain("run", "-w", few, "--on", "tiny", "--numbers", "machine", "--out", out)
    assert ran.status == 0 and "accuracy in the machine's numbers" in ran.stdout
    result = Result.load(out / "result.json")
    assert result.training["numbers"] == THIS_MACHINE
    assert "accuracy in the machine's numbers" in str(result) and MEASURED_IN_INTEGERS in str(result)
    page = tmp_path / "page.html"
    assert deltatrain("report", out, "--out", page).status == 0
    text = page.read_text()
    assert "Accuracy in the machine’s numbers" in text or "Accuracy in the machine&#39;s numbers" in text
    assert "of the same weights in floating point" in text and MEASURED_IN_INTEGERS in text
    assert "What the machine&#39;s formats did" in text or "What the machine’s formats did" in text
    assert not re.search("accuracy of the float training", text, re.IGNORECASE)
    other = ("simulate", out / "trace.npz", "--on", "edge", "--fidelity", "analytic", "--set", NARROW)
    assert json.loads(deltatrain(*other, "--json").stdout)["training"]["numbers"] == ANOTHER_MACHINE
    assert "accuracy in another machine's numbers" in deltatrain(*other).stdout


def test_a_page_of_both_has_a_column_for_each_of_them():
    of_machine = _figures({"accuracy": 0.5, "float_accuracy": 0.25, "numbers": THIS_MACHINE})
    of_floats = _figures({"accuracy": 0.75, "loss": 1.0})
    assert dict(of_machine.values()) == {
        "accuracy in the machine's numbers": 0.5,
        "accuracy of the same weights in floating point": 0.25,
    }
    assert dict(of_floats.values()) == {"accuracy of the float training": 0.75}
    assert not of_machine.keys() & of_floats.keys()
    assert {unit_of(key) for key in (*of_machine, *of_floats)} == {"%"}


def test_a_workload_asks_for_the_numbers_of_its_machine(deltatrain, few, tmp_path):
    asked = ("-w", few, "--set", "workload.training.numbers=machine")
    alone = deltatrain("train", *asked, "--out", tmp_path / "alone")
    assert alone.status == 2 and "training.numbers = 'machine' needs a machine" in alone.stderr
    assert deltatrain("run", *asked, "--on", "tiny", "-f", "analytic", "--out", tmp_path / "run").status == 0
    numbers = Trace.load(tmp_path / "run" / "trace.npz").workload.training.machine_numbers
    assert numbers == Architecture.named("tiny").engine.numbers
    wrong = deltatrain("run", *asked[:2], "--numbers", "integer", "--out", tmp_path / "wrong")
    assert wrong.status == 2 and "float" in wrong.stderr and "machine" in wrong.stderr
    assert deltatrain("train", "-w", few, "--set", NARROW, "--out", tmp_path / "x").status == 2
    both = deltatrain("run", *asked, "--numbers", "float", "-f", "analytic", "--out", tmp_path / "run2")
    assert both.status == 2 and "two kinds of numbers" in both.stderr and not (tmp_path / "run2").exists()


def test_evaluate_says_what_it_cannot_take(deltatrain, few, tmp_path):
    assert "has no trace.npz" in deltatrain("evaluate", tmp_path).stderr
    assert deltatrain("train", "-w", few, "--set", "workload.training.dense_epochs=4", "--out", tmp_path).status == 0
    assert "has no weights" in deltatrain("evaluate", tmp_path).stderr
    assert "no meaning here" in deltatrain("evaluate", tmp_path, "--set", "workload.hidden=[3]").stderr


def test_a_sweep_over_formats_trains_in_each(few, tmp_path):
    space = {
        "name": "words",
        "machine": "edge",
        "workload": str(few),
        "fidelity": "analytic",
        "fixed": {"workload.training.numbers": "machine"},
        "vary": {
            "machine.engine.formats.weight.fraction_bits": [13, 4],
            "machine.engine.clock_hz": [100_000_000, 125_000_000],
        },
        "objectives": {"accuracy": "maximise", "seconds": "minimise"},
    }
    found = sweep(space, tmp_path / "out", workers=1)
    assert found.height == 4 and found["accuracy"].null_count() == 0
    assert len(list((tmp_path / "cache" / "trained").glob("*.npz"))) == 2, "once for each format, whatever the clock"
    assert {"accuracy", "float_accuracy"} <= set(found.columns)
    trained = found.group_by("training.macs").len()
    assert trained.height == 2 and trained["len"].to_list() == [2, 2], polars.concat([found])
