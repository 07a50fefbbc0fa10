"""Predicted times: against an event simulation, bounds that must hold, and closed forms."""

from __future__ import annotations

import pytest
import simpy
from checkpoint_cases import cases, schedule_of
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.schedule import TRANSFERS, Action, Budget, Costs
from deltatrain.workloads.lowering.checkpoint.timing import blocking_cycles, overlapped, overlapped_cycles, work_cycles

names = st.sampled_from([name for name in POLICIES.names() if name != "optimal"])


@settings(max_examples=150)
@given(name=names, case=cases(most_steps=40))
def test_overlapped_time_is_that_of_an_event_simulation(name, case):
    steps, budget, costs = case
    costs = costs._replace(forward_port_cycles=0, backward_port_cycles=0)
    schedule = schedule_of(name, steps, budget, costs)
    if schedule is None:
        return
    for one in (schedule, overlapped(schedule, budget)):
        assert overlapped_cycles(one, costs) == simulated_cycles(one, costs)


def simulated_cycles(schedule, costs):
    """Return when the last row is done: one process for compute, one for the port, an event for each transfer."""
    env = simpy.Environment()
    asked, done = simpy.Store(env), {}
    moves = dict(zip(TRANSFERS, costs[2:6], strict=True))

    def port():
        while True:
            action, start, stop, event = yield asked.get()
            yield env.timeout(moves[action] * (stop - start))
            event.succeed()

    def compute():
        for action, start, stop in schedule.rows():
            what = "tape" if "TAPE" in Action(action).name or action == Action.REVERSE else "state"
            if action in moves:
                event = env.event()
                for t in range(start, stop):
                    done[what, t] = event
                asked.put((action, start, stop, event))
                continue
            if action in (Action.REVERSE, Action.LOAD_STATE_LOCAL, Action.FREE_STATE_LOCAL, Action.FREE_TAPE_LOCAL):
                for t in range(start, stop):
                    if (what, t) in done:
                        yield done.pop((what, t))
            per_step = {
                Action.FORWARD: costs.forward_cycles,
                Action.FORWARD_TAPE: costs.forward_cycles,
                Action.FORWARD_RESIDUE: costs.forward_cycles,
                Action.REVERSE: costs.backward_cycles,
                Action.BACKTRACK: costs.undo_cycles,
            }.get(action, 0)
            yield env.timeout(per_step * (stop - start))

    env.process(port())
    env.run(until=env.process(compute()))
    return env.now


@settings(max_examples=150)
@given(name=names, case=cases(most_steps=40))
def test_overlapping_never_costs_and_never_beats_the_work(name, case):
    steps, budget, costs = case
    schedule = schedule_of(name, steps, budget, costs)
    if schedule is None:
        return
    apart, in_order = blocking_cycles(schedule, costs), overlapped_cycles(schedule, costs)
    spread = overlapped_cycles(overlapped(schedule, budget), costs)
    assert max(work_cycles(schedule, costs)) <= spread <= in_order <= apart


@pytest.mark.parametrize("save", [5, 40, 80])
def test_dram_checkpoints_are_hidden_if_a_segment_takes_longer_than_they_do(save):
    """One-level: hidden iff t_w <= c t_f forward and t_r <= c (t_f + t_b) backward; then it costs its forwards only."""
    length, segments = 8, 50
    budget, costs = Budget(1, 1, length + 3, 10**6), Costs(5, 10, save, 2 * save, 1, 1)
    policy = POLICIES.load("segment_dram")
    steps = segments * policy.segment_steps(10**6, budget)
    schedule = policy.schedule(steps, budget, costs)
    compute, _ = work_cycles(schedule, costs)
    exposed = overlapped_cycles(overlapped(schedule, budget), costs) - compute
    room = policy.segment_steps(10**6, budget) * costs.forward_cycles
    assert (exposed <= save) if save <= room else (exposed >= (segments - 3) * (save - room))
