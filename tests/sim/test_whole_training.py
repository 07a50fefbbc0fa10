"""What a whole training costs, from some of its steps, beside the sum over all of them simulated one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.sim.fidelity import FIDELITIES
from deltatrain.sim.sweep import point
from deltatrain.sim.sweep.checks import checked_space
from deltatrain.sim.sweep.point import Simulator
from deltatrain.sim.whole_training import _counts, chosen_steps, cost_of, half, of_steps, whole_training
from deltatrain.workloads.synthetic import synthetic_step
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training.operations import matrix_macs
from deltatrain.workloads.workload import Workload

EDGE = Architecture.named("edge")
A_EPOCH = 6


def training_step(workload, rng, epoch, update):
    """Return a step of random length and occupancy: the later, the less fires."""
    share = (0.6 - 0.1 * epoch) * rng.uniform(0.7, 1.3)
    changes = {
        "synthetic__occupancy_x": share,
        "synthetic__occupancy_h": share,
        "training__seed": int(rng.integers(1e6)),
    }
    drawn = synthetic_step(workload.with_changes(**changes))
    lengths = rng.integers(6, drawn.lengths.max() + 1, len(drawn.lengths))
    longest = lengths.max()
    beyond = np.arange(longest)[:, None, None] >= lengths[:, None]
    masks = {name: tuple(mask[:longest] & ~beyond for mask in getattr(drawn, name)) for name in ("fired_x", "fired_h")}
    return replace(drawn, epoch=epoch, update=update, lengths=lengths, **masks)


def stated_training(seed, cell, epochs=5):
    """Return every step of a training, and its trace, which has the last step of each epoch and all counts."""
    changes = {"cell": cell, "synthetic.steps": 14, "training.batch": 4, "hidden": [24], "synthetic.inputs": 9}
    workload, rng = Workload.named("synthetic", changes), np.random.default_rng(seed)
    steps = [training_step(workload, rng, i // A_EPOCH, i + 1) for i in range(A_EPOCH * epochs)]
    inputs, classes = workload.synthetic.inputs, workload.synthetic.classes
    empty = Trace(workload, inputs, classes, (steps[-1],), ())
    counts = []
    for epoch in range(epochs):
        mine = [_counts(step, empty) for step in steps if step.epoch == epoch]
        added = {
            name: tuple(sum(of) for of in zip(*(getattr(one, name) for one in mine), strict=True))
            for name in ("fired_x", "fired_h", "steps_x", "steps_h")
        }
        counts.append(replace(mine[0], accuracy=0.1 * epoch, **added))
    recorded = tuple(step for step in steps if step.update % A_EPOCH == 0)
    return steps, replace(empty, recorded=recorded, epochs=tuple(counts))


def cost(step, trace, fidelity, machine):
    member = FIDELITIES.load(fidelity)
    return cost_of(member.count(member.program(machine, trace, step), None), machine)


@pytest.mark.parametrize(
    ("fidelity", "machine", "most"),
    [("analytic", EDGE.without_cache(), 0.005), ("cycle", EDGE.without_cache(), 0.01), ("cycle", EDGE, 0.02)],
    ids=["analytic", "cycle", "with a column cache"],
)
@pytest.mark.parametrize("cell", ["delta_lstm", "delta_gru"])
def test_it_is_the_sum_of_all_steps(fidelity, machine, most, cell):
    """What misses is no multiple of what fires, so that with a cache the bytes are 1 % off."""
    steps, trace = stated_training(3, cell)
    whole = np.sum([cost(step, trace, fidelity, machine) for step in steps], axis=0)
    found = whole_training(machine, trace, fidelity=fidelity, steps=5)
    assert found.steps == len(steps)
    assert found.simulated_steps == 10
    assert np.abs(np.array(found.total) / whole - 1).max() < most
    assert np.array(found.total) == pytest.approx(np.sum([epoch.cost for epoch in found.epochs], axis=0))
    assert 0 < found.error.energy_j < most


def test_the_error_says_how_far_the_sum_is_off():
    """Of costs with a known scatter about a known law, two standard errors hold the sum in most cases."""
    steps, trace = stated_training(5, "delta_lstm")
    off = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        parts = [step for step in trace.recorded for step in (step, half(step))]
        told = [tuple(np.array([1.0, 2.0, 3.0]) * law(step, trace, rng)) for step in parts]
        found = of_steps(trace, parts, told)
        whole = sum(law(step, trace, rng) for step in steps)
        off.append((found.total.seconds - whole) / (found.error.seconds * found.total.seconds))
    assert 0.85 <= np.mean(np.abs(off) < 2) <= 1.0
    assert 0.6 < np.std(off) < 1.6


def law(step, trace, rng):
    macs = matrix_macs(_counts(step, trace), trace.sizes, trace.workload.readout).total
    return 1e4 + 30 * float(step.lengths.sum()) + 0.3 * macs + 3e2 * rng.standard_normal()


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), samples=st.integers(1, 5))
def test_half_of_a_step_has_every_other_sample(seed, samples):
    workload = Workload.named("synthetic", {"training.batch": samples, "synthetic.steps": 9, "hidden": [5, 4]})
    step = training_step(workload, np.random.default_rng(seed), 0, 1)
    part = half(step)
    part.check(Trace(workload, workload.synthetic.inputs, workload.synthetic.classes, (step,), ()).sizes, None)
    if samples == 1:
        assert part.lengths.tolist() == [max(1, step.lengths[0] // 2)]
    else:
        assert part.lengths.tolist() == step.lengths[::2].tolist()
    for whole, kept in zip(step.fired_h, part.fired_h, strict=True):
        assert (kept == whole[: len(kept), ::2]).all()


def test_what_is_spent_until_an_accuracy_is_a_part_of_the_whole():
    _, trace = stated_training(7, "delta_gru")
    found = whole_training(EDGE, trace, fidelity="analytic", steps=3)
    until = found.until(lambda accuracy: accuracy >= 0.2)
    assert until == pytest.approx(np.sum([epoch.cost for epoch in found.epochs[:3]], axis=0))
    assert found.until(lambda accuracy: accuracy >= 0.9) is None


def test_too_few_steps_are_refused():
    _, trace = stated_training(1, "delta_gru", epochs=2)
    with pytest.raises(ConfigError, match=r"from 3 recorded steps or more, not from 2, .*record_every = 1"):
        whole_training(EDGE, replace(trace, recorded=trace.recorded[-2:]), fidelity="analytic")
    with pytest.raises(ConfigError, match="was not trained"):
        whole_training(EDGE, replace(trace, epochs=()), fidelity="analytic")


def test_numbers_of_the_last_step_do_not_decide_what_fires_in_it_alone():
    _, trace = stated_training(2, "delta_gru")
    numbers = SimpleNamespace(check=lambda *given: None)
    with_numbers = replace(trace, recorded=(*trace.recorded[:-1], replace(trace.recorded[-1], numbers=numbers)))
    assert all(step.numbers is None for step in chosen_steps(with_numbers, 3))
    assert whole_training(EDGE, with_numbers, fidelity="analytic") == whole_training(EDGE, trace, fidelity="analytic")


def test_machine_and_trace_may_be_named_and_what_is_neither_is_refused(tmp_path: Path):
    _, trace = stated_training(2, "delta_gru")
    assert whole_training("edge", trace, fidelity="analytic") == whole_training(EDGE, trace, fidelity="analytic")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        whole_training("edge", tmp_path / "trace.npz")
    with pytest.raises(ConfigError, match="what was trained must be a Trace or its file, not int 3"):
        whole_training("edge", 3)
    with pytest.raises(ConfigError, match=r"a machine must be an Architecture, .*, not int 3"):
        whole_training(3, trace)
    with pytest.raises(ConfigError, match="fidelity must be one of analytic, cycle for a whole training, not 'rtl'"):
        whole_training("edge", trace, fidelity="rtl")
    with pytest.raises(ConfigError, match=r"engine\.arrays must be 1, not 2"):
        whole_training(Architecture.named("edge", {"engine.arrays": 2, "local.ports": 1}), trace)


@pytest.mark.parametrize("steps", [2, -1, 3.5, "3", None, True])
def test_steps_are_an_integer_of_three_or_more(steps):
    _, trace = stated_training(1, "delta_gru", epochs=3)
    with pytest.raises(ConfigError, match=f"steps must be an integer of 3 or more, not {steps!r}"):
        whole_training(EDGE, trace, steps=steps)


def test_a_point_that_records_too_few_steps_is_refused_before_it_is_trained(monkeypatch):
    def trained(workload):
        raise AssertionError("it was trained")

    monkeypatch.setattr(point, "trained_trace", trained)
    changes = {"workload.training.record_every": 20}
    row = Simulator(checked_space(space(sampled_steps=3, fixed=changes)).base).row({})
    assert "not from 2, which training.epochs = 40 and training.record_every = 20 leave" in row["reason"]


def test_an_optimiser_that_the_formats_do_not_hold_is_refused():
    changes = {"training.machine_optimiser.momentum": 1e-9}
    _, trace = stated_training(1, "delta_gru", epochs=3)
    workload = Workload.named("synthetic", changes | {"synthetic.inputs": 9, "hidden": [24], "training.batch": 4})
    with pytest.raises(ConfigError, match=r"machine_optimiser\.momentum must be 0, or above"):
        whole_training(EDGE, replace(trace, workload=workload), fidelity="analytic")
    fixed = {f"workload.{name}": value for name, value in changes.items()}
    asked = space(workload="synthetic", fixed=fixed, fidelity="analytic", objectives={"seconds": "minimise"})
    row = Simulator(checked_space(asked).base).row({})
    assert "training.machine_optimiser.momentum must be 0, or above" in row["reason"]


def space(**changes):
    return {
        "name": "mine",
        "workload": "vowels",
        "vary": {"workload.theta_x": {"values": [0.1, 0.2]}},
        "objectives": {"training.energy_j": "minimise"},
    } | changes


def test_energies_of_whole_trainings_are_of_one_model_too():
    vary = {"machine.remote.device": {"values": ["lpddr4_3200", "lpddr4_4266"]}}
    fixed = {"machine.remote.bus_bits": 16}
    priced = r"objectives.training.energy_j would compare energies that are priced in different ways"
    with pytest.raises(ConfigError, match=priced):
        checked_space(space(sampled_steps=3, vary=vary, fixed=fixed))
    checked_space(space(sampled_steps=3, vary=vary, fixed=fixed, objectives={"training.seconds": "minimise"}))


def test_a_space_that_asks_for_whole_trainings_says_how_many_steps():
    assert checked_space(space(sampled_steps=3)).base.sampled_steps == 3
    with pytest.raises(
        ConfigError, match=r"objectives.training.energy_j is found only with sampled_steps, of 3 or more"
    ):
        checked_space(space())
    with pytest.raises(ConfigError, match=r"sampled_steps must be 0, for none, or 3 or more, not 2"):
        checked_space(space(sampled_steps=2))
    with pytest.raises(ConfigError, match=r"sampled_steps must be 0 for a synthetic workload"):
        checked_space(space(sampled_steps=3, workload="synthetic", objectives={"seconds": "minimise"}))
