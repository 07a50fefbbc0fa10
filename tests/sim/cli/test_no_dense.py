"""Without the dense run everything that is shown says so, and nothing stands where its numbers would."""

from __future__ import annotations

import ast
import json
from inspect import signature
from pathlib import Path

import pytest
from pages import parse

from deltatrain.accel.origin import NO_DENSE
from deltatrain.accel.result import Result
from deltatrain.reports.page.figures import figures
from deltatrain.reports.table import flat
from deltatrain.sim.cli.application import COMMANDS
from deltatrain.sim.gathering import gather
from deltatrain.sim.studies import STUDIES

STEP = ("-w", "tiny", "--on", "edge", "--no-dense")


@pytest.fixture
def folder(deltatrain, tmp_path: Path) -> Path:
    """Return the folder of a simulation without the dense run."""
    assert deltatrain("simulate", *STEP, "--out", tmp_path / "alone").status == 0
    return tmp_path / "alone"


def without_words(text: str) -> str:
    return text.replace(NO_DENSE, "").replace("--no-dense", "")


def test_the_terminal_says_it(deltatrain):
    ran = deltatrain("simulate", *STEP)
    assert ran.status == 0
    assert NO_DENSE in ran.stdout.splitlines()[1]
    assert "dense" not in without_words(ran.stdout)
    assert "faster" not in ran.stdout
    beside = deltatrain("simulate", *STEP[:-1])
    assert NO_DENSE not in beside.stdout
    assert "faster" in beside.stdout


def test_json_says_it(deltatrain):
    found = json.loads(deltatrain("simulate", *STEP, "--json").stdout)
    assert found["dense"] is None
    assert found["dense_energy_j"] == {}


def test_the_main_job_takes_it(deltatrain, tmp_path):
    assert deltatrain("run", *STEP, "--fidelity", "analytic", "--out", tmp_path / "run").status == 0
    result = Result.load(tmp_path / "run" / "result.json")
    assert result.dense is None
    assert "speedup" not in flat(result)
    assert (tmp_path / "run" / "figures" / "phase_breakdown.png").is_file()


def test_a_sweep_takes_it_whatever_its_space_says(deltatrain, tmp_path):
    lines = ['machine = "tiny"', 'workload = "tiny"', "dense = true", "[vary]", '"machine.engine.lanes" = [2, 4]']
    lines += ["[objectives]", 'seconds = "minimise"']
    (tmp_path / "space.toml").write_text("\n".join(['name = "two"', *lines]))

    def columns(*words: str) -> str:
        out = tmp_path / "-".join(["out", *words])
        assert deltatrain("sweep", tmp_path / "space.toml", "--workers", 1, "--out", out, *words).status == 0
        return (out / "table.csv").read_text().splitlines()[0]

    assert "dense" not in columns("--no-dense") and "speedup" not in columns("--no-dense")
    assert "dense.cycles" in columns() and "speedup" in columns("--dense")


def test_every_command_that_simulates_a_dense_run_takes_it():
    taking = {word for word, command in COMMANDS.items() if "dense" in signature(command).parameters}
    assert taking == {"run", "simulate", "sweep"}


@pytest.mark.parametrize("name", STUDIES.names())
def test_no_study_makes_a_dense_run_that_it_does_not_show(name):
    tree = ast.parse(Path(STUDIES.load(name).__file__).read_text())
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "simulate"
    ]
    assert all(any(word.arg == "dense" for word in call.keywords) for call in calls)


def test_the_page_says_it(deltatrain, folder):
    assert deltatrain("report", folder).status == 0
    page = parse((folder / "report.html").read_text())
    headings = {cell.text for table in page.all("table") for cell in table.one("thead").all("th")}
    assert {"Cycles", "Delta"} <= headings
    assert not [heading for heading in headings if "ense" in heading or heading == "Speed-up"]
    assert f"Speed-up: {NO_DENSE}." in page.text
    assert "faster" not in page.text


def test_a_page_of_several_runs_leaves_the_cell_empty(deltatrain, folder):
    assert deltatrain("simulate", *STEP[:-1], "--out", folder.parent / "beside").status == 0
    assert deltatrain("report", folder.parent).status == 0
    page = parse((folder.parent / "report.html").read_text())
    assert f"Where it is missing, there is {NO_DENSE}." in page.text


def test_figures_say_it(folder):
    drawn = dict(figures(gather(folder, folder / "report.html")))
    for name in ("phase_breakdown", "memory_traffic", "energy_breakdown", "roofline"):
        figure = drawn[f"alone-{name}"]
        texts = [text.get_text() for part in (figure, *figure.axes) for text in part.texts]
        labels = [container.get_label() for axes in figure.axes for container in axes.containers]
        assert any(NO_DENSE in text for text in texts), name
        assert "dense" not in without_words(" ".join([*texts, *labels])), name
