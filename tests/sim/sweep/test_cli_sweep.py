"""The commands sweep, front and compare."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from spaces import tiny

from deltatrain.sim.cli import main
from deltatrain.sim.cli.application import application
from deltatrain.sim.cli.fronts import cell, short
from deltatrain.sim.cli.options import space_overrides
from deltatrain.sim.sweep import load_results
from deltatrain.sim.sweep.results import front

SPACE = """
name = "mine"
machine = "tiny"
workload = "tiny"
[vary]
machine.engine.lanes = [1, 2, 4]
machine.local.bytes = [1000, 65536]
[objectives]
seconds = "minimise"
local_bytes = "minimise"
"""


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SPACE)
    return path


@pytest.mark.parametrize("command", ["sweep", "front", "compare"])
def test_help_shows_examples_that_are_accepted(deltatrain, command):
    helped = deltatrain(command, "--help")
    assert helped.status == 0 and helped.stderr == ""
    examples = [line.strip() for line in helped.stdout.splitlines() if line.strip().startswith("deltatrain ")]
    assert len(examples) >= 2
    for example in examples:
        words = shlex.split(example.partition(" > ")[0])[1:]
        assert words[0] == command
        application().parse_args(words, exit_on_error=False, print_error=False)


def test_a_sweep_leaves_its_files_and_shows_its_front(deltatrain, space, tmp_path):
    out = tmp_path / "out"
    ran = deltatrain("sweep", space, "--out", out, "--workers", 1)
    assert ran.status == 0, ran.stderr
    names = {path.name for path in out.iterdir()}
    assert names == {"journal.jsonl", "sweep.json", "sweep.lock", "table.csv", "table.parquet"}
    (line,) = ran.stderr.splitlines()
    assert line.startswith("grid: 6 of 6, ") and "3 failed" in line and "front " in line and "best time" in line
    assert "Front of mine, analytic" in ran.stdout and "6 points, 3 of them not simulated" in ran.stdout
    rows = [line.split() for line in ran.stdout.splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    assert [int(row[0]) for row in rows] == front(out)["point"].to_list()


def test_an_empty_front_says_why(deltatrain, space, tmp_path):
    space.write_text(f"{space.read_text()}\n[constraints]\nlocal_bytes = {{ most = 1 }}\n")
    out = tmp_path / "out"
    assert deltatrain("sweep", space, "--out", out, "--workers", 1).status == 0
    shown = " ".join(deltatrain("front", out).stdout.split())
    assert "Of 6 points 3 could not be simulated (" in shown
    assert shown.endswith("no other keeps all constraints.")


def test_json_is_the_front_and_nothing_else(deltatrain, space, tmp_path):
    swept = deltatrain("sweep", space, "--out", tmp_path / "out", "--workers", 1, "--json")
    again = deltatrain("front", tmp_path / "out", "--json")
    assert json.loads(swept.stdout) == json.loads(again.stdout) == front(tmp_path / "out").to_dicts()


@pytest.mark.parametrize("change", ["machine.engine.lanes=4", "workload.training.batch=4"])
def test_a_field_that_a_space_must_fix_or_vary_is_told_how(change, capsys):
    field, value = change.split("=")
    assert main(["sweep", "edge_memory", "--set", change]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert change in line and f"`fixed.{change}`" in line and f"`vary.{field}=[{value}, ...]`" in line


def test_a_space_may_have_another_machine():
    assert space_overrides(["machine=tiny", "workload=tiny"]) == {"machine": "tiny", "workload": "tiny"}


def test_a_space_may_be_changed(deltatrain, space, tmp_path):
    changes = ["--set", "search.kind=random", "-s", "search.points=4", "-s", "fixed.machine.engine.elementwise_lanes=2"]
    ran = deltatrain("sweep", space, "-o", tmp_path / "out", "--workers", 1, *changes)
    assert ran.status == 0 and ran.stderr.startswith("random: 4 of 4")
    assert load_results(tmp_path / "out").height == 4


def test_the_default_folder_is_named_after_the_space(deltatrain, space, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert deltatrain("sweep", space, "--workers", 1).status == 0
    assert (tmp_path / "out" / "sweep-mine" / "table.csv").exists()


def test_a_search_that_learns_is_shown_beside_random(deltatrain, tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(
        SPACE.replace("[1, 2, 4]", "{ low = 1, high = 16 }") + '[search]\nkind = "nsga2"\npoints = 10\nbatch = 5\n'
    )
    ran = deltatrain("sweep", path, "--out", tmp_path / "out", "--workers", 1)
    assert [line.split(":")[0] for line in ran.stderr.splitlines()] == ["nsga2", "random"]
    assert "hypervolume" in ran.stdout
    shown = deltatrain("front", tmp_path / "out")
    assert shown.status == 0 and "random" in shown.stdout


def test_two_sweeps_are_compared(deltatrain, space, tmp_path):
    deltatrain("sweep", space, "--out", tmp_path / "a", "--workers", 1)
    deltatrain("sweep", space, "--out", tmp_path / "b", "--workers", 1, "-s", "fixed.machine.engine.clock_hz=200000000")
    shown = deltatrain("compare", tmp_path / "a", tmp_path / "b")
    assert shown.status == 0 and "hypervolume" in shown.stdout and "best time" in shown.stdout
    found = json.loads(deltatrain("compare", tmp_path / "a", tmp_path / "b", "--json").stdout)
    assert found["A"]["beaten"] > found["B"]["beaten"] == 0


CASES = [
    ("sweep nowhere.toml --out {out}", "nowhere.toml cannot be read"),
    ("sweep edge_memori --out {out}", "space 'edge_memori' is not known, did you mean 'edge_memory'?"),
    ("sweep {space} --out {out} --set search.kind=grd", "search.kind: search 'grd' is not known, did you mean 'grid'?"),
    ("sweep {space} --out {out} --set search.kind", "--set takes FIELD=VALUE"),
    ("sweep {space} --out {out} --set fidelity.x=1", "fidelity"),
    ("sweep {space} --out {out} --workers 0", "workers must be a positive integer, not 0"),
    (
        "sweep {space} --out {out} --set vary.machine.local.bytes=[1]",
        "none of the 3 points could be simulated: dma.buffer_bytes",
    ),
    ("sweep {space} --out {file}", "folder {file} cannot be made: there is a file of that name"),
    ("sweep", "SPACE"),
    ("front {out}", "is not the folder of a sweep"),
    ("compare {out} {out}", "is not the folder of a sweep"),
]


@pytest.mark.parametrize(("words", "said"), CASES, ids=[words for words, _ in CASES])
def test_a_mistake_is_one_clear_line(deltatrain, space, tmp_path, words, said):
    file = tmp_path / "file"
    file.write_text("")
    places = {"space": space, "out": tmp_path / "out", "file": file}
    ran = deltatrain(*words.format(**places).split())
    assert ran.status == 2 and ran.stdout == "" and "Traceback" not in ran.stderr
    lines = [line for line in ran.stderr.splitlines() if line.startswith("deltatrain: ")]
    assert len(lines) == 1 and said.format(**places) in lines[0]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_finished_points_and_says_how_to_go_on(tmp_path, number, status):
    table = tiny(fidelity="cycle", vary__workload__training__seed={"low": 1, "high": 20})
    code = (
        "import json, sys, deltatrain.sim.sweep.checks as c; from deltatrain.sim.cli import main; "
        "c.named_space = lambda name, overrides: c.checked_space(json.loads(name)); sys.exit(main())"
    )
    words = ["sweep", json.dumps(table), "--out", str(tmp_path / "out"), "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    journal = tmp_path / "out" / "journal.jsonl"
    end = time.monotonic() + 600
    while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, number)  # as a terminal does it: to the workers too
    stdout, stderr = process.communicate(timeout=600)
    assert (process.returncode, stdout) == (status, "")
    assert stderr.splitlines() == [
        f"deltatrain: interrupted; the finished points are kept in {tmp_path / 'out'}, "
        "and the same command goes on from there"
    ]
    assert load_results(tmp_path / "out").height >= 4


def test_a_second_sweep_in_the_folder_is_refused(tmp_path, space, capfd):
    from deltatrain.sim.sweep.checks import named_space
    from deltatrain.sim.sweep.journal import Journal

    with Journal(tmp_path / "out", named_space(space).base.identity):
        assert main(["sweep", str(space), "--out", str(tmp_path / "out"), "--workers", "1"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert f"another sweep writes to {tmp_path / 'out'} (process {os.getpid()} on " in line


def test_values_are_shown_with_the_unit_that_their_columns_name_says():
    assert cell("seconds", 1.5e-3) == "1.5 ms" and cell("machine.local.bytes", 4096) == "4.1 kB"
    assert cell("machine.engine.lanes", 16) == "16" and cell("machine.placement.tape", "local") == "local"
    assert cell("utilisation", 0.5) == "50.0 %" and cell("speedup", 4.0) == "4×" and cell("cycles", 1234) == "1.23 k"
    assert cell("area_mm2", 0.97241) == "0.9724 mm²"
    assert cell("energy_j", None) == "–" and cell("point", 1234) == "1234"


def test_paths_are_shortened_as_far_as_they_stay_apart():
    paths = ["machine.local.bytes", "machine.remote.bytes", "machine.engine.lanes"]
    assert list(short(paths).values()) == ["local.bytes", "remote.bytes", "lanes"]
    assert short(["a.b", "b"]) == {"a.b": "a.b", "b": "b"}


def test_values_of_set_are_toml():
    assert space_overrides(["vary.machine.engine.lanes=[1, 2]", "name=x"]) == {
        "vary.machine.engine.lanes": [1, 2],
        "name": "x",
    }
