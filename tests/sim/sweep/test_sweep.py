"""Whole sweeps: the files they leave, and what those hold."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest
from spaces import tiny

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.cli import main
from deltatrain.sim.run import simulate, synthetic_trace
from deltatrain.sim.sweep import load_results, sweep
from deltatrain.sim.sweep.checks import checked_space
from deltatrain.sim.sweep.exploration import Progress
from deltatrain.sim.sweep.results import compare, front
from deltatrain.workloads.trace import EpochCounts
from deltatrain.workloads.workload import Workload


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a whole sweep with dense twins."""
    folder = tmp_path_factory.mktemp("swept")
    sweep(tiny(dense=True), folder, workers=1)
    return folder


def test_a_row_is_what_simulate_finds(swept: Path) -> None:
    frame = load_results(swept).filter(polars.col("failure").is_null())
    for row in frame.sample(6, seed=1).iter_rows(named=True):
        fields = {name.removeprefix("machine."): row[name] for name in row if name.startswith("machine.")}
        occupancy = {"synthetic.occupancy_h": row["workload.synthetic.occupancy_h"]}
        machine, workload = Architecture.named("tiny", fields), Workload.named("tiny", occupancy)
        result = simulate(machine, workload, fidelity="analytic")
        assert row["seconds"] == result.counters.seconds and row["cycles"] == result.counters.cycles
        assert row["energy_j"] == pytest.approx(sum(result.energy_j.values()))
        assert row["energy.local_memory_j"] == result.energy_j["local memory"]
        assert row["area_mm2"] == pytest.approx(sum(result.area_mm2.values()))
        assert row["area.local_memory_mm2"] == result.area_mm2["local memory"]
        assert row["speedup"] == result.speedup and row["dense.cycles"] == result.dense.cycles
        assert row["phase.WG.cycles"] == result.counters.phases["WG"].cycles
        assert row["unit.encoder.busy_cycles"] == result.counters.units["encoder"].busy_cycles
        assert row["moved.remote_bytes"] == result.counters.remote.asked_bytes


def test_phases_and_stalls_of_a_row_add_up(swept: Path) -> None:
    frame = load_results(swept).filter(polars.col("failure").is_null())
    phases = frame.select(polars.sum_horizontal("^phase\\..*\\.cycles$")).to_series()
    assert phases.to_list() == frame["cycles"].to_list()
    stalls = frame.select(polars.sum_horizontal("^stall\\..*_cycles$")).to_series()
    assert (stalls + frame["unit.engine.busy_cycles"]).to_list() == frame["cycles"].to_list()


def test_the_table_loads_everywhere_in_one_line(swept: Path) -> None:
    expected = load_results(swept)
    assert polars.read_parquet(swept / "table.parquet").equals(expected)
    csv = pandas.read_csv(swept / "table.csv")
    assert list(csv.columns) == expected.columns and len(csv) == expected.height
    for name in ("seconds", "machine.engine.lanes", "point"):
        np.testing.assert_allclose(csv[name], expected[name].to_numpy())
    parquet = pytest.importorskip("pyarrow") and pandas.read_parquet(swept / "table.parquet")
    assert list(parquet.columns) == expected.columns and parquet["digest"].tolist() == expected["digest"].to_list()


def test_the_table_loads_in_duckdb(swept: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    (found,) = duckdb.sql(f"select count(*), min(seconds) from '{swept}/table.parquet'").fetchall()
    expected = load_results(swept)
    assert found == (expected.height, expected["seconds"].min())


def test_every_column_says_its_unit_or_is_a_count_share_or_name(swept: Path) -> None:
    plain = {"point", "digest", "macs", "skipped_macs", "utilisation", "occupancy", "speedup", "cycles", "seconds"}
    plain |= {"feasible", "on_front", "failure", "reason", "energy_model"}
    for name in load_results(swept).columns:
        fine = name in plain or name.startswith(("machine.", "workload."))
        assert fine or name.endswith(("_j", "_mm2", "_bytes", "cycles", "seconds")), name


def test_a_field_that_is_not_varied_at_a_point_has_the_value_of_its_base(swept: Path) -> None:
    frame = load_results(swept).filter(polars.col("machine.placement.weights") == "remote")
    assert set(frame["machine.placement.gradients"]) == {"auto"}


def test_the_front_is_marked_and_is_what_front_returns(swept: Path) -> None:
    frame = load_results(swept)
    best = frame.filter("on_front")
    rows = frame.filter("feasible").select("seconds", "local_bytes").rows()
    for row in best.select("seconds", "local_bytes").rows():
        assert not any(a <= row[0] and b <= row[1] and (a, b) != row for a, b in rows)
    found = front(swept)
    assert sorted(found["point"]) == sorted(best["point"]) and found["seconds"].is_sorted()


def test_a_maximised_objective_is_made_large(tmp_path: Path) -> None:
    table = tiny() | {"objectives": {"utilisation": "maximise"}}
    frame = sweep(table, tmp_path, workers=1)
    assert frame.filter("on_front")["utilisation"].to_list() == [frame["utilisation"].max()] * frame["on_front"].sum()
    assert json.loads((tmp_path / "sweep.json").read_text())["objectives"] == {"utilisation": "maximise"}


def test_constraints_decide_what_is_feasible(tmp_path: Path) -> None:
    frame = sweep(tiny(constraints={"local_bytes": {"most": 3400, "least": 900}}), tmp_path, workers=1)
    inside = frame["local_bytes"].is_between(900, 3400).fill_null(False)
    assert frame["feasible"].equals(inside.alias("feasible")) and 0 < inside.sum() < frame.height
    assert not (frame["on_front"] & ~frame["feasible"]).any()


def test_a_field_may_be_an_objective(tmp_path: Path) -> None:
    table = tiny() | {"objectives": {"seconds": "minimise", "machine.engine.lanes": "minimise"}}
    frame = sweep(table, tmp_path, workers=1).filter("feasible")
    pairs = frame.select("machine.engine.lanes", "seconds").rows()
    fastest = {lanes: min(seconds for own, seconds in pairs if own <= lanes) for lanes, _ in pairs}
    found = set(front(tmp_path).select("machine.engine.lanes", "seconds").rows())
    assert found == {
        (lanes, seconds)
        for lanes, seconds in pairs
        if seconds == fastest[lanes] and (lanes == min(own for own, other in pairs if other <= seconds))
    }


def test_two_processes_find_the_same(swept: Path, tmp_path: Path) -> None:
    assert sweep(tiny(dense=True), tmp_path, workers=2).equals(load_results(swept))


def test_cycle_fidelity_is_never_below_analytic(swept: Path, tmp_path: Path) -> None:
    cycle = sweep(tiny(fidelity="cycle"), tmp_path, workers=1)
    bound = load_results(swept)
    assert cycle["local_bytes"].to_list() == bound["local_bytes"].to_list()
    both = (cycle["cycles"] >= bound["cycles"]).drop_nulls()
    assert both.all() and len(both) == cycle["failure"].null_count()


def test_a_sweep_is_seen_while_it_is_under_way(tmp_path: Path) -> None:
    heights: list[int] = []

    def look(_: object) -> None:
        heights.append(load_results(tmp_path).height if (tmp_path / "sweep.json").exists() else 0)

    sweep(tiny(), tmp_path, workers=1, on_progress=look)
    assert heights[-1] == load_results(tmp_path).height


def test_searches_that_learn_have_random_points_beside_them(tmp_path: Path) -> None:
    sweep(tiny(search__kind="nsga2", search__points=25, search__batch=10), tmp_path, workers=1)
    searches = json.loads((tmp_path / "sweep.json").read_text())["searches"]
    assert [(one["search"], one["points"]) for one in searches] == [("nsga2", 25), ("random", 25)]
    assert all(0 < one["hypervolume"] <= 1.21 for one in searches)


def test_a_list_value_is_json_text_in_the_table(tmp_path: Path) -> None:
    vary = {"workload.hidden": [[4], [6, 5]], "workload.theta_x": [0.1, 0.2]}
    frame = sweep(tiny() | {"vary": vary}, tmp_path, workers=1)
    assert set(frame["workload.hidden"]) == {"[4]", "[6, 5]"} and set(frame["workload.theta_x"]) == {0.1, 0.2}


def test_traces_may_be_varied_and_bring_their_accuracy(tmp_path: Path) -> None:
    for seed, accuracy in ((1, 0.5), (2, 0.75)):
        trace = synthetic_trace(Workload.named("tiny", {"training.seed": seed}))
        epoch = EpochCounts(0, False, 1.0, accuracy, (9, 9), (9, 9), (60, 90), (72, 60))
        dataclasses.replace(trace, epochs=(epoch,)).save(tmp_path / f"{seed}.npz")
    table = tiny() | {
        "vary": {"trace": [str(tmp_path / "1.npz"), str(tmp_path / "2.npz")], "machine.engine.lanes": [2, 4]},
        "objectives": {"accuracy": "maximise", "seconds": "minimise"},
    }
    del table["workload"]
    frame = sweep(table, tmp_path / "out", workers=2)
    assert frame.height == 4 and frame["accuracy"].to_list() == [0.5, 0.5, 0.75, 0.75]
    assert set(frame.filter("on_front")["accuracy"]) == {0.75}


def test_a_sweep_where_nothing_fits_is_a_table_of_reasons(tmp_path: Path) -> None:
    frame = sweep(tiny(fixed={"machine.remote.bytes": 1}), tmp_path, workers=1)
    assert not frame["feasible"].any() and frame["reason"].null_count() == 0
    assert front(tmp_path).height == 0
    with pytest.raises(ConfigError, match=r"neither .* has a feasible point"):
        compare(tmp_path, tmp_path)


def test_the_same_sweep_beats_nothing_of_itself(swept: Path) -> None:
    one, other = compare(swept, swept)
    assert one == other and one.beaten == 0.0 and one.hypervolume > 0


def test_a_better_sweep_beats_the_other(swept: Path, tmp_path: Path) -> None:
    faster = tiny(fixed={"machine.engine.clock_hz": 200_000_000})
    sweep(faster, tmp_path, workers=1)
    one, other = compare(swept, tmp_path)
    assert one.beaten > 0 and other.beaten == 0 and one.hypervolume < other.hypervolume
    assert one.best["seconds"] > other.best["seconds"]


def test_sweeps_for_different_objectives_are_not_compared(swept: Path, tmp_path: Path) -> None:
    sweep(tiny() | {"objectives": {"cycles": "minimise"}}, tmp_path, workers=1)
    with pytest.raises(ConfigError, match="different objectives"):
        compare(swept, tmp_path)


def test_two_sweeps_whose_numbers_do_not_stand_on_the_same_say_so(swept: Path, tmp_path: Path, capsys) -> None:
    coarse = {"machine.engine.formats.gate": {"bits": 10, "fraction_bits": 8}}
    sweep(tiny(fidelity="cycle", fixed=coarse), tmp_path, workers=1)
    assert all(side.differs_in == () for side in compare(swept, swept))
    one, other = compare(swept, tmp_path)
    gate = "number format gate (16 bits, 14 of fraction and 10 bits, 8 of fraction)"
    assert one.differs_in == other.differs_in == ("fidelity (analytic and cycle)", gate)
    assert main(["compare", str(swept), str(tmp_path)]) == 0
    assert f"they differ in fidelity (analytic and cycle); {gate}." in " ".join(capsys.readouterr().out.split())
    assert main(["compare", str(swept), str(swept)]) == 0
    assert "differ" not in capsys.readouterr().out


def test_a_sweep_does_not_go_on_with_other_prices(swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(swept, tmp_path / "swept")
    monkeypatch.setattr("deltatrain.sim.sweep.point.prices_digest", lambda: "0" * 16)
    with pytest.raises(ConfigError, match=r"points of other prices .* to start anew, name another folder with --out"):
        sweep(tiny(dense=True), tmp_path / "swept", workers=1)
    sweep(tiny(), tmp_path / "other", workers=1)
    one, _ = compare(swept, tmp_path / "other")
    assert [what.partition(" ")[0] for what in one.differs_in] == ["prices"]


def test_a_folder_that_is_no_sweep_is_refused(tmp_path: Path) -> None:
    for what in (load_results, front):
        with pytest.raises(ConfigError, match="is not the folder of a sweep"):
            what(tmp_path)


def test_another_fidelity_does_not_mix(swept: Path) -> None:
    before = (swept / "journal.jsonl").read_bytes(), (swept / "sweep.json").read_bytes()
    with pytest.raises(ConfigError, match="points of fidelity analytic beside dense, not cycle: to start anew"):
        sweep(tiny(fidelity="cycle"), swept, workers=1)
    assert before == ((swept / "journal.jsonl").read_bytes(), (swept / "sweep.json").read_bytes())


def test_a_space_may_be_given_as_it_is(tmp_path: Path) -> None:
    assert sweep(checked_space(tiny()), tmp_path, workers=1).height == 90


def test_numbers_of_workers_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="workers must be a positive integer, not 0"):
        sweep(tiny(), tmp_path, workers=0)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys; from deltatrain.sim.sweep import sweep; "
        "print([name for name in ('polars', 'optuna', 'dask', 'distributed', 'matplotlib') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout == "[]\n", ran.stderr


def test_a_killed_worker_process_costs_time_only(tmp_path: Path) -> None:
    table = tiny(fidelity="cycle")
    expected = sweep(table, tmp_path / "here", workers=1)
    killed: list[int] = []

    def kill(progress: Progress) -> None:
        if not killed and progress.simulated:
            here = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
            killed.append(next(int(pid) for pid in here if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()))
            os.kill(killed[0], signal.SIGKILL)

    assert sweep(table, tmp_path / "there", workers=2, on_progress=kill).equals(expected)
    assert killed


def test_area_is_an_objective_and_a_constraint(tmp_path: Path) -> None:
    """64 kB in 1, 4 and 16 banks are as large as CACTI's 64, 16 and 4 kB times their number."""
    space = {
        "name": "area",
        "machine": "tiny",
        "workload": "tiny",
        "vary": {"machine.engine.lanes": [2, 4, 8], "machine.local.banks": [1, 4, 16]},
        "objectives": {"seconds": "minimise", "area_mm2": "minimise"},
        "constraints": {"area_mm2": {"most": 0.27}, "energy.local_leakage_j": {"most": 1.0}},
        "fixed": {"machine.energy": "cacti7_45nm_hp+horowitz_45nm"},
    }
    frame = sweep(space, tmp_path, workers=1)
    assert frame.height == 9 and frame["failure"].null_count() == 9
    assert (frame["feasible"] == (frame["area_mm2"] <= 0.27)).all() and 0 < frame["feasible"].sum() < 9
    by_banks = frame.sort("machine.local.banks").filter(polars.col("machine.engine.lanes") == 4)
    assert by_banks["area.local_memory_mm2"].to_list() == pytest.approx([0.234, 4 * 0.055, 16 * 0.015])
    assert by_banks["cycles"].n_unique() == 1


DEVICES = {"machine": "tiny", "fixed": {"machine.remote.bus_bits": 16}}
MIXED: dict[str, Any] = {"machine.remote.device": ["lpddr4_3200", "lpddr4_4266"]}


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        (MIXED, ["off-chip memory by its currents", "off-chip memory by the table"]),
        ({"machine.remote.refresh": ["all_bank", "per_bank"]}, ["by its currents", "by the table"]),
        (
            {"machine.energy": ["horowitz_45nm", "cacti7_22nm_hp+horowitz_45nm"]},
            ["(cacti7_22nm_hp+", "; horowitz_45nm"],
        ),
    ],
)
@pytest.mark.parametrize(
    ("aims", "name"),
    [
        ({"objectives": {"energy_j": "minimise"}}, "objectives.energy_j"),
        (
            {"objectives": {"seconds": "minimise"}, "constraints": {"energy.lanes_j": {"most": 1.0}}},
            "constraints.energy.lanes_j",
        ),
    ],
)
def test_energies_of_two_models_are_not_compared(vary: Any, told: list[str], aims: Any, name: str) -> None:
    fixed = {"machine.remote.bus_bits": 16, "machine.remote.device": "lpddr4_3200"}
    space = {"name": "two", "machine": "tiny", "workload": "tiny", "vary": vary, "fixed": fixed} | aims
    with pytest.raises(
        ConfigError, match=f"{name} would compare energies that are priced in different ways"
    ) as refused:
        checked_space(space)
    assert all(words in str(refused.value) for words in told)
    assert len(str(refused.value).splitlines()) == 1


def test_parts_that_are_not_compared_by_energy_are_marked_in_the_table(tmp_path: Path) -> None:
    """One with currents, one without: the table says of each what prices it, and parts with currents stay one model."""
    space = {"name": "two", "workload": "tiny", "vary": MIXED, "objectives": {"seconds": "minimise"}} | DEVICES
    frame = sweep(space, tmp_path / "mixed", workers=1)
    priced = dict(zip(frame["machine.remote.device"], frame["energy_model"], strict=True))
    assert priced == {
        "lpddr4_3200": "horowitz_45nm, off-chip memory by its currents",
        "lpddr4_4266": "horowitz_45nm, off-chip memory by the table",
    }
    known = {"machine.remote.device": ["ddr3_1600", "ddr4_2400", "ddr4_3200", "lpddr4_3200"]}
    frame = sweep(space | {"vary": known, "objectives": {"energy_j": "minimise"}}, tmp_path / "known", workers=1)
    assert frame["energy_model"].n_unique() == 1 and frame["energy_j"].n_unique() == 4
    with pytest.raises(ConfigError, match="different objectives"):
        compare(tmp_path / "mixed", tmp_path / "known")


def test_a_table_that_already_has_two_models_has_no_front_of_energy(tmp_path: Path) -> None:
    """The first sweep aims at time and has both parts; the second, in the same folder, aims at energy and has one."""
    space = {"name": "two", "workload": "tiny", "vary": MIXED, "objectives": {"seconds": "minimise"}} | DEVICES
    sweep(space, tmp_path, workers=1)
    one = {"machine.remote.device": ["lpddr4_3200"]}
    with pytest.raises(ConfigError, match=r"objectives\.energy_j would compare energies"):
        sweep(space | {"vary": one, "objectives": {"energy_j": "minimise"}}, tmp_path, workers=1)


def test_sweeps_of_two_models_are_not_compared_by_energy(tmp_path: Path) -> None:
    for tables in ("horowitz_45nm", "cacti7_45nm_lop+horowitz_45nm"):
        space = {"name": "one", "machine": "tiny", "workload": "tiny", "objectives": {"energy_j": "minimise"}}
        varied = {"vary": {"machine.engine.lanes": [2, 4]}, "fixed": {"machine.energy": tables}}
        sweep(space | varied, tmp_path / tables, workers=1)
    with pytest.raises(ConfigError, match="would compare energies that are priced in different ways"):
        compare(tmp_path / "horowitz_45nm", tmp_path / "cacti7_45nm_lop+horowitz_45nm")
