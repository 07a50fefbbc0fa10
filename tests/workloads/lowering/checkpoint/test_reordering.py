"""Reversals put off: the same work, valid, within the same memory, and faster where a tape is waited for."""

from __future__ import annotations

import numpy as np
from checkpoint_cases import cases, float_replay, schedule_of
from checkpoint_execution import execute
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.reordering import with_late_reversals
from deltatrain.workloads.lowering.checkpoint.schedule import Action, Budget, Costs, Schedule, check
from deltatrain.workloads.lowering.checkpoint.timing import blocking_cycles, overlapped_cycles

QUICK = [name for name in POLICIES.names() if name != "optimal"]


@settings(max_examples=80)
@given(case=cases(12), name=st.sampled_from(QUICK))
def test_they_do_the_same_in_another_order(case, name):
    _, budget, costs = case
    schedule = schedule_of(name, *case)
    if schedule is None:
        return
    for late in with_late_reversals(schedule, budget):
        check(late, budget)
        assert sorted(late.rows()) == sorted(schedule.rows())
        assert blocking_cycles(late, costs) == blocking_cycles(schedule, costs)


def test_gradients_are_the_same_bits():
    budget, costs = Budget(1, 1, 5, 100), Costs(3, 5, 2, 2, 4, 4)
    whole = float_replay("lstm", 11, 3)
    schedule = POLICIES.load("segment").schedule(11, budget._replace(local_bytes=6), costs)
    execute(schedule, whole)
    late = list(with_late_reversals(schedule, budget._replace(local_bytes=9)))
    assert late
    for other in late:
        replay = float_replay("lstm", 11, 3)
        execute(other, replay)
        assert np.array_equal(replay.gradients().flat(), whole.gradients().flat())


def test_a_step_is_run_again_while_a_tape_is_on_its_way():
    """Step 1's tape goes out and comes back; before it is there, step 0 may be run again."""
    rows = [
        (Action.FORWARD, 0, 1),
        (Action.FORWARD_TAPE, 1, 2),
        (Action.SAVE_TAPE_REMOTE, 1, 2),
        (Action.FREE_TAPE_LOCAL, 1, 2),
        (Action.LOAD_TAPE_REMOTE, 1, 2),
        (Action.REVERSE, 1, 2),
        (Action.FREE_TAPE_REMOTE, 1, 2),
        (Action.LOAD_STATE_LOCAL, 0, 1),
        (Action.FORWARD_TAPE, 0, 1),
        (Action.REVERSE, 0, 1),
    ]
    schedule, budget, costs = Schedule.of(2, rows), Budget(1, 1, 2, 100), Costs(6, 3, 5, 5, 1, 9)
    before = overlapped_cycles(schedule, costs)
    late = min(overlapped_cycles(one, costs) for one in with_late_reversals(schedule, budget))
    assert before - late == 6  # all of the step's way forward
    tight = with_late_reversals(schedule, budget._replace(local_bytes=1))  # no room for a second tape
    assert all(overlapped_cycles(one, costs) == before for one in tight)
