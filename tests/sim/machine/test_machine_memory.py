"""What a run holds beside its program does not grow with the program's length."""

from __future__ import annotations

import tracemalloc

import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.observer import Observers
from deltatrain.accel.program import Program
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.machine.kept_bytes import KeptBytes
from deltatrain.sim.machine.machine import Machine
from deltatrain.sim.machine.starved_lanes import StarvedLanes
from deltatrain.sim.run import synthetic_trace
from deltatrain.workloads.workload import Workload

_OP_BYTES = 32
"""Allowed for each op: when it was done, its row in a unit's order, where it reads, and what laws say of it."""


def _program(home: str, steps: int) -> Program:
    homes = {"local.bytes": 2**30, "placement.weights": home, "placement.gradients": home}
    sizes = {"training.batch": 1, "synthetic.steps": steps, "hidden": [8], "synthetic.inputs": 4}
    machine, trace = Architecture.named("edge", homes), synthetic_trace(Workload.named("synthetic", sizes))
    program = cycle.program(machine, trace, trace.recorded[-1])
    cycle.count(program)  # loads all code, and finds what a program works out once
    return program


def _peak_bytes(program: Program) -> int:
    tracemalloc.start()
    try:
        Machine(program, None, Observers([KeptBytes(), StarvedLanes()])).run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("home", ["local", "remote"])
def test_a_run_holds_little_for_an_op(home: str) -> None:
    short, long = _program(home, 100), _program(home, 600)
    more_bytes, more_ops = _peak_bytes(long) - _peak_bytes(short), len(long.ops) - len(short.ops)
    assert more_bytes < _OP_BYTES * more_ops
