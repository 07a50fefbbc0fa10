from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from deltatrain.accel.errors import ConfigError, FitError
from deltatrain.sim.progress import tell_nobody
from deltatrain.sim.studies import scaling
from deltatrain.sim.studies._scaling_work import AXES, Work, spent


@pytest.mark.parametrize("axis", AXES)
def test_the_work_of_every_axis_can_be_done_and_grows(axis: str, tmp_path: Path) -> None:
    smallest = AXES[axis].smallest
    small, large = (AXES[axis].work(size, tmp_path) for size in (smallest, 2 * smallest))
    assert small.amount < large.amount and small.given_bytes <= large.given_bytes
    found = spent(large)
    assert found.cpu_s > 0 and found.peak_bytes > 10**7 and found.reason == ""


def test_both_settings_go_along_every_axis_to_what_is_asked() -> None:
    for settings in (scaling.SETTINGS, scaling.SMALL_SETTINGS):
        assert settings.sizes.keys() == AXES.keys()
        assert all(list(sizes) == sorted(set(sizes)) and len(sizes) > 1 for sizes in settings.sizes.values())
    largest = {axis: sizes[-1] for axis, sizes in scaling.SETTINGS.sizes.items()}
    assert largest["steps, analytic"] == 10**6 and largest["neurons, cycle"] == 4096
    assert largest["tiles, cycle"] == 1472 and largest["points of a sweep"] == 10**5
    assert largest["bytes of a DRAM trace"] == 10**9


def test_sizes_are_measured_once_in_processes_of_their_own(tmp_path: Path) -> None:
    settings = scaling.Settings({"neurons, analytic": (8, 16)})
    first, second = scaling.rows(settings, tmp_path, tell_nobody)
    assert (first["axis"], first["size"], first["order"], first["reason"]) == ("neurons, analytic", 8, "", "")
    assert second["size"] == 16 and isinstance(second["order"], float) and float(second["peak_MB"]) > 20
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert len(kept) == 2 and scaling.rows(settings, tmp_path, tell_nobody) == [first, second]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")} == kept
    older = next(iter(kept))
    older.write_text(json.dumps(json.loads(older.read_text()) | {"code": "other"}))
    scaling.rows(settings, tmp_path, tell_nobody)
    assert json.loads(older.read_text())["code"] != "other"


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_order_is_the_power_of_growth(power: float) -> None:
    smaller, larger = ({"cpu_s": 3.0 * amount**power, "amount": amount} for amount in (10, 1000))
    found = scaling.order(smaller, larger)
    assert found is not None and math.isclose(found, power)
    assert scaling.order(smaller | {"cpu_s": 0.0}, larger) is None


@pytest.mark.parametrize("error", [FitError("does not fit\nat all"), MemoryError("too large"), None])
def test_what_cannot_be_done_has_a_reason(error: Exception | None) -> None:
    def fail() -> None:
        if error is not None:
            raise error

    assert spent(Work(fail, 1)).reason == ("" if error is None else " ".join(str(error).split()))


def test_a_process_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such axis, 1: the process that measured it failed: KeyError"):
        scaling.rows(scaling.Settings({"no such axis": (1,)}), tmp_path, tell_nobody)
