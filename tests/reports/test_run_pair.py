"""Two runs beside each other: the numbers are those of their counters, in the terminal and on the page."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.result import Result
from deltatrain.reports.run_pair import pair_rows, phase_times
from deltatrain.sim.cli import main

SEEDS = st.integers(0, 10**6)


@given(SEEDS, SEEDS)
def test_rows_are_the_counters(random_result, seed, other):
    results = random_result(seed), random_result(other)
    rows = {row["quantity"]: row for row in pair_rows(*results)}
    for side, result in zip(("one", "other"), results, strict=True):
        run = result.counters
        assert rows["training step"][side] == run.cycles / run.clock_hz
        assert rows["off-chip bytes"][side] == sum(phase.remote_bytes for phase in run.phases.values())
        assert rows["energy"][side] == sum(result.energy_j.values())
        assert rows["accuracy of the float training"][side] == result.training["accuracy"]
        shares = [row[side] for name, row in rows.items() if name.startswith("lanes")]
        assert math.isclose(sum(shares), 1)
        phases = [row[side] for name, row in rows.items() if name[:3] in ("FP ", "RF ", "BP ", "WG ", "WU ")]
        assert math.isclose(sum(phases), run.seconds)
    for row in rows.values():
        if "times" in row and row["one"]:
            assert math.isclose(row["times"] * row["one"], row["other"])
    times = phase_times(*results)
    assert math.isclose(sum(first for first, _ in times.values()), results[0].counters.seconds)
    assert math.isclose(sum(second for _, second in times.values()), results[1].counters.seconds)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for machine in ("tiny", "edge"):
        words = ["simulate", "-w", "tiny", "--on", machine, "-f", "analytic", "--no-dense", "-q"]
        assert main([*words, "-o", str(root / machine)]) == 0
    return root / "tiny", root / "edge"


def test_compare_shows_two_runs(folders, capsys):
    capsys.readouterr()
    words = ["compare", *map(str, folders)]
    assert main([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    results = [Result.load(folder / "result.json") for folder in folders]
    assert [rows[0]["one"], rows[0]["other"]] == [result.counters.seconds for result in results]
    assert main([*words, "--csv"]) == 0
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == len(rows)
    assert main([*words, "--markdown"]) == 0
    shown = capsys.readouterr().out
    assert "B over A" in shown and f"{rows[0]['times']:.3g}×" in shown


def test_one_page_of_two_folders_shows_them_side_by_side(folders, tmp_path):
    page = tmp_path / "page.html"
    assert main(["report", *map(str, folders), "--out", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "Quantity by quantity" in text and text.count("<article") == 2


@pytest.mark.parametrize("run_is_first", [True, False])
def test_what_is_no_run_beside_a_run_is_named(random_result, tmp_path, capsys, run_is_first):
    run, other = tmp_path / "run", tmp_path / "other"
    run.mkdir()
    random_result(1).save(run / "result.json")
    sides = [str(run), str(other)]
    assert main(["compare", *(sides if run_is_first else sides[::-1])]) == 2
    assert f"deltatrain: {other} has no result.json: it is no run, as {run} is" in capsys.readouterr().err
