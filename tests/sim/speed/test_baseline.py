from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.own_computer import computer
from deltatrain.sim.speed.baseline import Baseline, Measurement, measurement
from deltatrain.sim.speed.figure import Figure
from deltatrain.sim.speed.reference import Measured, beside_reference


def run(date: str, **relative: float) -> Measurement:
    return Measurement(machine="a", date=date, commit="c", relative=relative)


@pytest.mark.parametrize(
    ("relative", "verdict"),
    [(1.0, "as before"), (1.14, "as before"), (1.16, "SLOWER"), (0.88, "as before"), (0.86, "faster"), (None, "")],
)
def test_more_than_15_percent_is_slower(relative: float | None, verdict: str) -> None:
    assert Figure("x", 3.0, "CPU s", relative=relative, baseline=1.0).verdict == verdict
    assert Figure("x", 3.0, "CPU s", relative=relative).verdict == ""


def test_a_host_that_is_slower_in_all_is_as_before() -> None:
    fast, slow = Measured(1.0, 0.5), Measured(3.0, 1.5)
    assert fast.references == slow.references == 2
    assert Figure("x", slow.seconds, "CPU s", relative=slow.references, baseline=fast.references).verdict == "as before"


def test_what_is_measured_again_takes_the_place_of_what_was(tmp_path: Path) -> None:
    baseline = Baseline(runs=(run("1", x=1.0, y=2.0), run("2", z=3.0)))
    updated = baseline.updated(run("3", y=4.0, z=5.0))
    assert [(one.date, one.relative) for one in updated.runs] == [("1", {"x": 1.0}), ("3", {"y": 4.0, "z": 5.0})]
    assert [updated.of(what) for what in "xyzw"] == [1.0, 4.0, 5.0, None]
    updated.save(tmp_path / "baseline.json")
    assert Baseline.load(tmp_path / "baseline.json") == updated
    figure = updated.beside(Figure("y", 1.0, "CPU s", relative=8.0))
    assert (figure.baseline, figure.times_baseline, figure.verdict) == (4.0, 2.0, "SLOWER")
    latest = updated.run_of([figure, Figure("x", 1.0, "CPU s")])
    assert latest is not None and latest.date == "3"
    assert updated.run_of([Figure("w", 1.0, "CPU s")]) is None


def test_a_run_says_computer_day_and_commit(tmp_path: Path) -> None:
    figures = [Figure("x", 1.0, "CPU s", relative=2.34567), Figure("told", 1.0, "MB")]
    outside = measurement(figures, tmp_path)
    assert (outside.machine, outside.commit, outside.relative) == (computer(), "unknown", {"x": 2.346})
    assert len(outside.date) == len("2026-01-31")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    commit = measurement(figures, tmp_path).commit
    assert len(commit) == 12 and int(commit, 16) >= 0
    (tmp_path / "file").write_text("")
    subprocess.run([*git, "add", "file"], check=True)
    assert measurement(figures, tmp_path).commit == f"{commit}+"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ('{"runs": [{}]}', "runs.0.machine is missing"),
        (
            json.dumps({"runs": [{"machine": "a", "date": "b", "commit": "c", "relative": {"x": 0}}]}),
            "runs.0.relative.x",
        ),
    ],
)
def test_a_damaged_file_is_named(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        Baseline.load(file)
    assert str(file) in str(error.value) and said in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json cannot be read"):
        Baseline.load(tmp_path / "none.json")


def test_the_reference_is_measured_beside() -> None:
    found = beside_reference(lambda: 7.0)
    assert found.seconds == 7.0 and 0 < found.reference_seconds < 60
    assert found.references == pytest.approx(7.0 / found.reference_seconds)
