"""The two programs of every simulation: the recorded training step, and the same step with every delta fired."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import refuse
from deltatrain.accel.program import Program
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, Schedule
from deltatrain.workloads.lowering.checkpoint.timing import overlapped
from deltatrain.workloads.lowering.costs.step_costs import keeping_all, step_costs
from deltatrain.workloads.lowering.keeping import Checkpointing
from deltatrain.workloads.lowering.limits import limits, workload_limits
from deltatrain.workloads.lowering.lowering import lower, lower_dense
from deltatrain.workloads.lowering.placement import Shape
from deltatrain.workloads.lowering.sparse_columns import compressed
from deltatrain.workloads.trace import RecordedStep, Trace

_COSTED_STEPS = 64
"""What a step costs is found from the first steps of the samples."""


def recorded_program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the program of one of a trace's recorded steps, checkpointed as the machine says.

    Sparse weights are in compressed columns.

    Raises
    ------
    ConfigError
        If there is no such checkpoint policy, or no program does what was trained on this machine.
    FitError
        If something does not fit the memory it must live in.
    """
    refuse(limits(architecture, trace.workload))
    program = program_of(architecture, shape_of(trace), recorded, trace.workload.readout)
    return compressed(program, shape_of(trace), recorded.weights) if recorded.weights else program


def program_of(architecture: Architecture, shape: Shape, recorded: RecordedStep, readout: str) -> Program:
    """Return the same of a network's shape and what fired, all weights being there."""

    def plain(machine: Architecture) -> Program:
        return lower(machine, shape, _first_steps(recorded), readout)

    return lower(architecture, shape, recorded, readout, checkpointing(architecture, plain))


def dense_program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the program of the same step with every column worked through; errors as for `recorded_program`."""
    shape, readout = shape_of(trace), trace.workload.readout

    def plain(machine: Architecture) -> Program:
        return lower_dense(machine, shape, np.minimum(recorded.lengths, _COSTED_STEPS), readout)

    return lower_dense(architecture, shape, recorded.lengths, readout, checkpointing(architecture, plain))


def programs(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> tuple[Program, Program]:
    """Return both."""
    return recorded_program(architecture, trace, recorded), dense_program(architecture, trace, recorded)


def shape_of(trace: Trace) -> Shape:
    """Return the sizes of a trace's network; a `ConfigError` where no program does what was trained."""
    refuse(workload_limits(trace.workload))
    return Shape.of(trace.workload.cell, trace.inputs, trace.workload.hidden, trace.classes)


def checkpointing(architecture: Architecture, plain: Callable[[Architecture], Program]) -> Checkpointing | None:
    """Return how the machine's policy makes schedules; None if it runs nothing again.

    Parameters
    ----------
    architecture
        The machine.
    plain
        The program, of some steps, of a machine that runs nothing again; only asked for if it is needed.

    Raises
    ------
    ConfigError
        If there is no such policy.
    """
    wanted = architecture.checkpoint
    if wanted.policy is None:
        return None
    policy = POLICIES.load(wanted.policy)
    if not wanted.runs_again:
        return None
    costed = plain(keeping_all(architecture))

    def schedule_of(steps: int, budget: Budget) -> Schedule:
        costs = step_costs(costed, budget)
        if not wanted.overlap:
            return policy.blocking_schedule(steps, budget, costs)
        return overlapped(policy.schedule(steps, budget, costs), budget)

    return schedule_of


def _first_steps(recorded: RecordedStep) -> RecordedStep:
    lengths = np.minimum(recorded.lengths, _COSTED_STEPS)
    streams = (recorded.fired_x, recorded.fired_h, recorded.asked_x, recorded.asked_h)
    first = (tuple(mask[:_COSTED_STEPS] for mask in masks) for masks in streams)
    return RecordedStep(recorded.epoch, recorded.update, lengths, *first)
