"""4,096 multipliers as lanes and as arrays: shares add up, and arrays are used where lanes have no rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from deltatrain.sim.studies import arrays

SHARES = ("used_%", "no_row_%", "no_column_%", "waits_%")


def _silent(stage: str, share: float, detail: str) -> None:
    """Take progress and do nothing."""


def test_shares_add_up_and_columns_are_as_long_as_their_rows(tmp_path: Path) -> None:
    settings = arrays.SMALL_SETTINGS
    table = arrays.rows(settings, tmp_path, _silent)
    assert len(table) == len(settings.arrays) * len(settings.widths) * (1 + len(settings.occupancies))
    for row in table:
        assert sum(float(row[name]) for name in SHARES) == pytest.approx(100, abs=0.25)
        assert min(float(row[name]) for name in SHARES) >= 0
        assert int(row["arrays"]) * int(row["lanes"]) == settings.multipliers
        assert row["words"] == -(-4 * int(row["hidden"]) // int(row["lanes"]))
        if row["arrays"] == 1:
            assert (row["no_column_%"], row["dealt_by_order_%"]) == (0, 100)
        assert float(row["dealt_by_order_%"]) <= 100


@pytest.mark.parametrize("hidden", [512, 1024])
def test_dense_columns_use_more_of_arrays_than_of_lanes(hidden: int, tmp_path: Path) -> None:
    settings = arrays.SETTINGS._replace(arrays=(1, 64), widths=(hidden,), occupancies=(), steps=3, batch=1)
    lanes, of_arrays = arrays.rows(settings, tmp_path, _silent)
    assert float(lanes["no_row_%"]) > 5 > 1 > float(of_arrays["no_row_%"])
    assert float(of_arrays["used_%"]) > float(lanes["used_%"]) + 5
