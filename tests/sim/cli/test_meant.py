"""An argument of the wrong kind is answered with what it is, and with the command that was meant."""

from __future__ import annotations

import shutil
from inspect import signature
from pathlib import Path

import pytest

from deltatrain.sim.cli import main
from deltatrain.sim.cli.application import COMMANDS
from deltatrain.sim.cli.choices import families
from deltatrain.sim.cli.meant import _SEEN_BY, _TAKES, RESULT_FOLDER, SWEEP_FOLDER, TRACE

FILES = Path(__file__).parents[2] / "golden" / "files_of_before"

CASES = {
    "plan tiny": "tiny is a machine and a workload: `plan TRACE --on tiny` or `plan --workload tiny`",
    "simulate edge": "edge is a machine: `simulate TRACE --on edge`",
    "simulate vowels": "vowels is a workload and a data set: `simulate --workload vowels`",
    "simulate -w tiny -f edge": "edge is a machine: `simulate TRACE --on edge`",
    "simulate machine.toml": "machine.toml is a machine: `simulate TRACE --on machine.toml`",
    "run digits": "digits is a workload and a data set: `run --workload digits`",
    "run edge": "edge is a machine: `run --on edge`",
    "run -w edge": "edge is a machine: `run --on edge`",
    "run -w out/trace.npz": "out/trace.npz is a trace: `simulate out/trace.npz`",
    "run --on vowels": "vowels is a workload and a data set: `run --workload vowels`",
    "run --on ddr4_2400": "ddr4_2400 is a DRAM part: `dram --device ddr4_2400 --generate stream`",
    "train vowels": "vowels is a workload and a data set: `train --workload vowels`",
    "train edge": "edge is a machine: `train --on edge`",
    "plan -w x.npz": "x.npz is a trace: `plan x.npz`",
    "describe delta_lstm": "delta_lstm is a cell: `list cells`",
    "describe edge_memory": "edge_memory is a space: `sweep edge_memory`",
    "describe space.toml": "space.toml is a space: `sweep space.toml`",
    "describe x.npz": "x.npz is a trace: `simulate x.npz`",
    "describe swept": "swept is a folder of a sweep: `report swept`",
    "sweep edge": "edge is a machine: `describe edge`",
    "sweep workload.toml": "workload.toml is a workload: `describe workload.toml`",
    "front edge_memory": "edge_memory is a space: `sweep edge_memory`",
    "compare swept digits": "digits is a workload and a data set: `describe digits` or `data digits`",
    "compare edge swept": "edge is a machine: `describe edge`",
    "report tiny": "tiny is a machine and a workload: `describe tiny`",
    "study edge_memory": "edge_memory is a space: `sweep edge_memory`",
    "data edge": "edge is a machine: `describe edge`",
    "dram -d edge -g stream": "edge is a machine: `describe edge`",
    "verilog edge": "edge is a machine: `verilog TRACE --on edge`",
    "fpga digits": "digits is a workload and a data set: `fpga MACHINE --workload digits`",
    "verify --cell delta_lstm": "delta_lstm is a cell: `list cells`",
    "list edge": "edge is a machine: `describe edge`",
    # of the right kind, or of none: the command's own answer stands
    "run foo": None,
    "run -w vowls": None,
    "run -w tiny --on tiny --set machine.engine.lanes=0": None,
    "simulate none.npz": None,
    "simulate -w digits": None,
    "dram -d ddr4_2400 -t none.npz": "none.npz is a trace: `simulate none.npz`",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "machine.toml").write_text('base = "edge"\n')
    (tmp_path / "workload.toml").write_text('base = "digits"\n')
    (tmp_path / "space.toml").write_text('base = "edge_memory"\n')
    shutil.copytree(FILES / "sweep", tmp_path / "swept")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("words", "told"), CASES.items(), ids=list(CASES))
def test_the_command_that_was_meant_is_named(words: str, told: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    if told is None:
        assert "`deltatrain describe" not in said and " is a " not in said
    else:
        (line,) = said.splitlines()
        assert line.replace("`deltatrain ", "`") == f"deltatrain: {told}"


def test_what_is_named_is_there() -> None:
    kinds = {family.what for family in families().values()} | {TRACE, RESULT_FOLDER, SWEEP_FOLDER}
    own = {"family", "trace of memory requests", "cell arithmetic"}
    assert set.union(*_TAKES.values()) <= kinds | own and _SEEN_BY.keys() <= kinds
    parameters = {word: signature(command).parameters for word, command in COMMANDS.items()}
    for key in _TAKES:
        word, space, name = key.rpartition(" ")
        assert name in parameters[word] if space else any(name in names for names in parameters.values())
    assert {text.partition(" ")[0] for text in _SEEN_BY.values()} <= COMMANDS.keys()
