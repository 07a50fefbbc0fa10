"""What is read of the tools' files, on what yosys and nextpnr wrote for a small counter, and on broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deltatrain.accel.errors import HostError
from deltatrain.sim.fpga.netlist import area_of_units, total
from deltatrain.sim.fpga.parts import ECP5, PARTS, RESOURCES, XC7
from deltatrain.sim.fpga.routed import critical_path, fmax_hz, used
from deltatrain.sim.fpga.units import unit_of
from deltatrain.sim.fpga.wrapper import PINS, PortBits, wrapper

RECORDED = Path(__file__).parent / "recorded"


def read(name: str) -> Any:
    return json.loads((RECORDED / name).read_text())


@pytest.mark.parametrize(
    ("cell", "unit"),
    [
        ("scan_TRELLIS_FF_Q_488", "wrapper"),
        ("$PACKER_GND", "wrapper"),
        ("tile.b_TRELLIS_FF_Q_DI_CCU2C_S0_2$CCU2_COMB0", "tile"),
        ("tile.commands__payload$61.op_LUT4_Z", "tile"),
        ("tile.machine.tile.engine_unit.begin.later_LUT4_Z", "engine_unit.begin"),
        ("tile.machine.reader.level_TRELLIS_FF_Q", "machine.reader"),
        ("tile.commands__payload.op.more_LUT4_Z", "tile"),
        ("tile.counts.done_TRELLIS_FF_Q", "counts"),
        ("tile.x_memory.0.0.0", "x_memory"),
        ("tile.engine_unit.lanes.matvec_t.tree.sum_LUT4_Z", "engine_unit.lanes"),
        ("tile.tile_1.engine_unit.begin.later_LUT4_Z", "tile_1.engine_unit"),
        ("$flatten\\tile.\\engine_unit.\\begin.$procdff$22", "engine_unit.begin"),
    ],
)
def test_a_cell_is_of_the_unit_that_its_name_begins_with(cell: str, unit: str) -> None:
    assert unit_of(cell) == unit


def test_the_area_of_each_unit_is_what_the_verilog_says() -> None:
    areas = area_of_units(read("netlist.json"), ECP5)
    registers = {unit: area["ff"] for unit, area in areas.items()}
    assert registers == {"count": 8, "other": 8, "tile": 8, "wrapper": 1 + 1 + 16 + 4 + 1}  # reset, scan, xor_0, 1, 2
    assert {unit: area["carry"] for unit, area in areas.items()} == {"count": 4, "other": 4, "tile": 4, "wrapper": 0}
    assert areas["wrapper"]["lut"] == 5, "an exclusive or of four is a LUT"


def test_units_add_up_to_the_netlist() -> None:
    netlist = read("netlist.json")
    kinds = [cell["type"] for cell in netlist["modules"]["fpga_top"]["cells"].values()]
    whole = total(area_of_units(netlist, ECP5))
    assert whole == {of: sum(kind in ECP5.cells[of] for kind in kinds) for of in RESOURCES}


def test_cells_of_xilinx_count_as_the_luts_and_half_block_rams_that_they_take() -> None:
    kinds = {"a": "LUT6", "b": "LUT1", "c": "RAM32M", "d": "RAMB36E1", "e": "RAMB18E1", "f": "FDSE", "g": "BUFG"}
    cells = {f"tile.unit.{name}": {"type": kind} for name, kind in kinds.items()}
    (area,) = area_of_units({"modules": {"fpga_top": {"cells": cells}}}, XC7).values()
    assert area == {"lut": 2, "carry": 0, "ff": 1, "lut_ram": 4, "block_ram": 3, "multiplier": 0}


def test_every_family_counts_every_resource() -> None:
    assert all(tuple(part.family.cells) == RESOURCES for part in PARTS.values())


def test_the_critical_path_takes_one_period_of_the_highest_clock() -> None:
    report = read("report.json")
    path = critical_path(report)
    assert path.logic_s + path.routing_s == pytest.approx(1 / fmax_hz(report), rel=1e-6)
    assert path.routing_s == pytest.approx(1.234e-9, rel=1e-3)
    assert (path.first, path.last) == ("tile.count.n_TRELLIS_FF_Q_7", "tile.b_TRELLIS_FF_Q")
    assert path.units == ("count", "tile")


def test_what_is_not_used_is_not_told() -> None:
    assert used(read("report.json")) == {
        "DCCA": (1, 56),
        "TRELLIS_COMB": (43, 83640),
        "TRELLIS_FF": (47, 83640),
        "TRELLIS_IO": (PINS, 365),
    }


@pytest.mark.parametrize("netlist", [{}, {"modules": {}}, {"modules": {"tile": {"cells": {}}}}])
def test_a_netlist_without_the_top_is_one_line(netlist: dict[str, Any]) -> None:
    with pytest.raises(HostError, match="no module fpga_top"):
        area_of_units(netlist, ECP5)


def test_a_report_without_clock_or_path_is_one_line() -> None:
    asynchronous = {"critical_paths": [one for one in read("report.json")["critical_paths"] if "<async>" in str(one)]}
    assert asynchronous["critical_paths"], "the recorded report has such paths"
    with pytest.raises(HostError, match="no clock"):
        fmax_hz({})
    with pytest.raises(HostError, match="no path"):
        critical_path(asynchronous)


def test_the_wrapper_connects_every_bit_once() -> None:
    text = wrapper(PortBits({"a": 3, "b": 2}, {"c": 70, "d": 1}))
    assert "scan <= {scan[3:0], scan_in};" in text
    for connection in (".a(scan[2:0])", ".b(scan[4:3])", ".c(given[69:0])", ".d(given[70:70])"):
        assert connection in text
    assert "reg [17:0] xor_1;" in text and "reg [4:0] xor_2;" in text and "assign scan_out = xor_4[0];" in text
