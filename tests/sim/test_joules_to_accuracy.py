"""The study of joules to an accuracy: fronts by their definition, and what float accuracy chooses, on stated points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.studies import joules_to_accuracy as study
from deltatrain.sim.studies.joules_to_accuracy import Point, cheapest, front
from deltatrain.sim.sweep.checks import named_space

POINTS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(drawn=POINTS)
def test_the_front_is_what_no_other_point_beats(drawn: list[tuple[int, int]]) -> None:
    points = [Point(str(number), joules, share / 10) for number, (joules, share) in enumerate(drawn)]
    found = front(points)
    unbeaten = {
        (one.joules, one.accuracy)
        for one in points
        if not any(
            other.joules <= one.joules and other.accuracy >= one.accuracy and other[1:] != one[1:] for other in points
        )
    }
    assert [one[1:] for one in found] == sorted(unbeaten)
    for asked in range(10):
        reaching = [one.joules for one in points if one.accuracy >= asked / 10]
        best = cheapest(points, asked / 10)
        assert (best.joules if best else None) == min(reaching, default=None)
        assert best == cheapest(found, asked / 10) or best is None or best.joules == cheapest(found, asked / 10).joules


def test_the_space_is_that_of_the_fields_that_the_study_varies() -> None:
    space = study.SETTINGS.space("machine")
    assert set(space.order) == set(space.vary) < set(named_space("joules_to_accuracy").vary)
    assert space.size == 6 * 5 * 3 * 3 * 3 * 2


def _table(joules: list[float], accuracy: list[float | None]) -> pl.DataFrame:
    fields = {path: list(range(len(joules))) for path in study.SETTINGS.space("machine").vary}
    return pl.DataFrame(fields | {"training.energy_j": joules, "accuracy": accuracy})


def test_float_accuracy_is_asked_what_it_costs_and_reaches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {
        "machine": _table([1.0, 2.0, 4.0, 0.5], [0.95, 0.9, 0.97, None]),
        "float": _table([1.1, 2.2, 4.4, 0.5], [0.9, 0.965, 0.97, 0.99]),
    }
    asked: list[Any] = []
    folders: list[Path] = []

    def swept(space: Any, out: Path, on_progress: Any) -> pl.DataFrame:
        asked.append(space)
        folders.append(out)
        return tables[out.name.partition("-")[0]]

    monkeypatch.setattr(study, "sweep", swept)
    settings = study.SETTINGS._replace(asked=(90, 95, 96, 98, 99.5))
    rows = study.rows(settings, tmp_path, lambda *_: None)
    assert [space.fixed["workload.training.numbers"] for space in asked] == ["machine", "float"]
    assert {(space.search.kind, space.search.points) for space in asked} == {("qmc", 36)}
    columns = ("machine_J", "float_J", "chosen_J", "chosen_%", "dearer_times", "reached")
    failed = (0.5, "", "", "", "")  # the machine could not train that point
    assert [tuple(row[column] for column in columns) for row in rows] == [
        (1.0, *failed),
        (1.0, *failed),
        (4.0, *failed),
        ("", *failed),
        ("", "", "", "", "", ""),
    ]
    tables["float"] = tables["float"].head(3)
    rows = study.rows(settings, tmp_path, lambda *_: None)
    assert [tuple(row[column] for column in columns) for row in rows[:3]] == [
        (1.0, 1.1, 1.0, 95.0, 1.0, "yes"),
        (1.0, 2.2, 2.0, 90.0, 2.0, "no"),
        (4.0, 2.2, 2.0, 90.0, 0.5, "no"),
    ]
    assert (tmp_path / "figures" / "joules_to_accuracy.png").is_file()
    assert folders[:2] == folders[2:]  # where the sweep goes on
    study.rows(study.SMALL_SETTINGS, tmp_path, lambda *_: None)
    assert len(set(folders)) == 4  # a smaller space has folders of its own


def test_the_study_varies_what_it_did_when_the_space_has_more_axes() -> None:
    space = study.SETTINGS.space("machine")
    assert [path.rpartition(".")[2] for path in space.vary] == [
        *("theta_x", "theta_h", "hidden", "epochs", "lanes", "bits", "fraction_bits")
    ]


def test_a_study_of_which_no_point_was_trained_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep's table has no column for what no point told."""
    failed = pl.DataFrame({"machine.engine.lanes": [4, 8], "failure": ["FitError"] * 2, "reason": ["too small", "no"]})
    monkeypatch.setattr(study, "sweep", lambda *_, **__: failed)
    said = "none of 2 points of space joules_to_accuracy could be trained in machine numbers and priced: too small"
    with pytest.raises(ConfigError, match=said):
        study.rows(study.SETTINGS, tmp_path, lambda *_: None)
