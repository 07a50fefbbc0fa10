"""The two programs of every simulation: the recorded training step, and the same step with every delta fired."""

from __future__ import annotations

from accel.architecture import Architecture
from accel.errors import ConfigError
from accel.program import Program
from workloads.lowering import lower, lower_dense
from workloads.placement import Shape
from workloads.sparse_columns import compressed
from workloads.trace import RecordedStep, Trace
from workloads.workload import Workload


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


def recorded_program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the program of one of a trace's recorded steps, on compressed columns if its weights are sparse.

    Raises
    ------
    ConfigError
        If the machine cannot run such a workload.
    FitError
        If something does not fit the memory it must live in.
    """
    check_lowered(trace.workload)
    program = lower(architecture, _shape(trace), recorded, trace.workload.readout)
    return compressed(program, _shape(trace), recorded.weights) if recorded.weights else program


def dense_program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the program of the same step with every column worked through; errors as for `recorded_program`."""
    return lower_dense(architecture, _shape(trace), recorded.lengths, trace.workload.readout)


def programs(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> tuple[Program, Program]:
    """Return both."""
    return recorded_program(architecture, trace, recorded), dense_program(architecture, trace, recorded)


def _shape(trace: Trace) -> Shape:
    return Shape.of(trace.workload.cell, trace.inputs, trace.workload.hidden, trace.classes)
