"""The pace of a step, read off a walk through the ops, beside what the simulator takes for more steps."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.program import MODE_NAMES, Program
from deltatrain.sim.checkpoint_runs import lengthened
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.run import synthetic_trace
from deltatrain.workloads.lowering.costs.pace import Pace, latency_cycles, pace
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.step_programs import program_of
from deltatrain.workloads.workload import Workload


def _program(cell: str, machine: str, steps: int, changes: dict[str, int] | None = None) -> Program:
    statistics = {"inputs": 30, "classes": 5, "steps": 20, "occupancy_x": 0.2, "occupancy_h": 0.1}
    what = Workload.named("manycore", {"cell": cell, "hidden": [40, 60], "synthetic": statistics})
    trace = synthetic_trace(what)
    shape = Shape.of(what.cell, trace.inputs, what.hidden, trace.classes)
    homes = {"placement.weights": "local", "placement.gradients": "local", "placement.tape": "local"}
    architecture = Architecture.named(machine, {**homes, "local.bytes": 2**22, **(changes or {})})
    return program_of(architecture, shape, lengthened(trace.recorded[-1], steps), what.readout)


def _pace(program: Program) -> Pace:
    return pace(program, np.zeros(len(program.ops), dtype=np.bool_))


@pytest.mark.parametrize("cell", ["lif", "lif_recurrent", "delta_rnn", "delta_gru", "delta_lstm"])
@pytest.mark.parametrize("machine", ["ipu_mk2", "midsize", "edge"])
def test_it_is_what_more_steps_take(cell: str, machine: str) -> None:
    """Recorded steps repeat, so that both halves fire alike; measured 0.98 to 1.01."""
    shorter, longer = (_program(cell, machine, steps) for steps in (58, 115))  # 1 and 3, 6 times 19 others
    more = cycle.count(longer).cycles - cycle.count(shorter).cycles
    assert sum(_pace(longer)) * 57 == pytest.approx(more, rel=0.05)


def test_one_step_has_a_pace() -> None:
    assert min(_pace(_program("lif", "ipu_mk2", 1))) > 0


def test_moves_in_flight_hide_the_latency_of_a_far_memory() -> None:
    alone, many = (_program("lif", "ipu_mk2", 77, {"dma.in_flight": number}) for number in (1, 32))
    assert _pace(alone).forward_cycles > 1000 > 10 * _pace(many).forward_cycles
    assert cycle.count(alone).cycles > 5 * cycle.count(many).cycles


@pytest.mark.parametrize(("device", "there"), [("ddr3_1600", 0), ("streaming_memory", 16), ("zero_latency", 0)])
def test_a_request_is_on_its_way_before_the_memory_answers(device: str, there: int) -> None:
    """A microsecond takes 15.625 cycles of 64 ns; what DRAM takes depends on its rows and is left out."""
    changes = {"cache.bytes": 0, "remote.device": device, "engine.clock_hz": 15_625_000, "dma.request_cycles": 5}
    machine = Architecture.named("edge", changes)
    assert latency_cycles(lower_matrix(machine, "matvec", np.ones((1, 4), dtype=np.bool_), 4)) == 5 + there


def test_moves_in_flight_pass_the_port_one_after_the_other() -> None:
    """However many are on their way, the tapes of later steps take their cycles of a narrow port."""
    changes = {"placement.tape": "remote", "dma.in_flight": 8, "dma.bytes_per_cycle": 1, "tiles.count": 4}
    program = _program("delta_lstm", "ipu_mk2", 60, changes)
    ops = program.ops
    stores = (ops.mode == MODE_NAMES.index("store")) & (ops.step >= 30)
    beats = int(ops.count[stores].sum()) / 30
    assert _pace(program).forward_cycles >= 0.95 * beats > 100
