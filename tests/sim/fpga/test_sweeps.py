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

pytest.importorskip("polars")

NETLIST = json.loads((Path(__file__).parent / "recorded/netlist.json").read_text())
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
