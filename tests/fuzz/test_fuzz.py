"""Whatever is described, and however a file was altered: exit status 0 or 2, lines and no traceback, sound numbers.

The default run draws a few of each kind. The long one draws `FUZZED` of each, 2,000 if it is not set::

    FUZZED=5000 pytest -n 2 -m long tests/fuzz
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzzed import (
    CONTROLLER,
    MACHINE_TABLES,
    PART_TABLES,
    WORKLOAD_TABLES,
    byte_changes,
    changed,
    flat,
    forged_archive,
    json_changes,
    toml,
    toml_value,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spaces import tiny

from deltatrain.accel.documents import json_value
from deltatrain.accel.result import Result
from deltatrain.reports.table import memory_rows, phase_rows
from deltatrain.sim.cli import main
from deltatrain.workloads import trace

FEW, MANY = 8, int(os.environ.get("FUZZED", "2000"))
MOST_BYTES, MOST_CPU_SECONDS = 2 << 30, 60

pytestmark = pytest.mark.filterwarnings("ignore")  # a command shows none; in this process they would be errors

_TABLE = tiny(search__kind="random", search__points=2)
SPACE = flat({name: value for name, value in _TABLE.items() if name != "vary"})
SPACE |= {f"vary.{path}": axis for path, axis in _TABLE["vary"].items()}


def few_and_many(function: Callable[..., None]) -> Any:
    """Return a test that draws few examples in the default run and many in the long one."""
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    run = pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.long)])

    def test(examples: int, folder: Path) -> None:
        drawn = settings(max_examples=examples, deadline=None, suppress_health_check=quiet)(
            given(st.data())(lambda data: function(data.draw, folder))
        )
        drawn()

    test.__name__, test.__doc__ = function.__name__, function.__doc__
    return run(test)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder of a command, two folders below one where nothing else is."""
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    return place


def held(folder: Path, *words: str) -> str | None:
    """Run a command, hold what must hold, and return its standard output; None if it was refused."""
    root = folder.parent.parent
    before, began, most = _files(root), time.process_time(), _most_bytes()
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        status = main(list(words))
    said = stderr.getvalue()
    assert status in (0, 2), said
    assert "Traceback" not in said
    assert (status == 2) == any(line.startswith("deltatrain: ") for line in said.splitlines()), said
    assert all(path.is_relative_to(folder / "out") for path in _files(root) - before), "a file outside --out"
    assert time.process_time() - began < MOST_CPU_SECONDS
    assert _most_bytes() - most < MOST_BYTES, "more than what tests before it needed"
    for path in (folder / "out").rglob("*.json"):
        json_value(path.read_bytes())
    return stdout.getvalue() if status == 0 else None


def _most_bytes() -> int:
    """Return the most memory that this process has had."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def sound(printed: str) -> None:
    """Hold what must be true of a result: its sums, which reading it checks, and its shares."""
    result = Result.model_validate(json_value(printed.encode()))
    for row in (*phase_rows(result), *memory_rows(result)):
        for name in ("share", "utilisation", "occupancy", "row_hit_share", "bus_busy"):
            assert 0 <= row.get(name, 0) <= 1 + 1e-9, (name, row)
    for run in result.runs.values():
        assert min([run.cycles, *run.work.values(), *run.remote.bus_ticks.values()]) >= 0
    assert all(joules >= 0 for joules in (*result.energy_j.values(), *result.area_mm2.values()))


def _files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "out").mkdir()


@few_and_many
def test_machines_and_workloads(draw: Any, folder: Path) -> None:
    """A training step of a described workload on a described machine, from files."""
    _fresh(folder)
    (folder / "m.toml").write_text(toml(draw(changed(MACHINE_TABLES))), encoding="utf-8", errors="replace")
    (folder / "w.toml").write_text(toml(draw(changed(WORKLOAD_TABLES))), encoding="utf-8", errors="replace")
    fidelity = draw(st.sampled_from(["analytic", "cycle", "cycle"]))
    held(folder, "describe", "m.toml")
    printed = held(folder, "simulate", "-w", "w.toml", "--on", "m.toml", "-f", fidelity, "--json")
    if printed is not None:
        sound(printed)


@few_and_many
def test_overrides(draw: Any, folder: Path) -> None:
    """The same changes on the command line."""
    _fresh(folder)
    words = []
    for whose, (table, *_) in (("machine", MACHINE_TABLES), ("workload", WORKLOAD_TABLES)):
        for path, value in draw(changed([table])).items():
            words += ["--set", f"{whose}.{path}={toml_value(value)}"] if value is not table.get(path) else []
    printed = held(folder, "simulate", "-w", "tiny", "--on", "tiny", "-f", "analytic", "--json", *words)
    if printed is not None:
        sound(printed)


@few_and_many
def test_parts(draw: Any, folder: Path) -> None:
    """A described DRAM and its controller, driven by a pattern."""
    _fresh(folder)
    (folder / "p.toml").write_text(toml(draw(changed(PART_TABLES))), encoding="utf-8", errors="replace")
    edits = draw(changed([CONTROLLER]))
    words = [word for path, value in edits.items() for word in ("-s", f"{path}={toml_value(value)}")]
    pattern = draw(st.sampled_from(["stream", "random", "mixed"]))
    printed = held(folder, "dram", "-d", "p.toml", "-g", pattern, "-n", "300", "--json", *words)
    if printed is not None:
        found = json_value(printed.encode())
        assert 0 <= found["bytes_per_second"] <= found["peak_bytes_per_second"] * (1 + 1e-9)
        assert all(value >= 0 for value in (*found["rows"].values(), *found["bus"].values()))


@few_and_many
def test_spaces(draw: Any, folder: Path) -> None:
    """A described sweep of two points, and its front."""
    _fresh(folder)
    (folder / "s.toml").write_text(toml(draw(changed([SPACE]))), encoding="utf-8", errors="replace")
    out = str(folder / "out")
    words = ("--set", "search.points=2", "--set", "search.kind=random") if draw(st.booleans()) else ()
    printed = held(folder, "sweep", "s.toml", "--out", out, "--workers", "1", "--json", *words)
    if printed is not None:
        json_value(printed.encode())
    if (folder / "out" / "sweep.json").exists():
        assert "internal error" not in (folder / "out" / "journal.jsonl").read_text(), "a traceback in a row"
        shown = held(folder, "front", out, "--json")
        assert shown is None or isinstance(json_value(shown.encode()), list)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that commands write: a run's and a sweep's."""
    place = tmp_path_factory.mktemp("written")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main(["run", "-w", "tiny", "--on", "tiny", "--out", str(place / "run")]) == 0
        space = place / "space.toml"
        space.write_text(toml(SPACE))
        assert main(["sweep", str(space), "--workers", "1", "--out", str(place / "sweep")]) == 0
    return place


ALTERED = {
    "run/result.json": [("report", "{place}", "--out", "{out}/page.html")],
    "run/trace.npz": [("simulate", "{file}", "--on", "tiny", "-f", "analytic", "--json"), ("report", "{place}")],
    "sweep/journal.jsonl": [("front", "{place}", "--json"), ("compare", "{place}", "{place}", "--json")],
    "sweep/sweep.json": [("front", "{place}"), ("report", "{place}", "--out", "{out}/page.html")],
}


def _altered(draw: Any, name: str, content: bytes) -> bytes:
    if draw(st.booleans()):
        return draw(byte_changes())(content)
    change = draw(json_changes())
    return forged_archive(content, "header", change, trace._digest) if name.endswith(".npz") else change(content)


@pytest.mark.parametrize("name", ALTERED)
@pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_altered_files(folder: Path, written: Path, name: str, examples: int) -> None:
    """What a command wrote, with bytes altered or values forged."""
    original = (written / name).read_bytes()

    @settings(max_examples=examples, deadline=None)
    @given(st.data())
    def alter(data: st.DataObject) -> None:
        _fresh(folder)
        place = folder / "out" / "kept"
        shutil.copytree((written / name).parent, place)
        file = place / Path(name).name
        file.write_bytes(_altered(data.draw, name, original))
        names = {"place": str(place), "file": str(file), "out": str(folder / "out")}
        for words in ALTERED[name]:
            _kept(file, *(word.format(**names) for word in words))

    alter()


def _kept(altered: Path, *words: str) -> None:
    """Run a command on an altered file, and hold that it is refused or taken, and left as it is."""
    content = altered.read_bytes()
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        status = main(list(words))
    assert status in (0, 2) and "Traceback" not in stderr.getvalue(), stderr.getvalue()
    assert altered.read_bytes() == content
    if status == 0 and "--json" in words:
        json_value(stdout.getvalue().encode())
