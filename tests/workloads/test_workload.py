"""Workloads as descriptions: presets load, and everything wrong gives one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.datasets import DATASETS
from deltatrain.workloads.presets import PRESETS
from deltatrain.workloads.workload import Workload


def _table(**changes: Any) -> dict[str, Any]:
    base = {
        "name": "w",
        "dataset": "digits",
        "cell": "delta_gru",
        "hidden": [8, 4],
        "theta_x": 0.1,
        "theta_h": [0.1, 0.2],
        "training": {"epochs": 3},
    }
    return base | changes


SYNTHETIC = {"inputs": 4, "classes": 3, "steps": 5, "occupancy_x": 0.5, "occupancy_h": 0.3}


@pytest.mark.parametrize("name", PRESETS.names())
def test_every_preset_loads_and_is_called_what_its_file_is(name: str) -> None:
    assert Workload.named(name).name == name


def test_every_data_set_has_a_preset() -> None:
    assert set(DATASETS.names()) <= {Workload.named(name).dataset for name in PRESETS.names()}


def test_a_threshold_is_one_number_or_one_for_each_layer() -> None:
    assert Workload.from_table(_table()).thresholds == ((0.1, 0.1), (0.1, 0.2))


def test_precision_names_the_host_format() -> None:
    assert Workload.from_table(_table()).dtype == np.float32
    assert Workload.from_table(_table(training={"epochs": 1, "precision": "float64"})).dtype == np.float64


def test_a_workload_is_read_from_a_file_with_overrides(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(PRESETS.text("tiny"))
    changed = Workload.named(path, {"training.seed": 5, "theta_x": 0.5})
    assert changed.training.seed == 5
    assert changed.thresholds == ((0.5, 0.1), (0.5, 0.1))
    assert changed == Workload.named("tiny").with_changes(training__seed=5, theta_x=0.5)
    assert changed.digest() != Workload.named("tiny").digest()


def test_a_forget_bias_of_one_is_usual_and_told_only_where_there_is_a_forget_gate() -> None:
    gated, other = (Workload.from_table(_table(cell=cell)) for cell in ("delta_lstm", "delta_gru"))
    assert gated.training.forget_bias == 1.0
    assert gated.model_dump()["training"].keys() - other.model_dump()["training"].keys() == {"forget_bias"}
    assert gated.with_changes(training__forget_bias=0.0).digest() != gated.digest()
    assert Workload.named("vowels").digest() == "ba9649b0906dbeb0"  # of before there was the field


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"theta_x": float("nan")}, "theta_x must be a finite number, not nan"),
        ({"theta_h": float("inf")}, "theta_h must be a finite number, not inf"),
        ({"theta_h": -0.1}, "theta_h must be at least 0.0, not -0.1"),
        ({"theta_h": "low"}, "theta_h must be a number, not 'low'"),
        ({"theta_x": [0.1]}, "theta_x must be one number or one for each of the 2 layers, not 1"),
        ({"theta_x": [0.1, float("nan")]}, "theta_x.1 must be a finite number, not nan"),
        ({"hidden": []}, "hidden must have at least 1 entries, not []"),
        ({"hidden": [8, -4]}, "hidden.1 must be a positive integer, not -4"),
        ({"hidden": [8, 2.5]}, "hidden.1 must be an integer, not 2.5"),
        ({"hidden": [0]}, "hidden.0 must be a positive integer, not 0"),
        ({"hidden": 8}, "hidden must be a list, not 8"),
        ({"cell": "delta_lstn"}, "cell: cell 'delta_lstn' is not known, did you mean 'delta_lstm'?"),
        ({"dataset": "digit"}, "dataset: data set 'digit' is not known, did you mean 'digits'?"),
        ({"readout": "first"}, "readout must be one of 'last' or 'every', not 'first'"),
        ({"tetha_x": 0.1}, "tetha_x is not a field, did you mean 'theta_x'?"),
        ({"dataset": "synthetic"}, 'the table "synthetic" is missing'),
        ({"synthetic": SYNTHETIC}, 'the table "synthetic" belongs to the data set "synthetic", not to \'digits\''),
        (
            {"training": {"epochs": 3, "forget_bias": 0.0}},
            "training.forget_bias must be 1.0 or left out, not 0.0: cell 'delta_gru' has no forget gate",
        ),
        (
            {"cell": "delta_lstm", "training": {"epochs": 3, "forget_bias": 11}},
            "training.forget_bias must be at most 10.0, not 11",
        ),
        ({"training": {"epochs": 0}}, "training.epochs must be a positive integer, not 0"),
        ({"training": {}}, "training.epochs is missing"),
        ({"training": {"epochs": 2, "dense_epochs": 3}}, "training: dense_epochs must be at most epochs (2), not 3"),
        ({"training": {"epochs": 2, "optimiser": "adam"}}, "did you mean 'adamw'?"),
        ({"training": {"epochs": 2, "schedule": "cosin"}}, "did you mean 'cosine'?"),
        ({"training": {"epochs": 2, "batch": -1}}, "training.batch must be a positive integer, not -1"),
        ({"training": {"epochs": 2, "clip_norm": 0.0}}, "training.clip_norm must be a positive number, not 0.0"),
        ({"training": {"epochs": 2, "momentum": 1.0}}, "training.momentum must be less than 1.0, not 1.0"),
        ({"training": {"epochs": 2, "beta": -1.0}}, "training.beta must be at least 0.0, not -1.0"),
        ({"training": {"epochs": 2, "precision": "half"}}, "'half'"),
        (
            {"dataset": "synthetic", "synthetic": SYNTHETIC | {"skew": 1.5}},
            "synthetic.skew must be at most 1.0, not 1.5",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Workload.from_table(_table(**changes))
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="workload 'digit' is not known, did you mean 'digits'"):
        Workload.named("digit")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read"):
        Workload.named(tmp_path / "none.toml")
