"""Whatever is wrong with the input or the machine: clear lines, the right exit status, nothing half-written."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.presets import MACHINES
from deltatrain.accel.result import Result
from deltatrain.sim.cli import main
from deltatrain.workloads.trace import Trace

TINY = "run --workload tiny --on tiny --out {out}"
TILES = (
    TINY + " --set machine.tiles.count=2 --set machine.tiles.exchange_bytes_per_cycle=8"
    " --set machine.tiles.exchange_latency_cycles=4"
)

# (name of the case, command line, what the one line on standard error must say)
CASES = [
    # names
    ("unknown workload", "run --workload digit --out {out}", "'digit' did you mean 'digits'?"),
    ("unknown machine", "run --workload tiny --on egde --out {out}", "'egde' did you mean 'edge'?"),
    ("unknown fidelity", TINY + " --fidelity cicle", "'cicle' did you mean 'cycle'?"),
    ("unknown data set", TINY + " --set workload.dataset=digts", "'digts' did you mean 'digits'?"),
    ("unknown cell", TINY + " --set workload.cell=delta_lsmt", "'delta_lsmt' did you mean 'delta_lstm'?"),
    ("unknown optimiser", TINY + " --set workload.training.optimiser=adamv", "'adamv' did you mean 'adamw'?"),
    ("unknown schedule", TINY + " --set workload.training.schedule=cosin", "'cosin' did you mean 'cosine'?"),
    ("unknown memory device", TINY + " --set machine.remote.device=ddr3", "'ddr3' ddr3_1600"),
    (
        "energy table without a row",
        TINY + " --set machine.energy=cacti7_22nm_hp",
        "cacti7_22nm_hp multiply horowitz_45nm",
    ),
    ("unknown energy table", TINY + " --set machine.energy=horowitz", "'horowitz' horowitz_45nm"),
    ("unknown family", "list machine", "'machine' did you mean 'machines'?"),
    ("unknown thing to describe", "describe edg", "'edg' did you mean 'edge'?"),
    ("change of a description as it is written", "describe edge --toml --set machine.engine.lanes=4", "--toml --set"),
    (
        "numbers of two kinds",
        TINY + " --numbers float --set workload.training.numbers=machine",
        "--numbers float training.numbers=machine leave one out",
    ),
    (
        "numbers beside a machine to train on",
        "train -w vowels --on edge --out {out} --set workload.training.numbers=float",
        "--on edge training.numbers=float leave one out",
    ),
    ("ambiguous thing to describe", "describe tiny", "machine.tiny workload.tiny"),
    ("unknown data set to fetch", "data digit", "'digit' did you mean 'digits'?"),
    # arguments
    ("unknown command", "simulat", 'Unknown command "simulat" "simulate"'),
    ("unknown option", TINY + " --machine edge", "Unknown option --machine"),
    ("option without its value", TINY + " --fidelity", "--fidelity requires an argument"),
    ("option given twice", TINY + " --on edge", "--on multiple times"),
    ("argument too many", TINY + " more", "more"),
    ("no argument", "describe", "NAME"),
    ("no assignment", TINY + " --set machine.engine.lanes", "--set machine.FIELD=VALUE 'machine.engine.lanes'"),
    ("field of nothing", TINY + " --set engine.lanes=4", "--set machine.FIELD=VALUE 'engine.lanes=4'"),
    ("field without a name", TINY + " --set machine.=4", "--set machine.FIELD=VALUE 'machine.=4'"),
    ("nothing to simulate", "simulate", "trace file --workload"),
    ("two things to simulate", "simulate {trace} --workload tiny", "trace file --workload"),
    ("machine in training", "train --set machine.engine.lanes=4 --out {out}", "machine"),
    ("workload of a trace", "simulate {trace} --set workload.theta_x=1", "the trace has its workload"),
    ("simulation before training", "simulate --workload digits", "'digits' must be trained"),
    ("training of statistics", "train --workload tiny --out {out}", "'tiny' nothing to train"),
    # fields of the machine
    ("zero lanes", TINY + " --set machine.engine.lanes=0", "engine.lanes positive integer 0"),
    ("negative capacity", TINY + " --set machine.local.bytes=-1", "local.bytes positive integer -1"),
    ("a word for a number", TINY + " --set machine.engine.lanes=many", "engine.lanes integer 'many'"),
    ("a fraction of a lane", TINY + " --set machine.engine.lanes=2.5", "engine.lanes integer 2.5"),
    ("a number for a table", TINY + " --set machine.dma=3", "dma table 3"),
    ("a field in a number", TINY + " --set machine.energy.pj=3", "energy.pj not a field"),
    ("misspelt field", TINY + " --set machine.engine.lane=3", "engine.lane 'lanes'"),
    ("clock slower than any", TINY + " --set machine.engine.clock_hz=3", "clock_hz must be at least 1000 3"),
    ("home nowhere", TINY + " --set machine.placement.tape=cloud", "placement.tape 'local' 'remote' 'auto' 'cloud'"),
    ("narrow accumulator", TINY + " --set machine.engine.formats.memory_bits=8", "memory_bits 8"),
    ("bus of no devices", TINY + " --set machine.remote.bus_bits=12", "remote.bus_bits multiple 8 12"),
    ("buffer larger than its memory", TINY + " --set machine.dma.buffer_bytes=65536", "dma.buffer_bytes 65536"),
    # fields of the workload
    ("negative layer", TINY + " --set workload.hidden=[4,-4]", "hidden.1 positive integer -4"),
    ("layer that is no list", TINY + " --set workload.hidden=4", "hidden list 4"),
    ("no layers", TINY + " --set workload.hidden=[]", "hidden at least 1"),
    ("theta not a number", TINY + " --set workload.theta_x=nan", "theta_x finite nan"),
    ("theta infinite", TINY + " --set workload.theta_h=inf", "theta_h finite inf"),
    ("theta negative", TINY + " --set workload.theta_x=-0.1", "theta_x at least 0 -0.1"),
    ("thetas for other layers", TINY + " --set workload.theta_x=[0.1,0.2,0.3]", "theta_x 2 layers 3"),
    ("no samples", TINY + " --set workload.training.batch=0", "training.batch positive integer 0"),
    ("no epochs", TINY + " --set workload.training.epochs=0", "training.epochs positive integer 0"),
    ("more dense epochs than epochs", TINY + " --set workload.training.dense_epochs=9", "dense_epochs epochs (2) 9"),
    ("learning rate not a number", TINY + " --set workload.training.learning_rate=nan", "learning_rate nan"),
    ("occupancy above one", TINY + " --set workload.synthetic.occupancy_x=1.5", "synthetic.occupancy_x at most 1.5"),
    ("unknown precision", TINY + " --set workload.training.precision=half", "precision 'float32' 'half'"),
    (
        "sparse weights of several arrays as gates",
        TINY + " --fidelity rtl --set machine.engine.arrays=2"
        " --set workload.sparsity.rule=static --set workload.sparsity.density=0.3",
        "compressed engine.arrays = 1 2",
    ),
    ("unknown sparsity rule", TINY + " --set workload.sparsity.rule=selfih", "sparsity.rule 'selfish'"),
    ("too many bits", TINY + " --set workload.few_bit.bits=8", "few_bit.bits at most 7 8"),
    ("statistics of a real set", TINY + " --set workload.dataset=digits", "synthetic 'digits'"),
    # what does not fit
    (
        "weights too large",
        TINY + " --set machine.local.bytes=2000 --set machine.placement.weights=local",
        "bytes missing",
    ),
    (
        "state too large",
        TINY + " --set workload.hidden=[60000] --set machine.placement.weights=remote",
        "bytes missing",
    ),
    (
        "too large for any memory",
        TINY + " --set machine.remote.bytes=64 --set machine.local.bytes=1500",
        "bytes missing",
    ),
    ("more than this computer holds", TINY + " --set workload.synthetic.steps=1000000000000000", "memory"),
    # files
    ("no such machine file", "run --workload tiny --on {tmp}/none.toml --out {out}", "none.toml No such file"),
    ("no such workload file", "run --workload {tmp}/none.toml --out {out}", "none.toml No such file"),
    ("broken TOML", "run --workload {tmp}/broken.toml --out {out}", "broken.toml not TOML Invalid value"),
    ("TOML that is no text", "run --workload {tmp}/noise.toml --out {out}", "noise.toml UTF-8"),
    (
        "machine with an unknown field",
        "run -w tiny --on {tmp}/extra.toml --out {out}",
        "extra.toml engine.lane 'lanes'",
    ),
    ("machine without a field", "run -w tiny --on {tmp}/less.toml --out {out}", "less.toml dma missing"),
    ("no such trace", "simulate {tmp}/none.npz", "none.npz No such file"),
    ("folder for a trace", "simulate {tmp}", "directory"),
    ("noise for a trace", "simulate {tmp}/noise.npz", "noise.npz"),
    ("empty trace", "simulate {tmp}/empty.npz", "empty.npz"),
    ("truncated trace", "simulate {tmp}/truncated.npz", "truncated.npz"),
    ("trace with a flipped bit", "simulate {tmp}/flipped.npz", "flipped.npz"),
    ("foreign archive", "simulate {tmp}/foreign.npz", "foreign.npz not a trace"),
    ("trace of another version", "simulate {tmp}/newer.npz", "newer.npz version 99 version 2"),
    # the output folder
    ("file for a folder", "run -w tiny --on tiny --out {tmp}/noise.toml", "noise.toml a file of that name"),
    ("folder in a file", "run -w tiny --on tiny --out {tmp}/noise.toml/out", "noise.toml/out Not a directory"),
    ("folder that cannot be made", "run -w tiny --on tiny --out /proc/deltatrain", "/proc/deltatrain cannot be made"),
    ("folder that cannot be written to", "run -w tiny --on tiny --out /proc/self", "/proc/self cannot be written"),
    ("result of another machine", "run -w tiny --on reneta --out {tmp}/done", "'tiny' 'reneta' --out"),
    ("result of another workload", "run -w {few} --on tiny --out {tmp}/done", "'tiny' 'few' --out"),
    ("result of somebody else", "run -w tiny --on tiny --out {tmp}/foreign", "result.json not written by deltatrain"),
    (
        "state of another workload",
        "train -w {few} --out {tmp}/started --resume --set workload.theta_x=0.9",
        "another workload",
    ),
    ("damaged state", "train -w {few} --out {tmp}/damaged --resume", "training_state.npz damaged"),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory, few):
    """A folder with files good and bad."""
    folder = tmp_path_factory.mktemp("template")
    done = folder / "done"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main(["run", "-w", "tiny", "--on", "tiny", "--out", str(done)]) == 0
        assert main(["train", "-w", str(few), "--out", str(folder / "started")]) == 0
    whole = (done / "trace.npz").read_bytes()
    middle = len(whole) // 2
    (folder / "truncated.npz").write_bytes(whole[:middle])
    inside = _inside_the_largest_array(done / "trace.npz")
    (folder / "flipped.npz").write_bytes(whole[:inside] + bytes([whole[inside] ^ 1]) + whole[inside + 1 :])
    (folder / "noise.npz").write_bytes(bytes(range(256)) * 8)
    (folder / "noise.toml").write_bytes(b"\xff\xfe\x00")
    (folder / "empty.npz").touch()
    np.savez(folder / "foreign.npz", weights=np.ones(3))
    _with_version(done / "trace.npz", folder / "newer.npz", 99)
    (folder / "broken.toml").write_text("name = ")
    machine = MACHINES.text("tiny")
    (folder / "extra.toml").write_text(machine.replace("lanes = 4", "lanes = 4\nlane = 4", 1))
    (folder / "less.toml").write_text(machine.partition("[dma]")[0] + _PLACEMENT)
    (folder / "foreign").mkdir()
    (folder / "foreign" / "result.json").write_text('{"score": 3}')
    (folder / "damaged").mkdir()
    (folder / "damaged" / "training_state.npz").write_bytes(b"PK\x03\x04 and no more")
    return folder


@pytest.fixture
def prepared(template, few, tmp_path):
    """A copy of the template, and the words that stand for its files in command lines."""
    folder = tmp_path / "copy"
    shutil.copytree(template, folder)
    return {"tmp": folder, "out": folder / "out", "trace": folder / "done" / "trace.npz", "few": few}


_PLACEMENT = '[placement]\nweights = "auto"\ngradients = "auto"\ntape = "auto"\n'


@pytest.mark.parametrize(("command", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_one_clear_line_and_nothing_written(prepared, deltatrain, command, said):
    before = _contents(prepared["tmp"])
    ran = deltatrain(*(word.format(**prepared) for word in command.split()))
    assert ran.status == 2
    lines = ran.stderr.splitlines()
    complaints = [line for line in lines if line.startswith("deltatrain: ")]
    stages = [line for line in lines if line.startswith("data set digits: ")]  # done before training went wrong
    assert len(complaints) == 1 and len(lines) == len(complaints) + len(stages), ran.stderr
    assert ran.stdout == ""
    _says(complaints[0], said)
    assert _contents(prepared["tmp"]) == before


def test_there_are_many_cases_and_each_has_its_name():
    assert len({case[0] for case in CASES}) == len(CASES) >= 30


def test_each_wrong_field_has_its_line(deltatrain, tmp_path):
    changes = ["machine.engine.lanes=0", "machine.dma.request_cycles=-1", "machine.remote.bytes=x"]
    ran = deltatrain("run", "-w", "tiny", "--out", tmp_path / "out", *(w for c in changes for w in ("--set", c)))
    assert ran.status == 2
    said = [line.removeprefix("deltatrain: ").split()[0] for line in ran.stderr.splitlines()]
    assert said == ["engine.lanes", "remote.bytes", "dma.request_cycles"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 2}', "null", '"result"'])
def test_what_is_no_result_of_this_version_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        Result.load(path)
    assert str(path) in str(refused.value) and len(str(refused.value).splitlines()) == 1


def test_a_result_of_another_schema_is_refused(prepared):
    path = prepared["tmp"] / "done" / "result.json"
    table = json.loads(path.read_text())
    assert Result.load(path).schema_version == table["schema_version"]
    path.write_text(json.dumps(table | {"schema_version": 3}))
    with pytest.raises(ConfigError, match="schema 2"):
        Result.load(path)


@pytest.mark.parametrize("written", ["trace.npz", "result.json", "phase_breakdown.png", "training_state.npz"])
def test_a_full_disk_leaves_the_old_files_whole(deltatrain, tmp_path, monkeypatch, few, written):
    words = ("run", "-w", few, "--on", "tiny", "--out", tmp_path / "out")
    assert deltatrain(*words).status == 0
    before = _contents(tmp_path)
    flush = os.fsync

    def full(handle: int) -> None:
        if written in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(handle)

    monkeypatch.setattr(os, "fsync", full)
    ran = deltatrain(*words)
    assert ran.status == 2 and "Traceback" not in ran.stderr
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("deltatrain: ")]
    _says(line, f"{written} cannot be written: No space left on device")
    after = _contents(tmp_path)
    assert set(after) == set(before), "no temporary file stays behind"
    assert next(content for name, content in after.items() if name.endswith(written)) == before[_named(before, written)]


# Interrupts this process a moment after it begins to put a file into its place for the second time.
_INTERRUPTED_SOON_AFTER = """
import os, signal, sys, threading
seen = []

def look(event, words):
    if event == "os.rename" and str(words[1]) == {place!r}:
        seen.append(words)
        if len(seen) == 2:
            threading.Timer(0.001, os.kill, (os.getpid(), signal.SIGINT)).start()

sys.addaudithook(look)
"""


def test_interrupted_training_is_kept_and_resumed(tmp_path, few):
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    words = ["train", "-w", str(few), "--set", "workload.training.epochs=60"]
    assert _status([*words, "--out", str(whole)]) == 0
    state = halves / "training_state.npz"
    interrupted = _process([*words, "--out", str(halves)], before=_INTERRUPTED_SOON_AFTER.format(place=str(state)))
    stdout, stderr = interrupted.communicate(timeout=600)
    assert interrupted.returncode == 130 and stdout == ""
    last = stderr.splitlines()[-1]
    _says(last, f"deltatrain: interrupted; {state} go on with `deltatrain train --resume`")
    assert "Traceback" not in stderr and sum(line.startswith("deltatrain: ") for line in stderr.splitlines()) == 1
    assert [path.name for path in halves.iterdir()] == ["training_state.npz"]
    assert _status([*words, "--out", str(halves), "--resume"]) == 0
    assert (halves / "training.json").read_bytes() == (whole / "training.json").read_bytes()
    assert Trace.load(halves / "trace.npz") == Trace.load(whole / "trace.npz")


# A simulation that says when it begins, and does not end by itself.
_ENDLESS = """
import sys, itertools
from deltatrain.sim.fidelity import cycle
count = cycle.count

def endless(*words, **named):
    sys.stderr.write("begun\\n")
    sys.stderr.flush()
    for _ in itertools.count():
        count(*words, **named)

cycle.count = endless
"""


def test_interrupted_before_anything_was_kept():
    process = _process(["simulate", "-w", "tiny"], before=_ENDLESS)
    assert process.stderr.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=600)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1].startswith("deltatrain: interrupted; nothing was")
    assert "Traceback" not in stderr


def test_a_reader_that_goes_away_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    process = _process(["list"], stdout=writer)
    os.close(writer)
    assert process.communicate(timeout=600)[1] == ""
    assert process.returncode == 141


@pytest.mark.parametrize("words", [["list"], ["describe", "edge", "--toml"], ["--help"]])
def test_a_full_disk_behind_standard_output_is_said(words):
    with Path("/dev/full").open("w") as full:
        process = _process(words, stdout=full)
        _, stderr = process.communicate(timeout=600)
    assert process.returncode == 2
    assert stderr == "deltatrain: standard output cannot be used: No space left on device\n"


# Training on few digits, in a process of its own: the data set is replaced before the command line starts.
_PLACES = f"""
import sys
import zipfile
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
"""
_MAIN = """
import sys
import zipfile
from conftest import few_recordings
from deltatrain.workloads.datasets import DATASETS
DATASETS.load("digits").load = lambda progress=None: few_recordings()
from deltatrain.sim.cli import main
sys.exit(main())
"""


def _process(words: list[str], stdout: object = subprocess.PIPE, before: str = "") -> subprocess.Popen[str]:
    """Start the command line, and run `before` in its process first."""
    return subprocess.Popen(
        [sys.executable, "-c", _PLACES + before + _MAIN, *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def _status(words: list[str]) -> int:
    process = _process(words)
    process.communicate(timeout=600)
    return process.returncode


def _says(line: str, said: str) -> None:
    """Check that `line` holds all words of `said`, in their order."""
    at = 0
    for word in said.split():
        found = line.find(word, at)
        assert found >= 0, f"{word!r} is missing in {line!r}"
        at = found + len(word)


def _inside_the_largest_array(path: Path) -> int:
    """Return a place in an archive that is in the middle of what is packed of its largest array."""
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda member: member.compress_size)
    lengths = path.read_bytes()[largest.header_offset + 26 :][:4]  # of the name and of what is extra
    header = 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    return largest.header_offset + header + largest.compress_size // 2


def _with_version(source: Path, target: Path, version: int) -> None:
    with np.load(source) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays.pop("header").tobytes()) | {"version": version}
    np.savez(target, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)


def _contents(folder: Path) -> dict[str, bytes]:
    """Return every file below `folder`, temporary ones included, and what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _named(contents: dict[str, bytes], name: str) -> str:
    return next(path for path in contents if path.endswith(name))
