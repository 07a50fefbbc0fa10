"""How cost grows, by the small version of the study `scaling`."""

from __future__ import annotations

from pathlib import Path

import pytest
from host_speed import Figures

from deltatrain.sim.progress import tell_nobody
from deltatrain.sim.studies.scaling import Settings, rows

SIZES = {
    "steps, analytic": (10_000, 40_000),
    "steps, cycle, all in SRAM": (1000, 4000),
    "steps, cycle, all in DRAM": (40, 160),
    "neurons, analytic": (128, 512),
    "neurons, cycle": (64, 256),
    "tiles, cycle": (184, 736),
    "points of a sweep": (40, 160),
    "bytes of a DRAM trace": (10**6, 4 * 10**6),
}


@pytest.mark.parametrize("axis", SIZES)
def test_time_grows_no_faster_than_the_work(axis: str, tmp_path: Path, figures: Figures) -> None:
    tries = iter(range(10))

    def growth() -> float:
        folder = tmp_path / str(next(tries))
        folder.mkdir()
        small, large = rows(Settings({axis: SIZES[axis]}), folder, tell_nobody)
        figures.tell(f"peak memory at {large['size']:,} {axis}", float(large["peak_MB"]), "MB")
        work = (SIZES[axis][1] / SIZES[axis][0]) ** (2 if axis.startswith("neurons") else 1)
        return float(large["CPU_s"]) / float(small["CPU_s"]) / work

    figures.at_most(1.25, f"time over work, four times the {axis}", growth)
