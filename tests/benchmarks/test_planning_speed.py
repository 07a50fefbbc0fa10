"""Host speed of plans and of the policy `optimal` for sequences of up to a million steps."""

from __future__ import annotations

import pytest
from host_speed import Figures

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.run import synthetic_trace
from deltatrain.sim.speed.reference import cpu_seconds
from deltatrain.workloads.lowering.checkpoint.policies import optimal
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, Costs
from deltatrain.workloads.lowering.planning import plan
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.workload import Workload


@pytest.mark.parametrize("steps", [100_000, 1_000_000])
def test_a_plan(steps: int, figures: Figures) -> None:
    workload, machine = Workload.named("synthetic"), Architecture.named("edge").without_cache()
    trace = synthetic_trace(workload)
    shape = Shape.of(workload.cell, trace.inputs, workload.hidden, trace.classes)

    def once() -> None:
        optimal.schedule.cache_clear()
        plan(machine, shape, trace.recorded[-1], workload.readout, steps)

    figures.at_most_references(50, f"a plan for T = {steps:,}", lambda: cpu_seconds(once, 1))


@pytest.mark.parametrize("moving", [1, 3])
@pytest.mark.parametrize("tapes", [20, 100])
def test_an_optimal_schedule_of_a_hundred_thousand_steps(tapes: int, moving: int, figures: Figures) -> None:
    budget = Budget(1500, 1000, tapes * 1000, 10**9)
    costs = Costs(1000, 2000, 1500 * moving, 1500 * moving, 1000 * moving, 1000 * moving)

    def once() -> None:
        optimal.schedule.cache_clear()
        optimal.schedule(100_000, budget, costs)

    figures.at_most_references(100, f"a schedule, {tapes} tapes, moving {moving}", lambda: cpu_seconds(once, 1))
