from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain import __version__
from deltatrain.accel.architecture import Architecture
from deltatrain.accel.presets import MACHINES
from deltatrain.accel.result import Result
from deltatrain.sim.cli.application import application
from deltatrain.sim.cli.options import overrides
from deltatrain.sim.run import simulate, synthetic_trace
from deltatrain.workloads.presets import PRESETS
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.workload import Workload

ROOT = Path(__file__).parents[3]
COMMANDS = (
    "run",
    "train",
    "evaluate",
    "simulate",
    "verify",
    "verilog",
    "fpga",
    "dram",
    "report",
    "sweep",
    "front",
    "compare",
    "plan",
    "describe",
    "list",
    "data",
    "bench",
)
TINY = ("run", "--workload", "tiny", "--on", "tiny")
PNG = b"\x89PNG\r\n\x1a\n"


def _process(code: str, *words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=600)


MAIN = "import sys; from deltatrain.sim.cli import main; sys.exit(main())"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_whose_examples_are_accepted(deltatrain, command):
    helped = deltatrain(command, "--help")
    assert helped.status == 0 and helped.stderr == ""
    examples = [line.strip() for line in helped.stdout.splitlines() if line.strip().startswith("deltatrain ")]
    assert examples, "a command's help shows examples"
    for example in examples:
        words = shlex.split(example.partition(" > ")[0])[1:]
        assert words[0] == command
        application().parse_args(words, exit_on_error=False, print_error=False)  # raises if the example is wrong


def test_help_names_every_command(deltatrain):
    for words in ((), ("--help",)):
        helped = deltatrain(*words)
        assert helped.status == 0 and all(command in helped.stdout for command in COMMANDS)
    examples = [line for line in helped.stdout.splitlines() if line.startswith("  deltatrain ")]
    assert len(examples) >= 3
    for example in examples:
        application().parse_args(example.split("   ")[0].split()[1:], exit_on_error=False, print_error=False)


def test_help_imports_only_what_it_uses():
    heavy = ("numpy", "matplotlib", "simpy", "polars", "pandas", "amaranth", "torch", "optuna", "dask", "pydantic")
    code = (
        "import sys; from deltatrain.sim.cli import main; status = main(['--help']); "
        f"sys.stderr.write(' '.join(name for name in {heavy} if name in sys.modules)); sys.exit(status)"
    )
    done = _process(code)
    assert done.returncode == 0 and done.stderr == ""


def test_version(deltatrain):
    assert deltatrain("--version").stdout.strip() == __version__


def test_list_names_every_member_with_a_description(deltatrain):
    every = deltatrain("list")
    assert every.status == 0
    for name in (*MACHINES.names(), *PRESETS.names(), "digits", "delta_gru", "adamw", "cosine", "analytic", "matvec"):
        (line, *_) = [line for line in every.stdout.splitlines() if line.split()[:1] == [name]]
        assert len(line.split()) > 3, f"{name} has no description"
    machines = deltatrain("list", "machines").stdout.split()
    assert "edge" in machines and "adamw" not in machines


@pytest.mark.parametrize("name", MACHINES.names())
def test_describe_shows_a_machine_and_its_peaks(deltatrain, name):
    machine = Architecture.named(name)
    shown = deltatrain("describe", f"machine.{name}").stdout
    assert machine.about in shown and machine.remote.device_name in shown
    assert f"{machine.local.bytes:,}" in shown
    number, prefix = re.search(r"([\d.]+) ([MGT])MAC/s", shown).groups()
    peak = machine.tiles.count * machine.engine.lanes * machine.engine.clock_hz
    assert (f"{machine.tiles.count:,}" in shown) or machine.tiles.count == 1
    assert float(number) * {"M": 1e6, "G": 1e9, "T": 1e12}[prefix] == pytest.approx(peak, rel=5e-3)


def test_describe_prints_a_file_that_can_be_edited_and_used(deltatrain, tmp_path):
    text = deltatrain("describe", "machine.tiny", "--toml").stdout
    assert tomllib.loads(text) == MACHINES.load("tiny") and "#" in text
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace("lanes = 4", "lanes = 2", 1).replace('"tiny"', '"mine"', 1))
    ran = deltatrain("run", "-w", "tiny", "--on", mine, "--out", tmp_path / "out", "--json")
    assert json.loads(ran.stdout)["counters"]["lanes"] == 2
    assert deltatrain("describe", mine, "--toml").stdout == mine.read_text()
    for text, said in (
        ('base = "tiny"\nengine.lanes = 3\n', "lanes"),
        ('base = "tiny"\nhidden = [5]\n', "hidden"),
        ('base = "mine.toml"\nabout = "mine, again"\n', "mine, again"),
    ):
        (tmp_path / "changed.toml").write_text(text)
        assert said in deltatrain("describe", tmp_path / "changed.toml").stdout


def test_describe_shows_what_is_true_false_and_left_out_by_its_word(deltatrain):
    shown = deltatrain("describe", "edgedrnn").stdout
    assert re.search(r"in_turn +true\n", shown)
    assert re.search(r"list_streams +true\n", shown)
    assert re.search(r"neuron_cycles +–\n", deltatrain("describe", "edge").stdout)
    assert "None" not in shown


def test_a_description_whose_base_is_itself_is_told_so(deltatrain, tmp_path):
    (tmp_path / "own.toml").write_text('base = "own.toml"\n')
    for words in (["simulate", "-w", "tiny", "--on"], ["simulate", "-w"], ["describe"]):
        ran = deltatrain(*words, tmp_path / "own.toml")
        assert ran.status == 2
        assert "base goes round in a circle: own.toml" in ran.stderr


def test_describe_shows_where_the_matrices_live(deltatrain):
    shown = deltatrain("describe", "edge", "--workload", "tiny").stdout
    placed = [line.split() for line in shown.splitlines() if line.strip().startswith(("W_", "dW_"))]
    assert {line[0] for line in placed} == {
        f"{d}W_{name}" for d in ("", "d") for name in ("x[0]", "h[0]", "x[1]", "h[1]", "readout")
    }
    assert all(line[1] == "remote" for line in placed)


def test_describe_shows_a_workload_with_changes(deltatrain):
    shown = deltatrain("describe", "digits", "--set", "workload.theta_h=0.625").stdout
    assert "0.625" in shown and "delta_lstm" in shown and "CC BY-SA" in shown


def test_data_shows_sources_licences_and_the_cache(deltatrain, monkeypatch, tmp_path):
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path / "cache"))
    assert "nothing yet" in deltatrain("data").stdout
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "kept.whl").write_bytes(b"x" * 2_000_000)
    shown = deltatrain("data").stdout
    assert "kept.whl" in shown and "2.0 MB" in shown and "CC BY-SA 4.0" in shown


def test_data_loads_a_set(deltatrain, few):
    ran = deltatrain("data", "digits")
    assert ran.status == 0
    (row,) = [line.split() for line in ran.stdout.splitlines() if line.strip().startswith("digits")]
    assert row[1:5] == ["24", "12", "3", "4"]


@pytest.mark.parametrize("fidelity", ["analytic", "cycle"])
def test_run_leaves_result_trace_and_figures(deltatrain, tmp_path, fidelity):
    out = tmp_path / "deep" / "out"
    ran = deltatrain(*TINY, "--fidelity", fidelity, "--out", out)
    assert ran.status == 0
    assert [line.split(":")[0] for line in ran.stderr.splitlines()] == ["simulation", "figures"]
    figures = {f"figures/{name}.png" for name in ("phase_breakdown", "memory_traffic", "occupancy")}
    schedule = {"schedule.json.gz"} if fidelity == "cycle" else set()
    assert _files(out) == {"result.json", "trace.npz", *schedule, *figures}
    told = ran.stdout.partition("Written to")[2]
    assert all(name in told for name in ("result.json", "trace.npz", "figures", *schedule))
    assert schedule or "schedule" not in told
    assert all((out / name).read_bytes().startswith(PNG) for name in figures)
    workload, machine = Workload.named("tiny"), Architecture.named("tiny")
    expected = simulate(machine, workload, fidelity=fidelity)
    found = Result.load(out / "result.json")
    assert found.counters == expected.counters and found.dense == expected.dense
    assert found.workload == workload.model_dump(mode="json") and found.fidelity == fidelity
    assert Trace.load(out / "trace.npz") == synthetic_trace(workload)
    assert f"{found.speedup:.3g}× faster" in ran.stdout and "total" in ran.stdout
    assert ("update (WU) is plain SGD" in ran.stdout) == (workload.training.optimiser != "sgd")


def test_json_is_the_result_file_and_nothing_else(deltatrain, tmp_path):
    ran = deltatrain(*TINY, "--out", tmp_path, "--json")
    assert ran.stdout == (tmp_path / "result.json").read_text()
    assert json.loads(ran.stdout)["schema_version"] == 2


def test_the_default_folder_is_named_after_workload_and_machine(deltatrain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert deltatrain(*TINY).status == 0
    assert (tmp_path / "out" / "tiny-tiny" / "result.json").exists()


def test_a_trace_is_simulated_again_on_another_machine(deltatrain, tmp_path):
    deltatrain(*TINY, "--out", tmp_path / "first")
    trace = tmp_path / "first" / "trace.npz"
    again = deltatrain("simulate", trace, "--on", "tiny", "--json")
    first = Result.load(tmp_path / "first" / "result.json")
    assert Result.model_validate(json.loads(again.stdout)).counters == first.counters
    other = deltatrain("simulate", trace, "--on", "reneta", "--out", tmp_path / "second")
    assert other.status == 0 and "RENETA" not in other.stderr
    second = Result.load(tmp_path / "second" / "result.json")
    assert second.counters.lanes == 16 and second.workload == first.workload
    synthetic = deltatrain("simulate", "--workload", "tiny", "--on", "tiny", "--json")
    assert Result.model_validate(json.loads(synthetic.stdout)).counters == first.counters


def test_set_changes_machine_and_workload(deltatrain, tmp_path):
    changes = [
        "--set",
        "machine.engine.lanes=2",
        "-s",
        "workload.theta_x=[0.25, 0.5]",
        "-s",
        "machine.dma.buffer_bytes=64",
    ]
    ran = deltatrain(*TINY, "--out", tmp_path, "--json", *changes)
    result = json.loads(ran.stdout)
    assert result["counters"]["lanes"] == 2 and result["workload"]["theta_x"] == [0.25, 0.5]
    assert result["architecture"]["dma"]["buffer_bytes"] == 64


@given(
    st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.lists(st.integers(-(2**63), 2**63 - 1)),
        st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    )
)
def test_a_value_given_as_toml_arrives_as_it_is(value):
    text = json.dumps(value)
    assert overrides([f"workload.a.b={text}"]).workload == {"a.b": value}


@given(
    st.from_regex(r"[a-z_]+[a-z0-9_]*", fullmatch=True).filter(lambda word: word not in ("true", "false", "nan", "inf"))
)
def test_a_bare_word_needs_no_quotes(word):
    assert overrides([f"machine.energy = {word}"]).machine == {"energy": word}


def test_training_leaves_trace_and_table(deltatrain, tmp_path, few):
    ran = deltatrain("train", "-w", few, "--out", tmp_path)
    assert ran.status == 0
    assert _files(tmp_path) == {"trace.npz", "training.json", "training_state.npz"}
    trace = Trace.load(tmp_path / "trace.npz")
    kept = json.loads((tmp_path / "training.json").read_text())
    assert [epoch["accuracy"] for epoch in kept["epochs"]] == [counts.accuracy for counts in trace.epochs]
    assert kept["training"]["accuracy"] == trace.epochs[-1].accuracy
    rows = [line.split() for line in ran.stdout.splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    assert [row[1] for row in rows] == ["dense", "delta", "delta", "delta"]
    printed = json.loads(deltatrain("train", "-w", few, "--out", tmp_path, "--json").stdout)
    assert printed == kept["training"]


def test_run_trains_simulates_and_reports_accuracy(deltatrain, tmp_path, few):
    ran = deltatrain("run", "-w", few, "--on", "tiny", "--out", tmp_path)
    assert ran.status == 0
    stages = [line.split(":")[0] for line in ran.stderr.splitlines()]
    assert stages == ["data set digits", "training", "simulation", "figures"]
    result = Result.load(tmp_path / "result.json")
    trace = Trace.load(tmp_path / "trace.npz")
    assert result.training["accuracy"] == trace.epochs[-1].accuracy
    assert f"{100 * trace.epochs[-1].accuracy:.1f} %" in ran.stdout
    lengths = trace.recorded[-1].lengths
    fired = sum(int(np.sum(mask)) for mask in (*trace.recorded[-1].fired_x, *trace.recorded[-1].fired_h))
    # FP works through what fired, and at every sample's first step through each layer's and at each readout its bias
    assert (
        fired <= result.counters.phases["FP"].fired <= fired + len(lengths) * (6 + 2 * len(trace.workload.hidden) + 1)
    )


def test_a_second_run_replaces_the_first(deltatrain, tmp_path):
    deltatrain(*TINY, "--out", tmp_path)
    before = _files(tmp_path)
    deltatrain(*TINY, "--out", tmp_path, "--set", "workload.training.seed=9")
    assert _files(tmp_path) == before
    assert Result.load(tmp_path / "result.json").workload["training"]["seed"] == 9


def test_a_terminal_shows_a_bar_with_the_time_left(tmp_path):
    screen, terminal = pty.openpty()
    words = [*TINY, "--out", str(tmp_path), "--json"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *words], stdout=subprocess.PIPE, stderr=terminal, env=environment, cwd=ROOT
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            shown += os.read(screen, 4096)
        except OSError:  # the other end is closed
            break
    os.close(screen)
    stdout, _ = process.communicate(timeout=600)
    assert process.returncode == 0 and json.loads(stdout)["fidelity"] == "cycle"
    text = shown.decode()
    assert "simulation" in text and "figures" in text and "100%" in text and " in all" in text


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
