"""The two programs of every simulation: the recorded training step, and the same step with every delta fired."""

from __future__ import annotations

from accel.architecture import Architecture
from accel.program import Program
from workloads.lowering import lower, lower_dense
from workloads.placement import Shape
from workloads.trace import RecordedStep, Trace


def programs(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> tuple[Program, Program]:
    """Return the program of one of a trace's recorded steps, and that of its dense twin.

    Raises
    ------
    FitError
        If something does not fit the memory it must live in.
    """
    workload = trace.workload
    shape = Shape.of(workload.cell, trace.inputs, workload.hidden, trace.classes)
    return (
        lower(architecture, shape, recorded, workload.readout),
        lower_dense(architecture, shape, recorded.lengths, workload.readout),
    )
