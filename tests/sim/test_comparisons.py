"""Published figures beside ours: each entry finds the columns that it names, differences are those of the tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.cli import study, study_all
from deltatrain.sim.cli.output import Output
from deltatrain.sim.studies import STUDIES, dram, silicon, speedup
from deltatrain.sim.studies._comparisons import comparisons, figures


def _silent(stage: str, share: float, detail: str) -> None:
    """Take progress and do nothing."""


def test_every_figure_names_a_study_and_says_where_it_stands() -> None:
    for figure in figures():
        assert figure["study"] in STUDIES.names()
        assert ("theirs" in figure) != ("published" in figure)
        assert all(figure[key] for key in ("what", "ours", "conditions", "found", "source"))
        documented = STUDIES.load(figure["study"]).rows.__doc__ or ""
        assert all(f"``{column}``" in documented for column in figure.get("where", {}))


def test_numbers_of_one_table_are_compared_row_by_row(tmp_path: Path) -> None:
    table = silicon.rows(silicon.SMALL_SETTINGS, tmp_path, _silent)
    found = comparisons("silicon", table)
    for row in table:
        what = f"{row['part']}, {row['case']}: {row['what']}"
        mine = [one for one in found if one.what in (what, f"{what}, by a closed form of their design")]
        columns = ["ours"] * (row["ours"] != "") + ["law"] * (row["part"] == "Vollo")
        off = [100 * (float(row[column]) / float(row["theirs"]) - 1) for column in columns]
        assert [float(one.off.removesuffix(" %")) for one in mine] == pytest.approx(off, abs=0.011)
        assert {one.found for one in mine} == {row["how"]}


def test_the_ends_of_a_range_are_those_of_all_rows_that_are_meant(tmp_path: Path) -> None:
    table = speedup.rows(speedup.SMALL_SETTINGS, tmp_path, _silent)
    at_half = [float(row["speedup"]) for row in table if row["sparsity_%"] == 50]
    first = comparisons("speedup", table)[0]
    assert [float(end) for end in first.ours.split(" to ")] == sorted({min(at_half), max(at_half)})
    assert len(comparisons("speedup", table)) == 2 + len([row for row in table if row["rtl_speedup"] != ""])


def test_per_cent_are_compared_in_points_and_words_not_at_all() -> None:
    rows = [
        {"trial": "dense", "saved_%": 0.0, "lost_points": 0.0},
        {"trial": "preset", "saved_%": 82.0, "lost_points": -0.4},
    ]
    saved, lost = comparisons("operations", rows)
    assert (saved.theirs, saved.ours, saved.off) == ("80", "82", "+2 points")
    assert (lost.theirs, lost.ours, lost.off) == ("negligible", "-0.4", "")


def test_what_was_not_measured_is_not_compared(tmp_path: Path) -> None:
    table = dram.rows(dram.Settings(2_000), tmp_path, _silent)
    there = sum(row[column] != "" for row in table for column in ("dramsim3_GB/s", "ramulator_GB/s", "dramsim3_pJ/bit"))
    assert len(comparisons("dram", table)) == there


def test_all_studies_leave_one_page_and_one_table(tmp_path: Path, monkeypatch, capsys) -> None:
    names = ("silicon", "speedup", "cache")
    monkeypatch.setattr(STUDIES, "names", lambda: names)
    monkeypatch.setattr(STUDIES.load("cache"), "rows", lambda *_: [{"network": "delta"}])
    study_all.command(tmp_path, small=True, output=Output(json=True, quiet=True))
    (printed,) = json.loads(capsys.readouterr().out).values()
    rows = list(csv.DictReader((tmp_path / "published.csv").read_text().splitlines()))
    page = (tmp_path / "published.html").read_text()
    assert len(printed) == len(rows) > 0
    assert all(row["what"] in page.replace("&#39;", "'") for row in rows)
    assert "Nothing that is published stands beside the tables of: cache." in page
    assert all((tmp_path / name / "table.csv").is_file() for name in names)
    off = [one for one in rows if one["off"]]
    assert off and page.count(f'data-value="{float(off[0]["off"].removesuffix("%"))}"') > 0  # sorted as numbers


def test_all_studies_take_no_recordings() -> None:
    with pytest.raises(ConfigError, match="leave --data sounds out"):
        study.command("all", data=Path("sounds"))
