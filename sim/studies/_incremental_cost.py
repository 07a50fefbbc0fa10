"""What a task of incremental learning costs a machine: its training steps, and the passes forward around them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.whole_training import Cost, chosen_steps, cost_of, of_steps
from deltatrain.workloads.incremental.learning import Learnt
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.training.operations import MatrixMacs, matrix_macs


class TaskCost(NamedTuple):
    """What a task does and costs.

    Attributes
    ----------
    macs
        Multiply-accumulates of the matrix products of its training; with every column used too.
    cost
        Of the training and of the passes forward.
    """

    macs: MatrixMacs
    cost: Cost


def task_cost(machine: Architecture, learnt: Learnt, steps: int) -> TaskCost:
    """Return what the task before `learnt` costs, from so many of its recorded steps.

    The steps are those of `sim.whole_training`, simulated cycle by cycle; a dense network runs without lists. A pass
    forward costs what its share of the last recorded mini-batch does.
    """
    trace = learnt.trace
    simulated = chosen_steps(trace, steps)
    training = of_steps(trace, simulated, [_simulated(machine, trace, step) for step in simulated])
    *_, last, _ = simulated
    forward = replace(trace, workload=trace.workload.with_changes(phases=["FP"]))
    a_step = np.array(_simulated(machine, forward, last)) / int(last.lengths.sum())
    macs = [matrix_macs(counts, trace.sizes, trace.workload.readout) for counts in trace.epochs]
    whole = np.array(training.total) + learnt.passed_steps * a_step
    return TaskCost(sum(macs[1:], macs[0]), Cost(*whole.tolist()))


def _simulated(machine: Architecture, trace: Trace, step: RecordedStep) -> Cost:
    """Return what a recorded step costs, in a dense epoch without lists."""
    program_of = cycle.dense_program if trace.epochs[step.epoch].dense else cycle.program
    return cost_of(cycle.count(program_of(machine, trace, step)), machine)
