"""The two programs of every simulation: a recorded training step, and the same step with every column listed."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.program import Program
from deltatrain.workloads.datasets import DATASETS
from deltatrain.workloads.lowering.checkpoint.policies import POLICIES, blocking_schedule_of
from deltatrain.workloads.lowering.checkpoint.schedule import Budget, CheckpointSchedule
from deltatrain.workloads.lowering.checkpoint.timing import overlapped
from deltatrain.workloads.lowering.costs.step_costs import keeping_all, step_costs
from deltatrain.workloads.lowering.lowering import lower, lower_dense
from deltatrain.workloads.lowering.placement import Shape
from deltatrain.workloads.lowering.sparse_columns import compressed
from deltatrain.workloads.tables import BPTT
from deltatrain.workloads.trace import RecordedStep, Trace
from deltatrain.workloads.workload import SYNTHETIC, Workload

_COSTED_STEPS = 64
"""What a step costs is found from so many first steps of the samples."""


def check_lowered(workload: Workload) -> None:
    """Refuse a workload that trains what the machine cannot run.

    Raises
    ------
    ConfigError
        If its tape holds codes.
    """
    if workload.few_bit is not None:
        raise ConfigError(
            "few_bit must be left out for a machine, whose tape holds values: only `train` and the studies take codes"
        )


def check_dense(workload: Workload, what: str) -> None:
    """Refuse a workload with sparse weights where `what` knows whole columns only, by a `ConfigError`."""
    if workload.sparsity.density < 1:
        raise ConfigError(f"sparsity.rule must be 'dense' for {what}, not {workload.sparsity.rule!r}")


def check_machine(architecture: Architecture, workload: Workload) -> None:
    """Refuse a workload that this machine cannot run, by a `ConfigError`."""
    check_lowered(workload)
    if architecture.tiles.count > 1:
        check_dense(workload, "a machine of several tiles")
    if architecture.local.ports == 1:
        check_dense(workload, "a local memory of one port")


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
    check_machine(architecture, trace.workload)
    program = program_of(architecture, shape_of(trace), recorded, trace.workload.readout)
    return compressed(program, shape_of(trace), recorded.weights) if recorded.weights else program


def program_of(architecture: Architecture, shape: Shape, recorded: RecordedStep, readout: str) -> Program:
    """Return the same of a network's shape and what fired, all weights being there."""
    policy = _policy_that_runs_again(architecture)
    if policy is None:
        return lower(architecture, shape, recorded, readout)
    costed = lower(keeping_all(architecture), shape, _first_steps(recorded), readout)
    schedules = PolicySchedules(policy, costed, overlap=architecture.checkpoint.overlap)
    return lower(architecture, shape, recorded, readout, schedules.of)


def dense_program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the program of the same step with every column worked through; errors as for `recorded_program`."""
    shape, readout, lengths = shape_of(trace), trace.workload.readout, recorded.lengths
    policy = _policy_that_runs_again(architecture)
    if policy is None:
        return lower_dense(architecture, shape, lengths, readout)
    costed = lower_dense(keeping_all(architecture), shape, np.minimum(lengths, _COSTED_STEPS), readout)
    schedules = PolicySchedules(policy, costed, overlap=architecture.checkpoint.overlap)
    return lower_dense(architecture, shape, lengths, readout, schedules.of)


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


@dataclass(frozen=True)
class PolicySchedules:
    """The checkpoint schedules that a policy makes for the samples of a training step.

    Attributes
    ----------
    policy
        A member of ``workloads/lowering/checkpoint/policies``.
    costed
        A program of the first steps on the same machine, which keeps every tape: what a step costs is found from it,
        because no closed law tells how long ops wait for each other (`workloads.lowering.costs.pace`).
    overlap
        Whether transfers run beside other work.
    """

    policy: ModuleType
    costed: Program
    overlap: bool

    def of(self, steps: int, budget: Budget) -> CheckpointSchedule:
        """Return the schedule of a sample of so many steps with so much room."""
        costs = step_costs(self.costed, budget)
        if not self.overlap:
            return blocking_schedule_of(self.policy)(steps, budget, costs)
        return overlapped(self.policy.schedule(steps, budget, costs), budget)


def _policy_that_runs_again(architecture: Architecture) -> ModuleType | None:
    """Return the machine's checkpoint policy if it may run steps again; a `ConfigError` if there is no such policy."""
    name = architecture.checkpoint.policy
    if name is None or not architecture.checkpoint.runs_again:
        return None
    return POLICIES.load(name)


def _first_steps(recorded: RecordedStep) -> RecordedStep:
    lengths = np.minimum(recorded.lengths, _COSTED_STEPS)
    streams = (recorded.fired_x, recorded.fired_h, recorded.asked_x, recorded.asked_h)
    first = (tuple(mask[:_COSTED_STEPS] for mask in masks) for masks in streams)
    return RecordedStep(recorded.epoch, recorded.update, lengths, *first)
