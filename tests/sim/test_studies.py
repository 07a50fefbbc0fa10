from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from accel.errors import NetworkError
from sim.studies import STUDIES, _training, speedup
from sim.studies._training import Settings
from workloads.datasets import DATASETS


def _silent(stage: str, share: float, detail: str) -> None:
    """Take progress and do nothing."""


@pytest.mark.parametrize("name", STUDIES.names())
def test_a_study_says_what_it_asks_and_has_a_small_version(name: str) -> None:
    study = STUDIES.load(name)
    assert len(study.ABOUT) > 80
    assert type(study.SETTINGS) is type(study.SMALL_SETTINGS)
    assert study.SETTINGS != study.SMALL_SETTINGS
    assert callable(study.rows)


def test_speedup_is_dense_cycles_over_cycles_and_below_the_ideal(tmp_path: Path) -> None:
    rows = speedup.rows(speedup.SMALL_SETTINGS, tmp_path, _silent)
    assert len(rows) == 3 * 6
    for row in rows:
        sparsity = float(row["sparsity_%"]) / 100
        assert float(row["speedup"]) == pytest.approx(float(row["dense_cycles"]) / float(row["cycles"]), abs=0.005)
        assert float(row["speedup"]) <= 1 / (1 - sparsity) + 0.005
        assert 0 < float(row["utilisation_%"]) <= 100


def test_finished_trainings_are_kept_and_give_the_same_rows(tmp_path: Path) -> None:
    try:
        DATASETS.load("vowels").load()
    except NetworkError as error:
        pytest.skip(str(error))
    short = {"training.epochs": 1, "training.dense_epochs": 0}
    settings = Settings("vowels", short, seeds=(1, 2), trials={"quiet": {"theta_x": 0.5, "theta_h": 0.3}})
    first = _training.rows(settings, tmp_path, _silent)
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    assert len(kept) == 4
    assert _training.rows(settings, tmp_path, _silent) == first
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")} == kept
    dense, quiet = first
    assert (dense["saved_%"], dense["fewer_times"], dense["lost_points"]) == (0.0, 1.0, 0.0)
    assert float(quiet["fewer_times"]) == pytest.approx(1 / (1 - float(quiet["saved_%"]) / 100), rel=0.01)
    lost = float(dense["accuracy_%"]) - float(quiet["accuracy_%"])
    np.testing.assert_allclose(float(quiet["lost_points"]), lost, atol=0.011)
