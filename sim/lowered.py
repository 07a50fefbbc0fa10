"""The two programs of every simulation: the recorded training step, and the same step with every delta fired."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from accel.architecture import Architecture
from accel.errors import ConfigError
from accel.program import Program
from sim.step_costs import keeping_all, step_costs
from workloads.checkpoint.policies import POLICIES
from workloads.checkpoint.schedule import Budget, Schedule
from workloads.checkpoint.timing import overlapped
from workloads.datasets import DATASETS
from workloads.keeping import Checkpointing
from workloads.lowering import lower, lower_dense
from workloads.placement import Shape
from workloads.trace import RecordedStep, Trace
from workloads.workload import BPTT, SYNTHETIC

_COSTED_STEPS = 64
"""What a step costs is found from the first steps of the samples."""


def recorded_program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the program of one of a trace's recorded steps, checkpointed as the machine says.

    Raises
    ------
    ConfigError
        If there is no such checkpoint policy, or no program does what was trained.
    FitError
        If something does not fit the memory it must live in.
    """
    return program_of(architecture, shape_of(trace), recorded, trace.workload.readout)


def program_of(architecture: Architecture, shape: Shape, recorded: RecordedStep, readout: str) -> Program:
    """Return the same of a network's shape and what fired."""

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
    workload = trace.workload
    shape = Shape.of(workload.cell, trace.inputs, workload.hidden, trace.classes)
    if workload.training.rule != BPTT:
        raise ConfigError(
            f"training.rule {workload.training.rule!r} has no program yet: to simulate, train with {BPTT!r}"
        )
    if not shape.encoder.HELD and workload.dataset != SYNTHETIC and not _spikes(workload.dataset):
        raise ConfigError(
            f"cell {workload.cell!r} lists spikes by their index alone, and data set {workload.dataset!r} has other "
            "values: to simulate, take a data set of spikes"
        )
    return shape


def _spikes(dataset: str) -> bool:
    return bool(getattr(DATASETS.load(dataset), "SPIKES", False))


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
        schedule: Schedule = policy.schedule(steps, budget, step_costs(costed, budget))
        return overlapped(schedule, budget) if wanted.overlap else schedule

    return schedule_of


def _first_steps(recorded: RecordedStep) -> RecordedStep:
    lengths = np.minimum(recorded.lengths, _COSTED_STEPS)
    streams = (recorded.fired_x, recorded.fired_h, recorded.asked_x, recorded.asked_h)
    first = (tuple(mask[:_COSTED_STEPS] for mask in masks) for masks in streams)
    return RecordedStep(recorded.epoch, recorded.update, lengths, *first)
