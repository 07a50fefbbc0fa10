"""The two programs of every simulation: the recorded training step, and the same step with every delta fired."""

from __future__ import annotations

from accel.architecture import Architecture
from accel.errors import ConfigError
from accel.program import Program
from workloads.datasets import DATASETS
from workloads.lowering import lower, lower_dense
from workloads.placement import Shape
from workloads.trace import RecordedStep, Trace
from workloads.workload import BPTT, SYNTHETIC


def recorded_program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the program of one of a trace's recorded steps.

    Raises
    ------
    FitError
        If something does not fit the memory it must live in.
    ConfigError
        If no program does what was trained.
    """
    return lower(architecture, _shape(trace), recorded, trace.workload.readout)


def dense_program(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> Program:
    """Return the program of the same step with every column worked through; errors as for `recorded_program`."""
    return lower_dense(architecture, _shape(trace), recorded.lengths, trace.workload.readout)


def programs(architecture: Architecture, trace: Trace, recorded: RecordedStep) -> tuple[Program, Program]:
    """Return both."""
    return recorded_program(architecture, trace, recorded), dense_program(architecture, trace, recorded)


def _shape(trace: Trace) -> Shape:
    """Return the sizes; a `ConfigError` where no program does what was trained."""
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
