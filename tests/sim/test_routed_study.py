"""Effective throughput at the clock that was routed: products and cycles a second time, from the sizes alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.fpga.parts import PARTS
from deltatrain.sim.studies import routed, silicon
from deltatrain.sim.studies._comparisons import comparisons

INPUTS, CLASSES, LANES = 40, 31, 8  # of EdgeDRNN's published point; of the workload synthetic; of edge


def _silent(stage: str, share: float, detail: str) -> None:
    """Take progress and do nothing."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory):
    return routed.rows(routed.SMALL_SETTINGS, tmp_path_factory.mktemp("study"), _silent)


def test_forward_the_lanes_are_nearly_always_busy_with_what_fired(small) -> None:
    (row,) = (row for row in small if row["phases"] == "forward")
    hidden = int(row["hidden"])
    words = 0.1 * (INPUTS + 3 * hidden) * 3 * hidden / LANES
    assert words <= row["cycles"] <= 1.03 * words
    assert row["GOp/s"] == pytest.approx(row["dense_peak_GOp/s"] * 10 * words / row["cycles"], rel=1e-3)
    assert row["published_GOp/s"] == "", "another network than EdgeDRNN's"


def test_products_of_a_training_are_those_of_its_sizes(small) -> None:
    (row,) = (row for row in small if row["phases"] == "training")
    hidden, steps = int(row["hidden"]), routed.SMALL_SETTINGS.steps
    head = CLASSES * (hidden + 1)
    of_h = (steps - 1) * 2 * 3 * hidden * hidden  # at the first step nothing comes from before
    forward = steps * 3 * hidden * (INPUTS + hidden) + of_h + 2 * 2 * 3 * hidden + head  # a bias fires once
    backward = steps * 3 * hidden * hidden + of_h + CLASSES * hidden  # no gradients of the first layer's inputs
    operations = float(row["GOp/s"]) * 1e9 * float(row["ms"]) / 1e3
    assert operations == pytest.approx(2 * (2 * forward + backward), rel=1e-3)
    assert row["zeros_%"] == pytest.approx(90, abs=1.5)


def test_edgedrnns_rate_stands_beside_its_network_alone() -> None:
    known = silicon.published()["edgedrnn"]["published"]
    settings = routed.SETTINGS._replace(steps=2, batches=())
    assert settings.hidden == known["hidden"]
    (row,) = routed.rows(settings, Path(), _silent)
    (found,) = comparisons("routed", [row])
    assert (found.theirs, found.ours) == (str(known["gop_per_second"]), f"{row['GOp/s']:g}")


def test_the_clock_says_what_was_routed() -> None:
    found = routed.routed()
    assert found["part"] in PARTS and PARTS[found["part"]].placing is not None
    assert found["clock_hz"] < found["target_hz"]
    assert all(found[name] for name in ("gates", "workload", "seeds", "tools", "date", "before"))


def test_the_preset_works_at_the_clock_that_was_routed_in_whole_megahertz() -> None:
    clock_hz = Architecture.named(routed.routed()["machine"]).engine.clock_hz
    assert clock_hz == routed.routed()["clock_hz"] // 1_000_000 * 1_000_000
