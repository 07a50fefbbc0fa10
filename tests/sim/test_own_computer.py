"""What a step takes on the user's own computer: only when asked for, and labelled as measured wherever it stands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from pages import parse, rows

import deltatrain as dt
from deltatrain.accel.own_computer import OwnComputer
from deltatrain.reports.table import flat, own_computer_rows

OWN = OwnComputer(device="a CPU", library="PyTorch 2", threads=2, seconds=0.5, steps=7)
STEP = ("-w", "tiny", "--on", "tiny", "--no-dense", "--fidelity", "analytic")


@pytest.fixture(scope="module")
def result() -> dt.Result:
    return dt.simulate("tiny", "tiny", fidelity="analytic").model_copy(update={"own_computer": (OWN,)})


def test_a_result_without_it_has_no_such_field(result: dt.Result, tmp_path: Path) -> None:
    alone = result.model_copy(update={"own_computer": ()})
    assert "own_computer" not in alone.model_dump() and "own_computer" not in alone.model_dump_json()
    assert "own computer" not in dt.report(alone)
    result.save(tmp_path / "result.json")
    assert dt.Result.load(tmp_path / "result.json") == result
    assert dt.Result.load(tmp_path / "result.json").own_computer == (OWN,)


def test_the_page_and_the_rows_say_how_much_faster_the_machine_is(result: dt.Result) -> None:
    (row,) = own_computer_rows(result)
    assert row["speedup"] == pytest.approx(0.5 / result.counters.seconds)
    assert flat(result)["own_computer.0.seconds"] == 0.5
    page = parse(dt.report(result))
    (table,) = [one for one in page.all("table") if one.one("caption").text == "This step on your own computer"]
    assert [cell.text for cell in rows(table)[0]][:4] == ["a CPU", "PyTorch 2", "2", "500 ms"]
    assert "on a CPU, PyTorch 2, 2 threads" in str(result) and "500 ms (measured)" in str(result)


@pytest.mark.parametrize("command", ["simulate", "run"])
def test_it_is_measured_when_asked_for(deltatrain, command: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is what is measured")
    ran = deltatrain(command, *STEP, "--out", tmp_path / "out", "--measure-torch")
    assert ran.status == 0 and "This step on your own computer, measured" in ran.stdout
    (own, *_) = dt.Result.load(tmp_path / "out" / "result.json").own_computer
    assert own.seconds > 0 and own.steps >= 1 and own.device and own.library.startswith("PyTorch ")
    assert deltatrain("report", tmp_path / "out").status == 0
    assert "This step on your own computer" in (tmp_path / "out" / "report.html").read_text()
    printed = json.loads(deltatrain(command, *STEP, "--out", tmp_path / "out", "--measure-torch", "--json").stdout)
    assert printed["own_computer"][0]["threads"] >= 1
    assert "own_computer" not in json.loads(deltatrain(command, *STEP, "--out", tmp_path / "out", "--json").stdout)


@pytest.mark.parametrize("command", ["simulate", "run"])
def test_without_torch_it_is_one_line_before_any_work(deltatrain, command: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    ran = deltatrain(command, *STEP, "--out", tmp_path / "out", "--measure-torch")
    assert ran.status == 2 and ran.stdout == "" and not (tmp_path / "out").exists()
    assert ran.stderr == (
        "deltatrain: measuring a step on this computer needs PyTorch: python -m pip install 'deltatrain[torch]'\n"
    )


def test_a_cell_that_torch_has_not_is_refused_before_any_work(deltatrain, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is what is measured")
    changes = [word for field in ("cell=lif", "theta_x=0", "theta_h=0") for word in ("--set", f"workload.{field}")]
    ran = deltatrain("simulate", "-w", "tiny", "--on", "tiny", *changes, "--out", tmp_path / "out", "--measure-torch")
    assert ran.status == 2 and "torch.nn has no cell like lif" in ran.stderr and not (tmp_path / "out").exists()


def test_python_measures_it_too() -> None:
    pytest.importorskip("torch", reason="PyTorch is what is measured")
    from deltatrain.sim.run import synthetic_trace

    trace = synthetic_trace(dt.Workload.named("tiny"))
    result = dt.simulate("tiny", trace, fidelity="analytic")
    assert dt.torch.measure(result, trace).own_computer[0].seconds > 0
    assert result.own_computer == ()
