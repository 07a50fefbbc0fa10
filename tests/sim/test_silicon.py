"""Machines of measured hardware against their own closed forms and published counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.sim.studies import silicon


def _silent(stage: str, share: float, detail: str) -> None:
    """Take progress and do nothing."""


def test_small_study_agrees_with_the_published_counts_and_cycles(tmp_path: Path) -> None:
    table = silicon.rows(silicon.SMALL_SETTINGS, tmp_path, _silent)
    eile = {row["what"]: row for row in table if row["part"] == "EILE"}
    assert [row["off_%"] for row in eile.values()] == [0, 0, 0, 0]
    rtl = [row for row in table if row["part"] == "EdgeDRNN"]
    assert len(rtl) == 6
    for row in rtl:
        assert abs(float(row["off_%"])) < 1, row
    vollo = [row for row in table if row["part"] == "Vollo"]
    assert len(vollo) == 5
    for row in vollo:  # the law knows neither words that are not full nor the pipeline
        assert float(row["law"]) <= float(row["ours"]) <= 1.2 * float(row["law"])
    (spartus,) = (row for row in table if row["part"] == "Spartus")
    assert float(spartus["law"]) == spartus["theirs"] < float(spartus["ours"])  # arrays are not always busy


@settings(max_examples=12, deadline=None)
@given(
    inputs=st.integers(1, 40),
    chunks=st.integers(2, 16),
    layers=st.integers(1, 2),
    share=st.floats(0.2, 1.0),
    latency=st.sampled_from([0, 3, 20]),
)
def test_edgedrnn_keeps_the_law_of_its_rtl_where_columns_bound_it(
    inputs: int, chunks: int, layers: int, share: float, latency: int
) -> None:
    hidden = 8 * chunks
    total = inputs + hidden + (layers - 1) * 2 * hidden
    row = {"inputs": inputs, "hidden": hidden, "layers": layers, "columns": round(share * total)}
    row |= {"latency_cycles": latency, "commands": 1 if latency else 4}
    law = silicon.edgedrnn_law(row, lanes=8)
    loads = 2 * -(-inputs // 8)  # ours loads the words of x before a step, which the law of the RTL does not know
    assert silicon.edgedrnn_cycles(row, steps=3) == pytest.approx(law, rel=0.01, abs=6 * layers + loads)
