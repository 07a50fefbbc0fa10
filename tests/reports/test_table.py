from __future__ import annotations

import csv
import io
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.reports.optimiser import update_note
from deltatrain.reports.table import (
    CAUSES,
    above_the_roof,
    area_rows,
    energy_rows,
    flat,
    memory_rows,
    phase_rows,
    ratio,
    roofline_rows,
    unit_rows,
)

SEEDS = st.integers(0, 10**6)
CYCLES = st.integers(0, 10**9)


@given(SEEDS, CYCLES, CYCLES)
def test_phases_add_up_to_the_run(random_result, seed, cycles, dense_cycles):
    result = random_result(seed, cycles, dense_cycles)
    *phases, total = phase_rows(result)
    assert [row["phase"] for row in phases] == list(result.counters.phases)
    assert total["phase"] == "total"
    assert total["cycles"] == cycles and total["dense_cycles"] == dense_cycles
    assert total["macs"] == result.counters.macs
    assert total["remote_bytes"] == result.counters.remote.asked_bytes
    columns = ("cycles", "busy_cycles", "fired", "elements", "macs", "skipped_macs", "remote_bytes", "local_bytes")
    for column in (
        *columns,
        "dense_cycles",
        "dense_remote_bytes",
        "dense_local_bytes",
        *(f"stall_{cause}_cycles" for cause in CAUSES),
    ):
        assert total[column] == sum(row[column] for row in phases)
    for column in ("time_s", "share"):
        assert total[column] == pytest.approx(sum(row[column] for row in phases))


@given(SEEDS, st.integers(1, 10**9))
def test_each_row_closes_in_itself(random_result, seed, cycles):
    result = random_result(seed, cycles)
    for row in phase_rows(result):
        assert row["cycles"] == row["busy_cycles"] + sum(row[f"stall_{cause}_cycles"] for cause in CAUSES)
        assert row["time_s"] * result.counters.clock_hz == pytest.approx(row["cycles"])
        assert row["utilisation"] * row["cycles"] * result.counters.lanes == pytest.approx(row["macs"])
        assert row["empty_lane_cycles"] == row["busy_cycles"] * result.counters.lanes - row["macs"] >= 0
        assert row["occupancy"] * row["elements"] == pytest.approx(row["fired"])
        assert 0 <= row["utilisation"] <= 1 and 0 <= row["occupancy"] <= 1
    for row in unit_rows(result.counters):
        assert row["busy_cycles"] + sum(row[f"stall_{cause}_cycles"] for cause in CAUSES) == cycles
        assert row["busy"] * cycles == pytest.approx(row["busy_cycles"])


@given(SEEDS, st.integers(1, 10**9), st.integers(0, 10**9))
def test_speedups_are_dense_cycles_over_cycles(random_result, seed, cycles, dense_cycles):
    result = random_result(seed, cycles, dense_cycles)
    assert phase_rows(result)[-1]["speedup"] == pytest.approx(result.speedup)
    # the phases' speed-ups, weighted with their cycles, give the whole run's
    *phases, _ = phase_rows(result)
    weighted = sum(row["speedup"] * row["cycles"] for row in phases if row["cycles"])
    hidden = sum(row["dense_cycles"] for row in phases if not row["cycles"])
    assert (weighted + hidden) / cycles == pytest.approx(result.speedup)


@pytest.mark.parametrize(("dense", "delta", "expected"), [(8, 2, 4.0), (0, 0, 1.0), (5, 0, math.inf), (0, 5, 0.0)])
def test_ratio(dense, delta, expected):
    assert ratio(dense, delta) == expected


@given(SEEDS, CYCLES)
def test_memory_rows_hold_the_remote_counters(random_result, seed, cycles):
    result = random_result(seed, cycles)
    for row, run in zip(memory_rows(result), (result.counters, result.dense), strict=True):
        assert row["read_bytes"] + row["write_bytes"] == run.remote.asked_bytes
        assert row["bytes_per_second"] * run.seconds == pytest.approx(run.remote.asked_bytes if run.cycles else 0)
        assert row["local_bytes"] == sum(phase["local_bytes"] for phase in run.model_dump()["phases"].values())
        requests = row["row_hits"] + row["row_misses"] + row["row_conflicts"]
        assert row["row_hit_share"] * requests == pytest.approx(row["row_hits"])
        assert row["bus_busy"] * run.cycles == pytest.approx(run.remote.busy_cycles if run.cycles else 0)


@given(SEEDS)
def test_energy_adds_up(random_result, seed):
    result = random_result(seed)
    *components, total = energy_rows(result)
    assert total["energy_j"] == pytest.approx(sum(row["energy_j"] for row in components))
    assert total["dense_energy_j"] == pytest.approx(sum(result.dense_energy_j.values()))
    assert total["saving"] * total["energy_j"] == pytest.approx(total["dense_energy_j"])


@given(SEEDS)
def test_areas_add_up_and_so_do_their_shares(random_result, seed):
    result = random_result(seed)
    *components, total = area_rows(result)
    assert {row["component"]: row["area_mm2"] for row in components} == result.area_mm2
    assert total["area_mm2"] == pytest.approx(sum(row["area_mm2"] for row in components))
    for row in (*components, total):
        assert row["share"] * total["area_mm2"] == pytest.approx(row["area_mm2"])


def test_a_step_that_runs_nothing_again_has_no_row_for_it(random_result):
    result = random_result(1)
    table = result.model_dump()
    for run in ("counters", "dense"):
        phases, remote = table[run]["phases"], table[run]["remote"]
        again = phases["RF"]
        phases["FP"]["busy_cycles"] += again["busy_cycles"] + sum(again["stall_cycles"].values())
        phases["FP"]["remote_bytes"] += again["remote_bytes"]
        phases["RF"] = dict.fromkeys(again, 0) | {"stall_cycles": {}}
        assert remote["asked_bytes"] == sum(phase["remote_bytes"] for phase in phases.values())
    never = type(result).model_validate(table)
    assert [row["phase"] for row in phase_rows(never)] == ["FP", "BP", "WG", "WU", "total"]
    assert [row["phase"] for row in phase_rows(result)] == ["FP", "RF", "BP", "WG", "WU", "total"]


@pytest.mark.parametrize(
    ("training", "named"),
    [
        ({"optimiser": "sgd", "momentum": 0.0, "weight_decay": 0.0}, ""),
        ({"optimiser": "sgd", "momentum": 0.9, "weight_decay": 0.0}, "sgd with momentum"),
        ({"optimiser": "sgd", "momentum": 0.9, "weight_decay": 0.1}, "sgd with momentum and weight decay"),
        ({"optimiser": "adamw", "momentum": 0.0, "weight_decay": 0.0}, "adamw"),
        (None, ""),
    ],
)
def test_an_update_that_the_machine_does_not_make_is_told(random_result, training, named):
    workload = {"name": "made up"} | ({"training": training} if training else {})
    result = random_result(1).model_copy(update={"workload": workload})
    told = f"The machine's update (WU) is plain SGD, whatever the workload's optimiser ({named})."
    assert update_note(result) == (told if named else "")


@given(SEEDS)
def test_flat_survives_csv_and_pandas(random_result, seed):
    result = random_result(seed)
    row = flat(result)
    assert row["counters.phases.FP.busy_cycles"] == result.counters.phases["FP"].busy_cycles
    assert row["workload.hidden.1"] == 64 and row["phase.total.cycles"] == result.counters.cycles
    assert all(isinstance(value, int | float | str) for value in row.values())
    file = io.StringIO()
    writer = csv.DictWriter(file, row)
    writer.writeheader()
    writer.writerow(row)
    read = pd.read_csv(io.StringIO(file.getvalue())).iloc[0]
    for name, value in row.items():
        assert read[name] == (pytest.approx(value) if isinstance(value, float) else value)


def test_flat_has_the_same_columns_for_every_result_of_a_machine_and_workload(random_result):
    assert list(flat(random_result(1))) == list(flat(random_result(2, 5, 0)))


@given(SEEDS)
def test_every_point_above_its_roof_is_explained(random_result, seed):
    result = random_result(seed)
    machine = Architecture.named("edge").model_dump(mode="json")
    rows = roofline_rows(result.model_copy(update={"architecture": machine}))
    told = above_the_roof(rows)
    for row in rows:
        if row["macs_per_second"] > 1.001 * row["roof_macs_per_second"]:
            assert f"{row['phase']} ({row['run']})" in told
    assert bool(told) == any(row["of_roof"] > 1.0005 for row in rows)
