"""A recorded step's numbers: those that training worked on, kept in trace and state, and refused if they are wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from trained_traces import small_trace, without_numbers

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.network.network import Network, forward, from_flat
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training import learning_state
from deltatrain.workloads.training.evaluation import recorded_step
from deltatrain.workloads.training.integer_recorded import in_integers
from deltatrain.workloads.training.training import train
from deltatrain.workloads.training.updates import learning_rate


def masks(step):
    return [mask for of in step.masks().values() for mask in of]


@pytest.mark.parametrize("cell", ["delta_rnn", "delta_gru", "delta_lstm"])
def test_the_numbers_fire_as_recorded(cell):
    trace = small_trace(cell, (5, 4), longest=8)
    step = trace.recorded[-1]
    workload, numbers = trace.workload, step.numbers
    network = Network(trace.sizes, workload.thresholds, workload.readout, 0.0)
    ran = forward(network, from_flat(numbers.parameters, trace.sizes), numbers.inputs, step.lengths)
    again = recorded_step(ran, step.epoch, step.update)
    assert any(mask.any() for mask in masks(step)[-2:])
    assert all(map(np.array_equal, masks(again), masks(step)))


def test_the_rate_is_that_of_the_update_before():
    trace = small_trace("delta_rnn", changes={"training.schedule": "cosine"})
    training, last = trace.workload.training, trace.recorded[-1]
    assert last.numbers.learning_rate == learning_rate(training, last.update - 1, last.update, ()) > 0


def test_the_last_step_alone_has_numbers_and_a_dense_one_has_none():
    assert [step.numbers is not None for step in small_trace("delta_gru").recorded] == [False, True]
    assert small_trace("delta_gru", changes={"training.dense_epochs": 2}).recorded[-1].numbers is None
    spiking = small_trace("lif", changes={"theta_x": 0.0, "theta_h": 0.0}).recorded
    assert [step.numbers is not None for step in spiking] == [False, True]


def test_a_file_keeps_them_and_one_of_before_has_none(tmp_path):
    trace = small_trace("delta_gru")
    trace.save(tmp_path / "trace.npz")
    kept = Trace.load(tmp_path / "trace.npz")
    assert kept == trace != without_numbers(trace)
    arrays, found = trace.recorded[-1].numbers.arrays(), kept.recorded[-1].numbers.arrays()
    assert all(found[name].dtype == arrays[name].dtype for name in arrays)
    without_numbers(trace).save(tmp_path / "before.npz")
    assert Trace.load(tmp_path / "before.npz").recorded[-1].numbers is None


def test_a_finished_training_that_is_resumed_still_has_them(drifts, drift_workload, tmp_path):
    path = tmp_path / "state.npz"
    done = train(drift_workload, drifts, state_path=path)
    again = train(drift_workload, drifts, state_path=path, resume=True)
    one, other = (ran.recorded[-1].numbers.arrays() for ran in (done, again))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert learning_state.load(path, drift_workload.digest()).recorded[0].numbers is None


WRONG = {
    "parameters": (lambda array: array[1:], "parameters of a recorded step must be floating-point numbers of shape"),
    "inputs": (lambda array: array[:, :, :-1], "inputs of a recorded step must be floating-point numbers of shape"),
    "labels": (lambda array: array + 0.5, "labels of a recorded step must be integers of shape"),
    "learning_rate": (lambda array: -array, "learning_rate of a recorded step must be at least 0, not -"),
    "parameters, one NaN": (lambda array: array * np.nan, "parameters of a recorded step must be finite, not nan"),
    "inputs, one infinite": (lambda array: array + np.inf, "inputs of a recorded step must be finite, not inf"),
    "labels out of range": (lambda array: array + 3, "labels of a recorded step must be 0 to 2, not"),
}


@pytest.mark.parametrize("what", WRONG)
def test_numbers_of_another_step_are_refused_where_they_are_used_and_where_a_trace_is_made(what):
    change, said = WRONG[what]
    name, trace = what.partition(",")[0].split()[0], small_trace("delta_gru")
    step = trace.recorded[-1]
    numbers = replace(step.numbers, **{name: change(getattr(step.numbers, name))})
    wrong = replace(step, numbers=numbers)
    with pytest.raises(ConfigError, match=said) as caught:
        in_integers(Architecture.named("tiny").engine, trace, wrong)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=said) as caught:
        replace(trace, recorded=(wrong,))
    assert "\n" not in str(caught.value)
