"""Advice: every change costs what the same change costs by hand, and the run's own figures are the baseline."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest

import deltatrain as dt
from deltatrain.accel.advice import Advice
from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.result import Result
from deltatrain.reports.advice import advice_rows
from deltatrain.reports.figures import sensitivity
from deltatrain.sim.advice.changes import of_machine, of_network, of_statistics
from deltatrain.sim.cli import main
from deltatrain.workloads.workload import Workload

SMALL = {"synthetic.steps": 4, "training.batch": 2, "synthetic.inputs": 5, "hidden": [12]}
SET = [word for path, value in SMALL.items() for word in ("--set", f"workload.{path}={value}")]


def _simulated(folder, *words, workload="synthetic", on="edge", fidelity="analytic"):
    assert main(["simulate", "-w", workload, "--on", on, "-f", fidelity, *SET, *words, "-o", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return _simulated(tmp_path_factory.mktemp("advice") / "run", fidelity="cycle")


def test_each_change_costs_what_it_costs_by_hand(run, tmp_path):
    advice = dt.advise(run)
    assert len(advice.effects) > 10
    for number, effect in enumerate(advice.effects):
        changed = [word for path, value in effect.fields.items() for word in ("--set", f"{path}={json.dumps(value)}")]
        result = Result.load(_simulated(tmp_path / str(number), *changed, fidelity="cycle") / "result.json")
        assert effect.cost.seconds == result.counters.seconds
        assert effect.cost.remote_bytes == result.counters.remote.asked_bytes
        assert effect.cost.energy_j == pytest.approx(sum(result.energy_j.values()))
        assert effect.cost.area_mm2 == pytest.approx(sum(result.area_mm2.values()))


def test_now_is_the_run_itself(run):
    result, advice = Result.load(run / "result.json"), dt.advise(run)
    assert advice.now.seconds == result.counters.seconds
    assert advice.speedup(advice.now) == advice.worth(advice.now) == 1


def test_the_one_of_most_gain_for_its_cost_comes_first(run):
    rows = advice_rows(dt.advise(run))
    worth = [row["speedup"] / row["area_times"] for row in rows]
    assert worth == sorted(worth, reverse=True)


def test_gates_are_advised_by_the_cycles_that_equal_theirs(run, tmp_path):
    of_gates = json.loads((run / "result.json").read_text()) | {"fidelity": "rtl"}
    (tmp_path / "result.json").write_text(json.dumps(of_gates))
    assert dt.advise(tmp_path).effects == dt.advise(run).effects


def test_gates_that_draw_their_numbers_are_advised_on_the_step_that_they_ran(tmp_path):
    """Which is not the one that the statistics say, and that `cycle` simulates."""
    small = Workload.named("tiny", {"synthetic.steps": 3, "training.batch": 1, "hidden": [5]})
    result = dt.simulate("tiny", small, fidelity="rtl", dense=False, engine="amaranth")
    assert result.counters.seconds != dt.simulate("tiny", small, dense=False).counters.seconds
    (tmp_path / "result.json").write_text(result.model_dump_json())
    advice = dt.advise(tmp_path)
    assert advice.now.seconds == result.counters.seconds
    by_change = {effect.change: effect for effect in advice.effects}
    assert by_change["twice the off-chip channels"].cost.seconds == result.counters.seconds
    assert "a fifth less of occupancy_x fired" in by_change and "a fifth less of occupancy_h fired" not in by_change


def test_a_trace_of_the_same_workload_in_which_others_fired_is_refused(tmp_path):
    fired_x, fired_h = np.ones((5, 2, 3), bool), np.zeros((5, 2, 8), bool)
    traces = [dt.Trace.from_masks(fired_x, fired_h, cell="delta_gru", classes=2)]
    fired_h[1:] = True
    traces.append(dt.Trace.from_masks(fired_x, fired_h, cell="delta_gru", classes=2))
    (tmp_path / "result.json").write_text(dt.simulate("edge", traces[0], fidelity="analytic").model_dump_json())
    for number, trace in enumerate(traces):
        trace.save(tmp_path / f"{number}.npz")
    assert dt.advise(tmp_path, tmp_path / "0.npz").effects
    with pytest.raises(ConfigError, match=r"1\.npz is not what .*result\.json is about.*it costs .* s and not "):
        dt.advise(tmp_path, tmp_path / "1.npz")


def test_the_recorded_step_of_the_result_is_the_one_that_is_changed(tmp_path):
    words = ["--set", "workload.training.epochs=2", "--set", "workload.training.dense_epochs=0"]
    assert main(["train", "-w", "vowels", "--set", "workload.hidden=[8]", *words, "-o", str(tmp_path)]) == 0
    trace = dt.Trace.load(tmp_path / "trace.npz")
    first = dt.simulate("edge", trace, fidelity="analytic", dense=False, recorded=0)
    assert first.counters != dt.simulate("edge", trace, fidelity="analytic", dense=False).counters
    (tmp_path / "result.json").write_text(first.model_dump_json())
    assert dt.advise(tmp_path).now.seconds == first.counters.seconds


def test_a_folder_without_a_run_is_told_what_such_a_folder_is(tmp_path):
    with pytest.raises(ConfigError, match=r"has no result\.json: name a folder that `run`, or `simulate --out`, wrote"):
        dt.advise(tmp_path)


def test_what_a_machine_cannot_have_says_why(tmp_path):
    advice = dt.advise(
        _simulated(tmp_path / "run", "--set", "machine.local.bytes=60000", "--set", "machine.dma.buffer_bytes=39000")
    )
    assert "local.bytes" in advice.refused["twice the column buffer"]
    assert not set(advice.refused) & {effect.change for effect in advice.effects}


def test_trained_networks_are_changed_by_training_them(tmp_path, capsys):
    folder = tmp_path / "run"
    words = [
        "--set",
        "workload.training.epochs=1",
        "--set",
        "workload.training.dense_epochs=0",
        "--set",
        "workload.hidden=[8]",
        "--set",
        "workload.theta_x=0.3",
    ]
    assert main(["run", "-w", "vowels", "-f", "analytic", *words, "-o", str(folder)]) == 0
    without, trained = dt.advise(folder), dt.advise(folder, train=True)
    assert without.effects == trained.effects[: len(without.effects)]
    ours = trained.effects[len(without.effects) :]
    assert [effect.change.split()[0] for effect in ours] == ["thresholds", "thresholds", "half"]
    for effect in ours:
        assert 0 <= effect.cost.figure <= 1
    assert not any("accuracy" in row for row in advice_rows(without))
    equal = [effect.model_copy(update={"cost": effect.cost.model_copy(update={"figure": 0.5})}) for effect in ours]
    now = trained.now.model_copy(update={"figure": 0.5})
    rows = advice_rows(trained.model_copy(update={"effects": tuple(equal), "now": now}))
    assert [row["accuracy"] for row in rows] == [0.5] * 3  # as good as before is news, too
    kept = sorted((folder / "advice").iterdir())
    assert len(kept) == 3
    again = dt.advise(folder, train=True)  # goes on from what is kept: equal, and nothing is trained twice
    assert again == trained
    assert dt.advise(folder) == trained  # what was trained is shown without being asked for, with its accuracy
    shutil.rmtree(kept[0])
    assert len(dt.advise(folder).effects) == len(trained.effects) - 1
    assert main(["simulate", str(folder / "trace.npz"), "-f", "analytic", "-q", "-o", str(tmp_path / "again")]) == 0
    told = capsys.readouterr().out
    assert f"What would help: deltatrain advise {tmp_path / 'again'} {folder / 'trace.npz'}" in " ".join(told.split())


def test_thresholds_of_zero_stay_and_sparse_networks_are_not_thinned():
    dense = Workload.named("digits", {"theta_x": 0.0, "theta_h": [0.0, 0.2]})
    assert [list(change.fields) for change in of_network(dense)] == [["theta_h"], ["sparsity.rule", "sparsity.density"]]
    sparse = Workload.named("digits", {"sparsity.rule": "selfish", "sparsity.density": 0.3})
    assert not any("sparsity.rule" in change.fields for change in of_network(sparse))


@pytest.mark.parametrize("name", ["edge", "tiny", "ipu_mk2", "midsize", "reneta"])
def test_every_preset_has_changes_that_name_its_fields(name):
    machine = Architecture.named(name)
    for change in of_machine(machine):
        for path in change.fields:
            part, field = path.split(".")
            assert part == "cache" or field in type(getattr(machine, part)).model_fields


def test_a_network_that_never_learns_has_no_gradients_to_place_or_to_group():
    words = [change.words for change in of_machine(Architecture.named("edge"), learns=False)]
    every = [change.words for change in of_machine(Architecture.named("edge"))]
    of_gradients = {"gradients in local memory where they fit", "weight gradients of 8 steps in one op"}
    assert words == [one for one in every if one not in of_gradients]
    assert of_gradients < set(every)


def test_what_a_machine_has_is_left_out_too():
    """So that a change whose opposite is advised is not the only one that is tried."""
    taken_back = [{"cache.bytes": 0}, {"engine.outer_steps": 1}]
    with_both = Architecture.named("edge", {"cache.bytes": 16_384, "engine.outer_steps": 8})
    with_none = Architecture.named("edge", {"cache.bytes": 0})
    assert [change.fields for change in of_machine(with_both) if change.fields in taken_back] == taken_back
    assert not any(change.fields in taken_back for change in of_machine(with_none))
    for fields in taken_back:
        assert Architecture.named("edge", fields)


_TILES = {"tiles.count": 2, "tiles.exchange_bytes_per_cycle": 8, "tiles.exchange_latency_cycles": 4}


@pytest.mark.parametrize("idle", [{}, {"engine.arrays": 2}, {"local.ports": 1}, _TILES])
def test_no_column_cache_is_tried_that_would_lie_idle(idle):
    machine = Architecture.named("edge", {"cache.bytes": 0, **idle})
    assert ({"cache.bytes": "auto"} in [change.fields for change in of_machine(machine)]) == (not idle)


def test_statistics_fire_less():
    for change in of_statistics(Workload.named("synthetic")):
        assert next(iter(change.fields.values())) == pytest.approx(0.16)
    assert len(list(of_statistics(Workload.named("synthetic", {"synthetic.occupancy_h": 0.0})))) == 1


def test_the_file_is_read_as_it_was_written(run, tmp_path):
    advice = dt.advise(run)
    advice.save(tmp_path / "advice.json")
    assert Advice.load(tmp_path / "advice.json") == advice
    (tmp_path / "advice.json").write_text("{}")
    with pytest.raises(ConfigError, match="damaged"):
        Advice.load(tmp_path / "advice.json")


def test_the_page_shows_it_first_and_leaves_that_of_another_run_out(run, tmp_path, capsys):
    folder = _simulated(tmp_path / "run")
    assert main(["advise", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "of the step" in shown
    assert "twice the lanes" in shown
    page = dt.report(folder)
    assert page.index("What would help") < page.index("The machine")
    assert (
        main(["simulate", "-w", "synthetic", "-f", "analytic", *SET, "-s", "machine.engine.lanes=4", "-o", str(folder)])
        == 0
    )
    assert "What would help" not in dt.report(folder)


def test_json_and_csv(run, capsys):
    assert main(["advise", str(run), "--json"]) == 0
    assert Advice.model_validate(json.loads(capsys.readouterr().out)) == Advice.load(run / "advice.json")
    assert main(["advise", str(run), "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(Advice.load(run / "advice.json").effects)
    assert main(["advise", str(run), "--csv", "--json"]) == 2


def test_the_figure_has_a_bar_for_each_change(run):
    advice = dt.advise(run)
    figure = sensitivity.draw(advice)
    bars = sorted(bar.get_width() for bar in figure.axes[0].patches)
    wanted = sorted(100 * (effect.cost.seconds / advice.now.seconds - 1) for effect in advice.effects)
    assert bars == pytest.approx(wanted)
    figure.savefig(io.BytesIO(), format="png")


def test_a_folder_without_a_run_is_one_line(tmp_path, capsys):
    assert main(["advise", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    folder = _simulated(tmp_path / "run")
    table = json.loads((folder / "result.json").read_text())
    table["workload"] = Workload.named("digits").model_dump(mode="json")
    (folder / "result.json").write_text(json.dumps(table))
    capsys.readouterr()
    assert main(["advise", str(folder)]) == 2
    assert "trace" in capsys.readouterr().err


def test_a_trace_from_elsewhere(tmp_path, capsys):
    folder, trace = tmp_path / "run", tmp_path / "trace.npz"
    fired = np.zeros((3, 2, 4), bool)
    dt.Trace.from_masks(fired, fired, cell="delta_rnn", classes=2).save(trace)
    assert main(["simulate", str(trace), "-f", "analytic", "-o", str(folder)]) == 0
    assert dt.advise(folder, trace).effects
    assert main(["advise", str(folder)]) == 2
    other = _simulated(tmp_path / "other")
    capsys.readouterr()
    assert main(["advise", str(other), str(trace)]) == 2
    assert "another workload" in capsys.readouterr().err
