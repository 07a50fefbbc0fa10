"""The command `bench` with work that takes no time; what the real work is, its own test asks for."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deltatrain.sim.cli import main
from deltatrain.sim.speed import baseline, bench, measures, trainer_steps
from deltatrain.sim.speed.baseline import Baseline
from deltatrain.sim.speed.figure import Figure
from deltatrain.sim.speed.measures import MEASURES, Measure, TrainerMeasure, measured
from deltatrain.sim.speed.reference import Measured
from deltatrain.sim.speed.trainer_steps import TrainerStep
from deltatrain.workloads.workload import Workload

RUN = {"machine": "another, 64 cores", "date": "2026-01-31", "commit": "0123456789ab"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let there be two pieces of work, of 3 and 5 references, a baseline of one of them, and a small step."""
    pieces = (Measure("first", lambda: 0.3), Measure("second", lambda: 0.5))
    file = tmp_path / "baseline.json"
    file.write_text(json.dumps({"runs": [RUN | {"relative": {"first": 2.0}}]}))
    load = Baseline.load
    monkeypatch.setattr(bench, "MEASURES", pieces)
    monkeypatch.setattr(measures, "beside_reference", lambda seconds: Measured(seconds(), 0.1))
    monkeypatch.setattr(baseline.Baseline, "load", lambda path=None: load(file))
    tiny = Workload.named("tiny")
    monkeypatch.setattr(bench.Workload, "named", lambda name: tiny)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["bench", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_figures_stand_beside_the_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys)
    assert "another, 64 cores; 2026-01-31, commit 0123456789ab" in text
    (first,) = [line.split() for line in text.splitlines() if line.strip().startswith("first")]
    (second,) = [line.split() for line in text.splitlines() if line.strip().startswith("second")]
    assert first == ["first", "300", "ms", "1.5×", "SLOWER"]
    assert second == ["second", "500", "ms"]
    assert all(len(line) <= 100 for line in text.splitlines())


@pytest.mark.usefixtures("quick")
def test_json_and_csv_hold_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    table = json.loads(said(capsys, "--json"))
    assert table["baseline"] == RUN
    rows = table["figures"]
    assert [(row["what"], row["cpu_s"], row["references"]) for row in rows] == [
        ("first", 0.3, pytest.approx(3)),
        ("second", 0.5, pytest.approx(5)),
    ]
    assert rows[0]["times_baseline"] == pytest.approx(1.5) and rows[1]["baseline_references"] is None
    assert table["step"]["machine"] == "edge" and table["step"]["simulated_s"] > 0
    lines = list(csv.DictReader(io.StringIO(said(capsys, "--csv"))))
    assert [(line["what"], float(line["cpu_s"]), line["verdict"]) for line in lines] == [
        ("first", 0.3, "SLOWER"),
        ("second", 0.5, ""),
    ]
    assert main(["bench", "--json", "--csv"]) == 2
    assert capsys.readouterr().err == "deltatrain: --json and --csv do not go together: leave one out\n"


@pytest.mark.usefixtures("quick")
def test_without_torch_one_line_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    *_, last = said(capsys).strip().split("\n\n")
    assert last.startswith("A training step of tiny on edge takes ")
    assert "python -m pip install 'deltatrain[torch]'" in " ".join(last.split())
    assert json.loads(said(capsys, "--json"))["step"]["own_computer"] == []


@pytest.mark.usefixtures("quick")
def test_with_torch_the_step_stands_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="PyTorch is what a step is measured in")
    assert "This step on your own computer, measured" in said(capsys)
    (own, *_) = json.loads(said(capsys, "--json"))["step"]["own_computer"]
    assert own["seconds"] > 0 and own["library"].startswith("PyTorch ")


@pytest.mark.usefixtures("quick")
def test_a_busy_computer_leaves_work_out(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**6, 40))
    monkeypatch.setattr(bench.time, "monotonic", lambda: next(clock))
    assert "Left out, this computer being busy: second." in said(capsys)


def test_the_baseline_of_the_package_knows_every_piece_of_work() -> None:
    names = [piece.what for piece in MEASURES]
    assert len(set(names)) == len(names)
    assert all(Baseline.load().of(name) for name in names)


SMALL: dict[str, Callable[[], Any]] = {
    "_REQUESTS": lambda: 2000,
    "_POINTS": lambda: 4,
    "lstm_trace": lambda: lambda steps: trace(steps),
}


def trace(steps: int) -> Any:
    from deltatrain.sim.run import synthetic_trace

    changes = {"hidden": [12], "training.batch": 1, "synthetic.inputs": 5, "synthetic.steps": min(steps, 4)}
    return synthetic_trace(Workload.named("synthetic", changes))


@pytest.mark.parametrize("piece", [one for one in MEASURES if isinstance(one, Measure)], ids=lambda one: one.what)
def test_every_piece_of_work_is_done(piece: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(measures, name, value())
    assert 0 < measured(piece).value < 600


@pytest.mark.parametrize("occupancy", [1.0, 0.1])
def test_a_step_of_the_trainer_stands_beside_torch_where_it_is(
    occupancy: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece = TrainerMeasure("small", TrainerStep((16,), 1, 30, occupancy), 1)
    if trainer_steps.installed("torch"):
        figure = measured(piece)
        assert figure.peer == "torch.nn.LSTM" and figure.theirs is not None and figure.theirs > 0
    monkeypatch.setattr(trainer_steps, "installed", lambda module: False)
    alone = measured(piece)
    assert alone == Figure("small", alone.value, "CPU s", "", None, alone.relative)
