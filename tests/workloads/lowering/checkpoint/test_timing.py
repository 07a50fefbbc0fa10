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
@given(
    name=names,
    case=cases(most_steps=40),
    latency=st.integers(0, 30),
    traffic=st.just((0, 0)) | st.tuples(st.integers(1, 9), st.integers(1, 12)),
)
def test_predicted_times_are_those_of_an_event_simulation(name, case, latency, traffic):
    steps, budget, costs = case
    costs = costs._replace(latency_cycles=latency, forward_port_cycles=traffic[0], backward_port_cycles=traffic[1])
    schedule = schedule_of(name, steps, budget, costs)
    if schedule is None:
        return
    _check_predictions(schedule, budget, costs)


def test_steps_run_backwards_pass_the_port_as_they_did_forward():
    """Undone from residues on a port that is busier than compute; few random budgets ask for that."""
    budget, costs = Budget(1, 6, 30, 0, 1), Costs(3, 5, 1, 1, 1, 1, 7, 4, 2, 3)
    schedule = schedule_of("reversible", 12, budget, costs)
    assert (schedule.action == Action.BACKTRACK).any()
    _check_predictions(schedule, budget, costs)


def _check_predictions(schedule, budget, costs):
    assert blocking_cycles(schedule, costs) == simulated_cycles(schedule, costs, blocking=True)
    for one in (schedule, overlapped(schedule, budget)):
        assert overlapped_cycles(one, costs) == simulated_cycles(one, costs)


def simulated_cycles(schedule, costs, *, blocking=False):
    """Return when the last row is done: one process for compute, one for the port, an event for each transfer.

    The port is free for the next transfer a latency before the last one is done. Where compute waits for every
    transfer, that of each step is one. A step's own traffic passes the port beside it.
    """
    env = simpy.Environment()
    asked, done = simpy.Store(env), {}
    moves = dict(zip(TRANSFERS, costs[2:6], strict=True))
    forward = costs.forward_cycles, costs.forward_port_cycles
    runs = {
        Action.FORWARD: forward,
        Action.FORWARD_TAPE: forward,
        Action.FORWARD_RESIDUE: forward,
        Action.BACKTRACK: (costs.undo_cycles, costs.forward_port_cycles),
        Action.REVERSE: (costs.backward_cycles, costs.backward_port_cycles),
    }

    def port():
        while True:
            cycles, latency, event = yield asked.get()
            yield env.timeout(cycles)
            env.process(arrive(latency, event))

    def arrive(latency, event):
        yield env.timeout(latency)
        event.succeed()

    def passing(cycles, latency):
        event = env.event()
        asked.put((cycles, latency, event))
        return event

    def compute():
        for action, start, stop in schedule.rows():
            what = "tape" if "TAPE" in Action(action).name or action == Action.REVERSE else "state"
            if action in moves:
                for first, end in ((t, t + 1) for t in range(start, stop)) if blocking else [(start, stop)]:
                    event = passing(moves[action] * (end - first), costs.latency_cycles)
                    for t in range(first, end):
                        done[what, t] = event
                    if blocking:
                        yield event
                continue
            if action in (Action.REVERSE, Action.LOAD_STATE_LOCAL, Action.FREE_STATE_LOCAL, Action.FREE_TAPE_LOCAL):
                for t in range(start, stop):
                    if (what, t) in done:
                        yield done.pop((what, t))
            cycles, traffic = (of_step * (stop - start) for of_step in runs.get(action, (0, 0)))
            yield env.all_of([env.timeout(cycles), *([passing(traffic, 0)] if traffic else [])])

    env.process(port())
    env.run(until=env.process(compute()))
    return env.now


@settings(max_examples=150)
@given(name=names, case=cases(most_steps=40), latency=st.integers(0, 30))
def test_overlapping_never_costs_and_never_beats_the_work(name, case, latency):
    steps, budget, costs = case
    costs = costs._replace(latency_cycles=latency)
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
