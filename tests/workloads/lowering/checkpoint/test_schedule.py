"""Every policy's schedule is valid, stays within both memories, and takes what its closed forms say."""

from __future__ import annotations

from math import comb

import pytest
from checkpoint_cases import cases, schedule_of
from checkpoint_schedules import HRevolve, MultistageCheckpointSchedule, Revolve
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deltatrain.accel.errors import FitError
from deltatrain.workloads.lowering.checkpoint.check import check
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES, double, revolve, segment
from deltatrain.workloads.lowering.checkpoint.schedule import (
    Action,
    Budget,
    CheckpointSchedule,
    Costs,
    Demand,
    demand_of,
)
from deltatrain.workloads.lowering.checkpoint.timing import overlapped

FREE_COSTS = Costs(1, 2, 0, 0, 0, 0)
every_policy = pytest.mark.parametrize("name", POLICIES.names())


@every_policy
@settings(max_examples=25)
@given(case=cases(most_steps=40))
@example(case=(25, Budget(1, 2, 4, 18), Costs(1, 1, 0, 0, 0, 2)))  # moving costs nothing, not even for state 0
def test_a_schedule_is_valid_and_takes_what_its_policy_says(name, case):
    steps, budget, costs = case
    schedule = schedule_of(name, steps, budget, costs)
    if schedule is None:
        return
    demand = POLICIES.load(name).demand(steps, budget, costs)
    assert check(schedule, budget) == demand == demand_of(schedule, budget)
    spread = overlapped(schedule, budget)
    moved = check(spread, budget)
    assert moved.forward_steps == demand.forward_steps
    assert sorted(spread.rows()) == sorted(schedule.rows())


@settings(max_examples=25)
@given(case=cases(most_steps=12), share=st.floats(0, 1))
def test_what_stays_of_a_tape_that_is_sent_counts_until_its_step_is_reversed(case, share):
    steps, budget, costs = case
    budget = budget._replace(staying_bytes=int(share * budget.tape_bytes))
    schedule = schedule_of("optimal", steps, budget, costs)
    if schedule is not None:
        assert check(schedule, budget) == demand_of(schedule, budget)


@given(steps=st.integers(1, 200), length=st.integers(1, 50), state=st.integers(1, 9), tape=st.integers(1, 9))
def test_chunked_counts_are_the_closed_forms(steps, length, state, tape):
    """One level: 2 T - c steps and ceil(T / c) - 2 states, for the c that fits."""
    budget = Budget(state, tape, length * tape + state, 10**6)
    policy = POLICIES.load("segment_dram")
    taken, fitting = policy.demand(steps, budget, FREE_COSTS), policy.segment_steps(steps, budget)
    assert fitting >= min(steps, length)
    assert taken.forward_steps == 2 * steps - fitting
    assert taken.remote_bytes == max(0, -(-steps // fitting) - 2) * state


@given(outer=st.integers(2, 6), room=st.integers(4, 40), state=st.integers(1, 4), tape=st.integers(1, 4))
def test_two_levels_run_as_often_as_their_closed_form(outer, room, state, tape):
    budget = Budget(state, tape, max(room, 2 * state + tape), 10**6)
    number, length = double.segment_steps(budget)
    whole = number * length
    taken = double.demand(outer * whole, budget, FREE_COSTS)
    steps = outer * whole
    assert taken.forward_steps == steps + (steps // whole - 1) * (2 * whole - length) + whole - length
    assert taken.remote_bytes == (outer - 2) * state
    assert taken.local_bytes == (number - 1) * state + length * tape


def brute_segment(steps, budget):
    lengths = [
        c
        for c in range(1, steps + 1)
        if max(0, -(-steps // c) - 2) * budget.state_bytes + c * budget.tape_bytes <= budget.local_bytes
    ]
    return max(lengths, default=None)


@given(steps=st.integers(1, 300), state=st.integers(1, 9), tape=st.integers(1, 9), local=st.integers(1, 600))
def test_segment_takes_the_longest_segment_that_fits(steps, state, tape, local):
    budget = Budget(state, tape, local, 0)
    longest = brute_segment(steps, budget)
    if longest is None:
        with pytest.raises(FitError, match="segment"):
            segment.demand(steps, budget, FREE_COSTS)
    else:
        assert segment.segment_steps(steps, budget) == longest


@given(steps=st.integers(1, 120), slots=st.integers(1, 12))
def test_revolve_runs_as_often_as_the_binomial_closed_form_and_the_recurrence(steps, slots):
    extra = revolve.extra_steps(steps, slots)
    best = {(n, s): 0 if n == 1 else n * (n - 1) // 2 for n in range(1, steps + 1) for s in (1,)}
    for s in range(2, slots + 1):
        best[1, s] = 0
        for n in range(2, steps + 1):
            best[n, s] = min(i + best[i, s] + best[n - i, s - 1] for i in range(1, n))
    assert extra == best[steps, slots]
    taken = revolve.demand(steps, Budget(1, 1, slots, 0), FREE_COSTS)  # one unit for the tape, the others for states
    assert taken.forward_steps == steps + extra


def test_the_numbers_of_the_literature_are_met():
    """100 steps: 590, 416, 322, 278 forward steps with 3, 5, 10, 20 slots; beta(s, r) = C(s + r, s)."""
    assert [100 + revolve.extra_steps(100, s) for s in (3, 5, 10, 20)] == [590, 416, 322, 278]
    assert revolve.extra_steps(comb(3 + 4, 3), 3) == 4 * comb(7, 3) - comb(7, 4)


def test_the_package_is_as_its_pitfalls_say():
    """If one of these changes, `workloads.lowering.checkpoint.package` may become simpler."""
    multistage = MultistageCheckpointSchedule(60, 5, 0, trajectory="maximum")
    assert _forward_steps(Revolve(60, 5)) == _forward_steps(multistage)
    disk = [str(a) for a in HRevolve(40, 3, 7, 1, 1, 2, 2) if "Move" in str(a) and "DISK" in str(a)]
    read = [str(a) for a in HRevolve(40, 3, 7, 1, 1, 2, 2) if "Copy" in str(a) and "DISK" in str(a)]
    assert read and len(disk) < len(set(read))


def _forward_steps(schedule):
    return sum(a.n1 - a.n0 for a in schedule if type(a).__name__ == "Forward")


def test_an_overflow_names_step_what_and_bytes():
    budget = Budget(10, 100, 250, 0)
    schedule = POLICIES.load("store_all").schedule(3, budget._replace(local_bytes=300), FREE_COSTS)
    with pytest.raises(FitError, match=r"at step 2, with its tape: 300 bytes, 250 there, 50 missing"):
        check(schedule, budget)
    with pytest.raises(FitError, match=r"policy store_all does not fit: 300 bytes of local memory needed"):
        POLICIES.load("store_all").schedule(3, budget, FREE_COSTS)


A = Action


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([(A.FORWARD_TAPE, 0, 2), (A.REVERSE, 0, 1)], "step 1 is to be reversed next"),
        ([(A.FORWARD_TAPE, 0, 2), (A.REVERSE, 1, 2)], "step 0 is never reversed"),
        ([(A.FORWARD, 0, 2), (A.REVERSE, 0, 2)], "no local tape of step 0"),
        ([(A.FORWARD, 1, 2)], "working state is state 0, not 1"),
        ([(A.FORWARD, 0, 1), (A.SAVE_STATE_REMOTE, 1, 2)], "no local state of step 1"),
        ([(A.FORWARD, 0, 1), (A.SAVE_STATE_LOCAL, 1, 2), (A.SAVE_STATE_LOCAL, 1, 2)], "already"),
        ([(A.LOAD_STATE_LOCAL, 1, 2)], "no local state of step 1"),
        ([(A.FORWARD_TAPE, 0, 2), (A.SAVE_TAPE_REMOTE, 0, 1), (A.REVERSE, 0, 2)], "left behind"),
        ([(A.FORWARD_TAPE, 0, 2), (A.BACKTRACK, 0, 2)], "no local residue"),
    ],
)
def test_an_invalid_schedule_is_refused(rows, fault):
    with pytest.raises(ValueError, match=fault):
        check(CheckpointSchedule.of(2, rows), Budget(1, 1, 100, 100, 1))


def test_a_demand_that_fits_is_handed_on():
    taken = POLICIES.load("store_all").demand(4, Budget(1, 2, 8, 0), FREE_COSTS)
    assert taken == Demand(8, 0, 4)
