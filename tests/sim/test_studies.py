from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deltatrain.accel.errors import NetworkError
from deltatrain.sim.cli import study
from deltatrain.sim.studies import (
    STUDIES,
    _sparse,
    _training,
    cache,
    checkpointing,
    combined,
    few_bit,
    learning_rules,
    memory,
    operations,
    sparse_weights,
    speedup,
    tuning,
    word_lengths,
)
from deltatrain.sim.studies._training import Settings
from deltatrain.workloads.datasets import DATASETS, commands, digits
from deltatrain.workloads.network.network import from_flat
from deltatrain.workloads.presets import PRESETS
from deltatrain.workloads.training import learning_state
from deltatrain.workloads.training.training import sizes_of

_OPERANDS = ("W", "h", "g")
_ALONE = ("weight 10", "activation 8", "gradient 8")


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


def _fetched(name: str) -> None:
    try:
        DATASETS.load(name).load()
    except NetworkError as error:
        pytest.skip(str(error))


def test_sparse_columns_are_counted_as_a_walk_over_the_recorded_step_counts_them(tmp_path: Path) -> None:
    _fetched("vowels")
    settings = sparse_weights.SMALL_SETTINGS._replace(
        changes={"training.epochs": 2, "training.dense_epochs": 1},
        trials={"thin": {"sparsity.rule": "selfish", "sparsity.density": 0.3}},
    )
    outcome = _training.trained(settings, tmp_path, _silent)["thin", 1]
    workload = settings.trial("thin", 1)
    found = _sparse.columns(workload, tmp_path)
    state = learning_state.load(_training.state_path(workload, tmp_path), workload.digest())
    (layer,) = from_flat(state.mask, sizes_of(workload, DATASETS.load("vowels").load())).layers
    macs = words = 0
    step = state.recorded[-1]
    for mask, fired, phases in ((layer.W_x, step.fired_x[0], 2), (layer.W_h, step.fired_h[0], 3)):
        lane = np.tile(np.arange(48) % 8, 3)
        for j in np.nonzero(fired)[2]:
            rows = np.flatnonzero(mask[:, j])
            macs += phases * len(rows)
            words += phases * np.bincount(lane[rows], minlength=8).max()
    assert (found.macs, found.words) == (macs, words)
    assert found.macs < found.whole_macs and found.words < found.whole_words and found.bytes < found.whole_bytes
    assert found.macs / found.whole_macs == pytest.approx(0.3, abs=0.03)
    assert 0.7 < outcome.saved < 1  # 70 % of the weights are gone, and in the second epoch deltas are thresholded


def test_few_bit_rows_are_of_the_same_errors_and_smaller_tapes(tmp_path: Path) -> None:
    _fetched("vowels")
    settings = few_bit.SMALL_SETTINGS._replace(changes={"training.epochs": 1, "training.dense_epochs": 0})
    exact, three, one = few_bit.rows(settings, tmp_path, _silent)
    assert [row["neuron_bits"] for row in (exact, three, one)] == [80, 44, 38]
    assert float(exact["tape_B"]) > float(three["tape_B"]) > float(one["tape_B"])
    assert float(three["tanh_error"]) <= float(three["published_tanh_error"]) * 1.0001
    assert float(three["used_tanh_error"]) < float(three["tanh_error"]) / 3  # all levels on one side
    assert float(one["sigmoid_error"]) > 40 * float(three["sigmoid_error"])


def test_word_lengths_together_are_the_smallest_that_lose_half_a_point_alone(tmp_path: Path) -> None:
    _fetched("vowels")
    small = word_lengths.SMALL_SETTINGS
    changes = {"training.epochs": 3, "training.dense_epochs": 0}
    useless = {"weight 3": word_lengths._narrow("weight", 3)}  # no fraction at all: nothing is learned
    settings = small._replace(changes=changes, trials=small.trials | useless)
    rows = {str(row["trial"]): row for row in word_lengths.rows(settings, tmp_path, _silent)}
    assert float(rows["weight 3"]["lost_points"]) > 0.5 > float(rows["edge"]["lost_points"])
    alone = {name: rows[trial][name] for name, trial in zip(_OPERANDS, _ALONE, strict=True)}
    assert alone == {"W": 10, "h": 8, "g": 8}
    expected = {
        "together": (10, 8, 8, 18, 16),
        "together, M dW +4": (10, 8, 8, 22, 20),
        "together, W 16": (16, 8, 8, 24, 16),
        "together, h 16": (10, 16, 8, 26, 24),
        "together, g 16": (10, 8, 16, 26, 24),
    }
    found = {name: tuple(row[key] for key in (*_OPERANDS, "M", "dW")) for name, row in rows.items()}
    assert {name: found[name] for name in rows if name.startswith("together")} == expected
    assert rows["float"]["W"] == "" and rows["edge"]["W"] == 16
    assert 0 < float(rows["edge"]["moved_%"]) <= 100 and float(rows["weight 3"]["moved_%"]) < 1
    assert (tmp_path / "figures" / "word_lengths.png").exists()


def test_combined_savings_are_simulated_one_after_the_other_and_all_but_one(tmp_path: Path) -> None:
    _fetched("vowels")
    small = combined.SMALL_SETTINGS
    dense = {"training.dense_epochs": 2}
    trials = {
        name: fields | dense if "training.dense_epochs" in fields else fields
        for name, fields in small.training.trials.items()
    }
    training = small.training._replace(changes={"training.epochs": 2, "training.dense_epochs": 0}, trials=trials)
    rows = {str(row["stage"]): row for row in combined.rows(small._replace(training=training), tmp_path, _silent)}
    assert len(rows) == len(combined.WATERFALL) + len(combined.LEFT_OUT)
    dense_row, delta, sparse, codes, cached, everything = (rows[stage.name] for stage in combined.WATERFALL)
    moved = [float(row["moved_MB"]) for row in (dense_row, delta, sparse)]
    assert moved == sorted(moved, reverse=True) and moved[0] > moved[1] > moved[2]
    assert float(codes["tape_kB"]) < 0.75 * float(sparse["tape_kB"])
    assert float(cached["cache_kB"]) > 0 == float(codes["cache_kB"])
    assert float(everything["cache_kB"]) >= float(cached["cache_kB"])
    assert float(everything["kilocycles"]) <= float(cached["kilocycles"])  # checkpoints are not taken where they cost
    assert rows["without checkpoints"]["kilocycles"] == cached["kilocycles"]
    for column in ("faster_times", "fewer_bytes_times", "less_energy_times"):
        assert dense_row[column] == 1.0
    assert dense_row["lost_points"] == 0.0 and everything["accuracy_%"] == codes["accuracy_%"]
    assert (tmp_path / "figures" / "waterfall.png").stat().st_size > 5_000


@pytest.mark.long
def test_rules_are_compared_on_one_machine_and_online_ones_keep_no_tape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fetched("spikes")
    small = learning_rules.SMALL_SETTINGS.training
    monkeypatch.setattr(_training, "_outcomes", _one_by_one)
    training = small._replace(changes={"training.epochs": 1, "training.batch": 8})
    rows = learning_rules.rows(learning_rules.SMALL_SETTINGS._replace(training=training), tmp_path, _silent)
    by_rule = {str(row["rule"]): row for row in rows}
    whole, windows, ottt, eprop = by_rule.values()
    assert (whole["cycles_times"], whole["energy_times"], whole["lost_points"]) == (1.0, 1.0, 0.0)
    assert (whole["rule_cycles_times"], whole["rule_energy_times"]) == (1.0, 1.0)
    assert float(whole["tape_kB"]) > float(windows["tape_kB"]) > 0 == whole["traces_kB"]
    for online in (ottt, eprop):
        assert online["tape_kB"] == 0.0 < float(online["traces_kB"])
        assert float(online["room_kB"]) < float(windows["room_kB"]) < float(whole["room_kB"])
        assert float(online["learned_%"]) > float(whole["learned_%"])
        assert float(online["rule_energy_times"]) > 1
    assert (tmp_path / "figures" / "learning_rules.png").stat().st_size > 5_000


def _one_by_one(workloads: Any, load: Any, folder: Path, progress: Any) -> dict[Any, Any]:
    """Return the outcomes without a process of its own for each, which takes longer than so small a training."""
    return {key: _training._outcome(workload, load, folder) for key, workload in workloads.items()}


def test_a_larger_cache_moves_less_and_never_less_than_who_knows_the_future(tmp_path: Path) -> None:
    settings = cache.SMALL_SETTINGS._replace(sizes=(2, 8, 64))
    every = cache.rows(settings, tmp_path, _silent)
    rows = [row for row in every if row["group_steps"] == 1]
    assert [(row["network"], row["cache_KiB"]) for row in rows] == [
        (network, size) for network in ("delta", "dense") for size in settings.sizes
    ]
    assert (tmp_path / "figures" / "column_cache.png").stat().st_size > 5_000
    for network in ("delta", "dense"):
        mine = [row for row in rows if row["network"] == network]
        moved = [float(row["moved_MB"]) for row in mine]
        assert moved == sorted(moved, reverse=True)
        assert all(float(row["belady_fewer_bytes_times"]) >= float(row["fewer_bytes_times"]) for row in mine)
        whole = mine[-1]  # everything fits: each line is read once, and goes out once
        assert whole["belady_fewer_bytes_times"] == whole["reverse_fewer_bytes_times"] == whole["fewer_bytes_times"]
        alone, *beside = [row for row in every if row["network"] == network and row["group_steps"] == settings.grouped]
        assert (alone["cache_KiB"], alone["hit_%"]) == (0, 0) < (0, alone["kept_kB"])
        assert float(alone["fewer_bytes_times"]) > 1
        assert [row["cache_KiB"] for row in beside] == list(settings.sizes)
        assert beside[-1]["moved_MB"] == whole["moved_MB"]


def test_wider_buses_bring_remote_homes_closer(tmp_path: Path) -> None:
    rows = memory.rows(memory.SMALL_SETTINGS, tmp_path, _silent)
    assert len(rows) == 2 * len(memory.HOMES)
    assert (tmp_path / "figures" / "memory_homes.png").stat().st_size > 5_000
    for row in rows:
        slower = [float(row[f"slower_times_{bits}"]) for bits in memory.BUS_BITS]
        assert slower == sorted(slower, reverse=True)
        assert (row["home"] == "all local") <= (slower[0] == float(row["energy_times"]) == 1)
        close = [bits for bits, times in zip(memory.BUS_BITS, slower, strict=True) if times <= 1.1]
        assert row["close_bus_bits"] == (close[0] if close else "none")
    least = {str(row["home"]): float(row["sram_kB"]) for row in rows}
    assert least["all remote"] < min(least[home] for home in memory.HOMES if home != "all remote")


def test_the_trade_of_operations_is_drawn(tmp_path: Path) -> None:
    _fetched("vowels")
    settings = operations.SMALL_SETTINGS._replace(changes={"training.epochs": 1, "training.dense_epochs": 0})
    dense, delta = operations.rows(settings, tmp_path, _silent)
    assert dense["saved_%"] == 0 < float(delta["saved_%"])
    assert (tmp_path / "figures" / "trade.png").stat().st_size > 5_000


def test_a_study_may_train_on_other_recordings_than_its_workload_names(tmp_path: Path) -> None:
    _fetched("digits")
    short = {"training.epochs": 1, "training.dense_epochs": 0}
    settings = Settings("vowels", short, seeds=(1,), trials={"alone": {}}, recordings=digits.load)
    assert _training.trained(settings, tmp_path, _silent)["alone", 1].accuracy > 0
    workload = settings.trial("alone", 1)
    state = learning_state.load(_training.state_path(workload, tmp_path), workload.digest())
    assert state.recorded[-1].fired_x[0].shape[-1] == 13  # coefficients of a digit, not the 12 of a vowel
    assert tuning.SETTINGS.load == commands.voices_apart
    assert operations.SETTINGS.recordings is None and operations.SETTINGS.trained({}).dataset == "commands"


def test_the_command_lists_every_study(capsys: pytest.CaptureFixture[str]) -> None:
    study.command("list")
    listed = capsys.readouterr().out
    assert all(name in listed for name in STUDIES.names())


def test_sequences_of_the_checkpointing_study_are_of_the_networks_it_names() -> None:
    for pair in checkpointing.SETTINGS.pairs:
        if pair.cell == PRESETS.load(pair.workload)["cell"]:
            assert list(pair.hidden[0]) == PRESETS.load(pair.workload)["hidden"]
    assert checkpointing.SETTINGS.pairs[0].cell == PRESETS.load("digits")["cell"]
