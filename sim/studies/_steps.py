"""The last recorded step of a training, as a program of a machine."""

from __future__ import annotations

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.program import Program
from deltatrain.workloads.lowering.sparse_columns import compressed
from deltatrain.workloads.lowering.step_programs import dense_program, recorded_program, shape_of
from deltatrain.workloads.trace import Trace


def last_program(machine: Architecture, trace: Trace) -> Program:
    """Return the program of the trace's last step; a network without deltas has no lists, and may be sparse."""
    recorded, training = trace.recorded[-1], trace.workload.training
    if training.dense_epochs < training.epochs:
        return recorded_program(machine, trace, recorded)
    program = dense_program(machine, trace, recorded)
    return compressed(program, shape_of(trace), recorded.weights) if recorded.weights else program
