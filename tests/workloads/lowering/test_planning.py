"""`deltatrain plan`: what it predicts agrees with the policies, the analytic fidelity and its own limits."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.accel.program import MODE_NAMES, PHASES
from deltatrain.sim.fidelity import analytic
from deltatrain.sim.run import synthetic_trace
from deltatrain.workloads.lowering import planning
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.sizes import budget
from deltatrain.workloads.lowering.checkpoint.timing import overlapped, overlapped_cycles
from deltatrain.workloads.lowering.costs.bounds import bus_cycles, port_cycles
from deltatrain.workloads.lowering.costs.step_costs import only, step_costs
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.planning import MOST_STEPS, plan
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.workload import Workload


def case(machine="edge", workload="tiny", **changes):
    """Return machine, shape and a recorded step."""
    what = Workload.named(workload)
    trace = synthetic_trace(what)
    shape = Shape.of(what.cell, trace.inputs, what.hidden, trace.classes)
    return Architecture.named(machine, changes).without_cache(), shape, trace.recorded[-1], what.readout


@pytest.mark.parametrize("steps", [1, 25, 9_000])
def test_a_plan_is_what_the_policies_say(steps):
    machine, shape, step, readout = case(**{"local.bytes": 20_000})
    found = plan(machine, shape, step, readout, steps)
    assert [one.policy for one in found.policies] == sorted(POLICIES.names())
    fitting = [one for one in found.policies if one.demand]
    for one in fitting:
        assert found.unlimited_cycles <= one.overlapped_cycles <= one.blocking_cycles
        assert one.demand.forward_steps >= steps
        assert one.demand.local_bytes <= found.budget.local_bytes
        if steps <= 4000:
            schedule = POLICIES.load(one.policy).schedule(steps, found.budget, found.costs)
            assert overlapped_cycles(overlapped(schedule, found.budget), found.costs) == one.overlapped_cycles
    assert found.recommended.overlapped_cycles == min(one.overlapped_cycles for one in fitting)


@pytest.mark.parametrize("policy", ["tape_to_dram", "segment_dram", "double", "reversible"])
def test_a_time_that_is_extended_to_a_long_sequence_is_near_that_of_its_schedule(policy):
    machine, shape, step, readout = case(**{"local.bytes": 20_000})
    found = plan(machine, shape, step, readout, 9_000)
    (one,) = (one for one in found.policies if one.policy == policy)
    schedule = POLICIES.load(policy).schedule(9_000, found.budget, found.costs)
    cycles = overlapped_cycles(overlapped(schedule, found.budget), found.costs)
    assert one.overlapped_cycles == pytest.approx(cycles, rel=0.01)
    assert one.demand.forward_steps == schedule.forward_steps


def test_the_longest_sequence_fits_and_one_step_more_does_not():
    machine, shape, step, readout = case(**{"local.bytes": 20_000, "remote.bytes": 2_000_000})
    found = plan(machine, shape, step, readout, 10)
    ended = [one for one in found.policies if 0 < one.longest < MOST_STEPS and one.policy != "optimal"]
    assert {"store_all", "segment", "tape_to_dram"} <= {one.policy for one in ended}
    for one in ended:
        demand = POLICIES.load(one.policy).demand
        demand(one.longest, found.budget, found.costs)
        with pytest.raises(FitError):
            demand(one.longest + 1, found.budget, found.costs)


@pytest.mark.parametrize("machine", ["edge", "reneta", "tiny"])
def test_a_step_costs_what_the_analytic_fidelity_says(machine):
    """The sum of both ways is at least the whole, in which they overlap, and at most the sum of all units' work."""
    machine, shape, step, readout = case(machine)
    occupancy = planning.occupancy_of(step, machine)
    program, steps = lower(machine, shape, step, readout), int(step.lengths.sum())
    costs = step_costs(program, budget(machine, shape, occupancy))
    update = analytic.count(only(program, program.ops.phase == PHASES.index("WU"))).cycles
    both = (costs.forward_cycles + costs.backward_cycles) * steps
    assert both >= analytic.count(program).cycles - update
    assert both <= int((program.issue_cycles + program.drain_cycles).sum()) + 2 * steps + _traffic(program)
    assert 0 < costs.undo_cycles <= costs.forward_cycles
    assert "matvec" in MODE_NAMES


def _traffic(program):
    return port_cycles(program) + bus_cycles(program)


def test_occupancy_is_that_of_the_masks():
    machine, shape, step, _ = case()
    occupancy = planning.occupancy_of(step, machine)
    running = np.arange(step.fired_x[0].shape[0])[:, None] < step.lengths
    for share, mask in zip(occupancy.x, step.fired_x, strict=True):
        assert share == pytest.approx(mask[running].mean())
    for share, mask in zip(occupancy.h, step.fired_h, strict=True):
        assert share == pytest.approx(mask[1:][running[1:]].mean())
    assert len(occupancy.x) == len(shape.hidden)
