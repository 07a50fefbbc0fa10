"""Gradients by every policy are those of keeping everything, bit for bit, in floats and in the machine's integers."""

from __future__ import annotations

import numpy as np
import pytest
from checkpoint_cases import CELL_NAMES, float_replay, integer_case, integer_replay, network_case, schedule_of
from checkpoint_execution import execute
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.errors import FitError
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES, store_all
from deltatrain.workloads.lowering.checkpoint.schedule import Action, Budget, Costs, Schedule, demand_of
from deltatrain.workloads.lowering.checkpoint.timing import overlapped
from deltatrain.workloads.network import network
from deltatrain.workloads.training import integer_training

COSTS = Costs(3, 5, 2, 2, 4, 4, 0, 0, 2)
FLOAT_POLICIES = [name for name in POLICIES.names() if name != "reversible"]
seeds = st.integers(0, 2**32 - 1)
every_cell = pytest.mark.parametrize("cell", CELL_NAMES)


def everything(steps):
    return store_all.schedule(steps, Budget(1, 1, steps, 0), COSTS)


@st.composite
def lengths_and_room(draw, most):
    steps = draw(st.integers(1, most))
    tape = draw(st.integers(1, 3))
    return steps, Budget(draw(st.integers(1, 3)), tape, draw(st.integers(3, 3 * max(3, steps // 3))), 10**6, tape)


LONGEST = 300, Budget(2, 3, 12, 10**6, 2)
"""Room for four tapes: whatever needs more is left out."""

ROOMY = 300, Budget(1, 1, 36, 10**6, 1)
"""Room for a segment's tapes and all states between segments, on one level."""


@every_cell
@settings(max_examples=2)
@given(drawn=lengths_and_room(300), seed=seeds, readout=st.sampled_from(["last", "every"]))
@example(drawn=LONGEST, seed=1, readout="every")
def test_float_gradients_are_bit_identical_under_every_policy(cell, drawn, seed, readout):
    steps, budget = drawn
    case = {"cell": cell, "steps": steps, "seed": seed, "samples": 2, "hidden": (4,), "readout": readout}
    whole = float_replay(**case)
    execute(everything(steps), whole)
    for name in FLOAT_POLICIES:
        schedule = schedule_of(name, steps, budget._replace(residue_bytes=None), COSTS)
        if schedule is None:
            continue
        replay = float_replay(**case)
        ran = execute(overlapped(schedule, budget), replay)
        assert ran.forward_steps == schedule.forward_steps
        assert replay.loss == whole.loss
        assert np.array_equal(replay.gradients().flat(), whole.gradients().flat()), name


@every_cell
@pytest.mark.parametrize("readout", ["last", "every"])
@settings(max_examples=15)
@given(steps=st.integers(1, 40), seed=seeds)
def test_step_by_step_gradients_are_those_of_the_network(cell, readout, steps, seed):
    case = network_case(cell, steps, seed, readout=readout)
    precise = case[1]._replace(
        layers=tuple(type(layer)(*(array.astype(np.float64) for array in layer)) for layer in case[1].layers),
        W_out=case[1].W_out.astype(np.float64),
        bias_out=case[1].bias_out.astype(np.float64),
    )
    case = (case[0], precise, case[2].astype(np.float64), *case[3:])
    step = network.training_step(*case)
    replay = float_replay_of(case)
    execute(everything(steps), replay)
    assert replay.loss == pytest.approx(step.loss, rel=1e-12)
    np.testing.assert_allclose(replay.gradients().flat(), step.gradients.flat(), rtol=1e-9, atol=1e-13)


def float_replay_of(case):
    from float_replay import FloatReplay

    return FloatReplay(*case)


@every_cell
@settings(max_examples=3)
@given(drawn=lengths_and_room(60), seed=seeds, readout=st.sampled_from(["last", "every"]))
def test_integer_gradients_are_those_of_the_golden_model_under_every_policy(cell, drawn, seed, readout):
    assert_integer_gradients(cell, drawn, seed, readout, hidden=(3, 2))


@pytest.mark.parametrize("cell", ["lstm", "lif_recurrent"])
def test_integer_gradients_are_those_of_the_golden_model_over_three_hundred_steps(cell):
    assert_integer_gradients(cell, LONGEST, seed=1, readout="every", hidden=(2,))


@pytest.mark.long
@every_cell
@settings(max_examples=12)
@given(drawn=lengths_and_room(300), seed=seeds, readout=st.sampled_from(["last", "every"]))
@example(drawn=LONGEST, seed=2, readout="every")
@example(drawn=ROOMY, seed=3, readout="every")
def test_integer_gradients_are_those_of_the_golden_model_up_to_three_hundred_steps(cell, drawn, seed, readout):
    assert_integer_gradients(cell, drawn, seed, readout, hidden=(3,))


def assert_integer_gradients(cell, drawn, seed, readout, hidden):
    steps, budget = drawn
    if not CELL_ARITHMETIC.load(cell).KEPT:
        budget = budget._replace(residue_bytes=None)  # as sizes.residue_bytes says
    case = integer_case(cell, steps, seed, hidden=hidden, readout=readout)
    golden = integer_training.training_step(case[0], case[1], [case[2]], [case[3]], 1)
    for name in POLICIES.names():
        schedule = schedule_of(name, steps, budget, COSTS)
        if schedule is None:
            continue
        replay, gradients = integer_replay(*case)
        ran = execute(schedule, replay)
        assert ran.forward_steps == schedule.forward_steps
        for ours, theirs in zip(gradients.matrices(), golden.gradients.matrices(), strict=True):
            assert np.array_equal(ours, theirs), name


@pytest.mark.parametrize("cell", [name for name in CELL_NAMES if CELL_ARITHMETIC.load(name).KEPT])
def test_the_bytes_kept_are_those_of_the_schedule(cell):
    """With thresholds of zero and noise for input every list is full from the second step on: sizes are the same."""
    case = network_case(cell, 30, 1, samples=2)
    case = (case[0]._replace(thresholds=((0.0, 0.0),) * 2), *case[1:3], np.array([30, 30]), case[4])
    sizes = float_replay_of(case)
    state, _ = sizes.forward(0, sizes.first_state())
    after, tape = sizes.forward(1, state)
    state_bytes, tape_bytes = sizes.state_bytes(after), sizes.tape_bytes(tape)
    budget = Budget(state_bytes, tape_bytes, 10 * max(state_bytes, tape_bytes), 10**9)
    for name in ("segment_dram", "double", "revolve", "tape_to_dram"):
        schedule = schedule_of(name, 30, budget, COSTS)
        ran = execute(schedule, float_replay_of(case))
        expected = demand_of(schedule, budget)
        first = tape_bytes - sizes.tape_bytes(sizes.forward(0, sizes.first_state())[1])  # step 0 has no recurrent list
        assert expected.local_bytes - first <= ran.local_bytes <= expected.local_bytes
        assert expected.remote_bytes - first <= ran.remote_bytes <= expected.remote_bytes


def test_a_full_memory_is_an_error_that_names_step_what_and_bytes():
    with pytest.raises(FitError, match=r"overflows at step \d+ with its tape of [\d,]+ bytes: .* missing"):
        execute(everything(9), float_replay("lstm", 9, 0), local_bytes=2_000)


def test_floats_are_not_run_backwards():
    with pytest.raises(ValueError, match="cannot be run backwards"):
        execute(Schedule.of(2, [(Action.FORWARD_RESIDUE, 0, 2)]), float_replay("rnn", 2, 0))


def test_a_policy_that_loses_a_step_would_be_noticed():
    """The comparison above can fail: one step's tape from another state changes the gradients."""
    whole, other = float_replay("lstm", 12, 5), float_replay("lstm", 12, 5)
    execute(everything(12), whole)
    tape = [(Action.FORWARD_TAPE, 0, 12), (Action.REVERSE, 1, 12), (Action.LOAD_STATE_LOCAL, 0, 1)]
    execute(Schedule.of(12, tape), other)
    assert not np.array_equal(other.gradients().flat(), whole.gradients().flat())
