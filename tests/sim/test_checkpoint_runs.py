"""Checkpoint policies on the simulated machine: beside what is predicted of them, in results, on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError, FitError
from deltatrain.sim.checkpoint_runs import changed, lengthened, simulated, under, without_end
from deltatrain.sim.run import simulate, synthetic_trace
from deltatrain.sim.studies import checkpointing
from deltatrain.sim.studies.checkpointing import Setting, Settings
from deltatrain.workloads.lowering import planning
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule, Costs
from deltatrain.workloads.lowering.costs.step_costs import keeping_all, step_costs
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.step_programs import program_of
from deltatrain.workloads.recorded_step import RecordedStep
from deltatrain.workloads.workload import Workload

STEPS = 40
BAND = 0.1
"""Predicted over simulated, both as factors of keeping everything: measured 0.93 to 1.08 for rnn, gru and lstm of 64
and 67 neurons at T = 50 with memory for a third of the tape."""


def case(cell: str = "delta_lstm", **changes: Any) -> tuple[Architecture, Shape, Any, str]:
    statistics = {"inputs": 13, "classes": 10, "steps": STEPS, "occupancy_x": 0.2, "occupancy_h": 0.2}
    what = Workload.named(
        "digits", {"dataset": "synthetic", "cell": cell, "synthetic": statistics, "training.batch": 1}
    )
    trace = synthetic_trace(what)
    shape = Shape.of(what.cell, trace.inputs, what.hidden, trace.classes)
    return Architecture.named("edge", changes).without_cache(), shape, trace.recorded[0], what.readout


def test_simulated_times_are_near_the_predicted_and_never_below_those_of_keeping_everything() -> None:
    machine, shape, step, readout = case(**{"local.bytes": 45_000})
    plan = planning.plan(machine, shape, step, readout, STEPS)
    base = simulated(without_end(machine, shape, step, readout), shape, step, readout)
    compared = 0
    for one in plan.policies:
        for overlap, predicted in ((False, one.blocking_cycles), (True, one.overlapped_cycles)):
            try:
                found = simulated(under(machine, one.policy, overlap=overlap), shape, step, readout)
            except FitError:
                continue
            assert found.cycles >= base.cycles
            assert found.local_bytes <= machine.local.bytes
            if one.demand:
                compared += 1
                assert predicted / plan.unlimited_cycles == pytest.approx(found.cycles / base.cycles, rel=BAND)
    assert compared >= 12


def test_sparse_weights_are_planned_for_with_the_words_of_their_columns() -> None:
    machine, shape, step, readout = case("delta_rnn", **{"local.bytes": 32_000})
    rng, widths = np.random.default_rng(2), (*shape.inputs, *shape.hidden, shape.hidden[-1])
    rows = (*shape.hidden, *shape.hidden, shape.classes)
    exist = tuple(rng.random(size) < 0.25 for size in zip(rows, widths, strict=True))
    sparse = replace(lengthened(step, 8), weights=exist)
    plan = planning.plan(machine, shape, sparse, readout, 8)
    whole = step_costs(lower(keeping_all(machine), shape, sparse, readout), plan.budget)
    assert plan.costs.forward_cycles < 0.7 * whole.forward_cycles
    assert plan.costs.save_state_cycles == whole.save_state_cycles
    cycles = [simulated(machine, shape, one, readout).cycles for one in (sparse, replace(sparse, weights=()))]
    assert cycles[0] < 0.7 * cycles[1]


def spiking(cell: str, width: int, steps: int, room: int) -> tuple[Architecture, Shape, Any, str]:
    """Return a case on 1,472 tiles, of which `width` neurons fill some."""
    statistics = {"inputs": 700, "classes": 20, "steps": steps, "occupancy_x": 0.05, "occupancy_h": 0.05, "skew": 0.3}
    what = Workload.named("manycore", {"cell": cell, "hidden": [width], "synthetic": statistics})
    trace = synthetic_trace(what)
    shape = Shape.of(what.cell, trace.inputs, what.hidden, trace.classes)
    return Architecture.named("ipu_mk2", {"checkpoint.local_bytes": room}), shape, trace.recorded[0], what.readout


@pytest.mark.parametrize(("cell", "width"), [("lif", 128), ("lif_recurrent", 2942)])
def test_spiking_networks_on_many_tiles_take_about_what_is_predicted(cell: str, width: int) -> None:
    """Beside compute, measured 0.94 to 1.02; blocking moves let every pipeline run empty, which is not predicted."""
    machine, shape, step, readout = spiking(cell, width, 120, 480)
    plan = planning.plan(machine, shape, step, readout, 120)
    base = simulated(without_end(machine, shape, step, readout), shape, step, readout)
    factors = {}
    for one in plan.policies:
        if one.demand and one.policy not in ("revolve", "tape_to_dram"):  # passes of a step, buffers of another size
            found = simulated(under(machine, one.policy, overlap=True), shape, step, readout)
            assert found.local_bytes <= 480
            factors[one.policy] = found.cycles / base.cycles
            assert one.overlapped_cycles / plan.unlimited_cycles == pytest.approx(factors[one.policy], rel=0.12)
    assert {"optimal", "segment", "segment_dram", "double"} <= set(factors)
    assert factors["optimal"] <= 1.03 * min(factors.values())


def test_ten_times_the_length_that_fits_costs_optimal_less_than_half_of_what_it_costs_two_levels() -> None:
    """Recurrent spikes on 1,472 tiles, simulated; without recurrence a step is too short to hide what is moved."""
    machine, shape, step, readout = spiking("lif_recurrent", 2942, 130, 1024)
    fits = under(machine, "store_all", overlap=True)
    assert simulated(fits, shape, lengthened(step, 100), readout).local_bytes <= 1024
    with pytest.raises(FitError):
        simulated(fits, shape, step, readout)
    longer = lengthened(step, 1300)
    base = simulated(without_end(machine, shape, longer, readout), shape, longer, readout).cycles
    optimal, double = (
        simulated(under(machine, policy, overlap=True), shape, longer, readout).cycles / base - 1
        for policy in ("optimal", "double")
    )
    assert optimal <= min(0.05, double / 2)


def test_a_port_that_blocks_is_planned_for() -> None:
    """What is fastest beside compute sends tapes, each of which everything waits for where transfers block."""
    machine, shape, step, readout = spiking("lif_recurrent", 512, 120, 800)
    cycles = {
        policy: simulated(under(machine, policy, overlap=False), shape, step, readout).cycles
        for policy in ("optimal", "segment", "segment_dram", "double", "tape_to_dram")
    }
    assert cycles["optimal"] <= 1.03 * min(cycles.values()) < cycles["tape_to_dram"] / 3


def test_a_plan_for_several_tiles_has_the_sizes_of_the_one_that_keeps_most() -> None:
    machine, shape, step, readout = spiking("lif_recurrent", 600, 30, 480)
    budgets: list[Budget] = []

    def schedule_of(steps: int, budget: Budget) -> CheckpointSchedule:
        budgets.append(budget)
        return POLICIES.load("segment").schedule(steps, budget, Costs(1, 1, 1, 1, 1, 1))

    program = lower(machine, shape, step, readout, schedule_of)
    planned = planning.plan(machine, shape, step, readout, 30).budget
    (lowered,) = budgets
    assert planned.state_bytes == lowered.state_bytes == 2 * (2 + 2)  # u and h of two neurons
    assert planned.tape_bytes == lowered.tape_bytes == 2 * 2 + 2 * 4  # u, and a word of each list
    assert planned.local_bytes == lowered.local_bytes == 480
    assert planned.moved_state_bytes == lowered.moved_state_bytes == 600 * (2 + 2)
    moved = program.architecture.engine.formats.state.bytes * 600
    assert moved < planned.moved_tape_bytes <= lowered.moved_tape_bytes < 1.5 * planned.moved_tape_bytes
    assert planned.remote_bytes == pytest.approx(lowered.remote_bytes, rel=0.6)  # there a tape takes a slot of its most


def test_the_room_for_tapes_and_states_bounds_the_plain_policies_too() -> None:
    machine, shape, step, readout = spiking("lif", 128, 60, 480)
    kept = simulated(under(machine, "store_all", overlap=True), shape, step, readout).local_bytes
    assert kept <= 480
    for policy, room in (("store_all", kept - 1), ("tape_to_dram", 480)):
        tight = changed(under(machine, policy, overlap=True), {"checkpoint.local_bytes": room})
        with pytest.raises(FitError, match=rf"policy {policy} does not fit: .* checkpoint.local_bytes = {room}, "):
            simulated(tight, shape, step, readout)


def test_blocking_is_slower_where_something_is_moved() -> None:
    machine, shape, step, readout = case(**{"local.bytes": 45_000})
    for policy in ("tape_to_dram", "segment_dram"):
        blocking, beside = (
            simulated(under(machine, policy, overlap=overlap), shape, step, readout).cycles for overlap in (False, True)
        )
        assert blocking > beside


def test_what_local_memory_holds_over_time_peaks_at_what_is_booked() -> None:
    machine, shape, step, readout = case(**{"local.bytes": 45_000})
    for policy in ("segment_dram", "reversible"):
        program = program_of(under(machine, policy, overlap=True), shape, step, readout)
        rows, held = program.kept_bytes.T
        assert (np.diff(rows) > 0).all()
        booked = program.local_bytes["tape"] + program.local_bytes["checkpoints"]
        assert 0.9 * booked <= held.max() <= booked
        assert held[-1] == 0


def test_a_longer_sequence_fires_like_the_one_it_is_made_of() -> None:
    _, _, step, _ = case()
    longer = lengthened(step, 3 * STEPS)
    assert longer.lengths.tolist() == [3 * STEPS]
    for mask, one in zip(longer.fired_h, step.fired_h, strict=True):
        assert not mask[0].any()
        assert (mask[:STEPS] == one[:, :1]).all()
        assert (mask[STEPS : 2 * STEPS - 1] == one[1:, :1]).all()
    assert lengthened(step, 1).fired_x[0].shape == (1, 1, 13)


@pytest.mark.parametrize("fidelity", ["cycle", "analytic"])
def test_a_result_has_the_steps_run_again_in_a_phase_of_their_own(fidelity: str) -> None:
    changes = {"local.bytes": 20_000, "checkpoint.policy": "segment_dram", "checkpoint.local_bytes": 900}
    result = simulate(Architecture.named("edge", changes), Workload.named("tiny"), fidelity=fidelity)
    plain = simulate(Architecture.named("edge", {"local.bytes": 20_000}), Workload.named("tiny"), fidelity=fidelity)
    assert result.counters.phases["RF"].macs > 0
    assert plain.counters.phases["RF"].cycles == 0
    assert result.counters.phases["WG"].macs == plain.counters.phases["WG"].macs


def test_gates_and_unknown_policies_are_refused_in_one_line(deltatrain: Any) -> None:
    again = ("--set", "machine.checkpoint.policy=segment", "--set", "machine.engine.arrays=2")
    ran = deltatrain("simulate", "-w", "tiny", "--on", "tiny", "-f", "rtl", *again)
    assert ran.status == 2 and "the gates of one array run steps again" in ran.stderr and ran.stderr.count("\n") == 1
    with pytest.raises(ConfigError, match="'segmen' is not known, did you mean 'segment'"):
        simulate(Architecture.named("tiny", {"checkpoint.policy": "segmen"}), Workload.named("tiny"))
    ran = deltatrain("simulate", "-w", "tiny", "--on", "edge", "--set", "machine.checkpoint.local_bytes=0")
    assert ran.status == 2 and "checkpoint.local_bytes" in ran.stderr


def test_plan_simulates_when_asked(deltatrain: Any) -> None:
    words = ("plan", "-w", "tiny", "--on", "edge", "--steps", 20, "--set", "machine.local.bytes=20000", "--simulate")
    told = json.loads(deltatrain(*words, "--json").stdout)["simulated"]
    assert set(told["cycles"]) == set(POLICIES.names())
    assert told["cycles"]["segment"][0] >= told["unlimited_cycles"]
    assert "Simulated" in deltatrain(*words).stdout
    refused = deltatrain("plan", "-w", "tiny", "--steps", 1001, "--simulate")
    assert refused.status == 2 and "up to 1,000 steps" in refused.stderr


def test_samples_one_after_the_other_are_the_steps_that_there_were() -> None:
    x = np.random.default_rng(1).random((4, 3, 5)) < 0.5
    lengths = np.array([2, 4, 1])
    joined = checkpointing.one_after_the_other(RecordedStep(0, 0, lengths, (x,), (~x,)))
    assert joined.lengths.tolist() == [7] and joined.asked_x == ()
    assert np.array_equal(joined.fired_x[0][:, 0], np.concatenate([x[:2, 0], x[:4, 1], x[:1, 2]]))
    assert np.array_equal(joined.fired_h[0], ~joined.fired_x[0])


def test_the_study_keeps_its_points_and_leaves_figures(tmp_path: Path) -> None:
    pairs = (Setting("edge", {"cache.bytes": 0}, "tiny", "delta_lstm", 5, 3, ((6, 5),), (10, 20), (), 10, 0.3, 0.5),)
    settings = Settings(pairs, (), ("store_all", "segment_dram", "tape_to_dram"), ("segment_dram",), seed=1)
    told: list[str] = []
    first = checkpointing.rows(settings, tmp_path, lambda stage, share, detail: told.append(detail))
    assert len(first) == 2 * 3 * 2 and len(told) == 2
    assert (tmp_path / "edge_delta_lstm_over_steps.png").stat().st_size > 10_000
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert len(kept) == 2
    assert checkpointing.rows(settings, tmp_path, lambda *_: None) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")} == kept
    assert {row["time_x"] for row in first if row["policy"] == "store_all"} == {1.0}
