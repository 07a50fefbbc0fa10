"""The memory model compiles in a second process beside a training: when, how it ends, and that nothing is left over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deltatrain.accel import compiling
from deltatrain.accel.architecture import Architecture
from deltatrain.sim import compiled_beside
from deltatrain.sim.compiled_beside import memory_model_compiled_beside

_EDGE = Architecture.named("edge")


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that begin, on a machine of two cores that has compiled nothing."""
    found: list[subprocess.Popen[bytes]] = []
    begin = compiled_beside._begun

    def kept() -> subprocess.Popen[bytes] | None:
        if process := begin():
            found.append(process)
        return process

    monkeypatch.setattr(compiled_beside, "_begun", kept)
    monkeypatch.setattr(compiled_beside, "cores", lambda: 2)
    monkeypatch.setattr(compiling, "would_be_kept", lambda function: True)
    monkeypatch.setattr(compiling, "announce", lambda function: None)
    return found


def _does(monkeypatch: pytest.MonkeyPatch, code: str, *words: object) -> None:
    monkeypatch.setattr(compiled_beside, "_COMMAND", (sys.executable, "-c", code, *map(str, words)))


def test_the_body_runs_beside_it_and_waits_for_it_at_its_end(
    begun: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)"
    _does(monkeypatch, waits + "\npathlib.Path(sys.argv[2]).touch()", tmp_path / "body", tmp_path / "done")
    with memory_model_compiled_beside(_EDGE, "cycle"):
        assert not (tmp_path / "done").exists()
        (tmp_path / "body").touch()
    assert (tmp_path / "done").exists()
    assert [process.returncode for process in begun] == [0]


def test_it_ends_with_what_stops_the_body(begun: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _does(monkeypatch, "import time; time.sleep(600)")
    with pytest.raises(KeyboardInterrupt), memory_model_compiled_beside(_EDGE, "cycle"):
        raise KeyboardInterrupt
    (process,) = begun
    assert process.returncode not in (None, 0)


def test_its_failure_harms_nobody_and_is_not_heard(
    begun: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    _does(monkeypatch, "print('no'); raise SystemExit('no')")
    with memory_model_compiled_beside(_EDGE, "cycle"):
        pass
    monkeypatch.setattr(compiled_beside, "_COMMAND", ("/nowhere/python",))
    with memory_model_compiled_beside(_EDGE, "cycle"):
        pass
    assert [process.returncode for process in begun] == [1]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("machine", "fidelity", "cores", "missing"),
    [
        ("edge", "analytic", 2, True),
        ("ipu_mk2", "cycle", 2, True),
        ("edge", "cycle", 1, True),
        ("edge", "cycle", 2, False),
    ],
    ids=["no simulation in cycles", "no DRAM", "one core", "on disk"],
)
def test_it_is_not_begun_where_it_would_not_help(
    begun: list[Any], monkeypatch: pytest.MonkeyPatch, machine: str, fidelity: str, cores: int, missing: bool
) -> None:
    monkeypatch.setattr(compiled_beside, "cores", lambda: cores)
    monkeypatch.setattr(compiling, "would_be_kept", lambda function: missing)
    with memory_model_compiled_beside(Architecture.named(machine), fidelity):
        pass
    assert not begun


@pytest.mark.long  # it compiles all of the memory model: 12 s of processor time
def test_a_simulation_of_another_machine_then_compiles_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    subprocess.run(compiled_beside._COMMAND, env=environment, check=True)
    before = sorted((tmp_path / "numba").rglob("*"))
    words = ["simulate", "--workload", "tiny", "--on", "reneta", "--set", "machine.engine.lanes=4"]
    ran = subprocess.run(
        [sys.executable, "-m", "deltatrain", *words], env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    assert before and "compiling" not in ran.stderr
    assert sorted((tmp_path / "numba").rglob("*")) == before
