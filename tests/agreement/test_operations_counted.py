"""The trainer's matrix operations are a machine's: a machine adds its bias columns, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from programs import recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.sim.run import simulate
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.network.network import Sizes
from deltatrain.workloads.trace import EpochCounts, RecordedStep, Trace
from deltatrain.workloads.training.operations import matrix_macs
from deltatrain.workloads.workload import Workload

LENGTHS, HIDDEN, INPUTS, CLASSES = np.array([5, 2, 7]), (6, 5), 4, 3


def _counts(step: RecordedStep) -> EpochCounts:
    steps = int(LENGTHS.sum())
    streams = (step.fired_x, step.fired_h, step.asked_x, step.asked_h)
    fired_x, fired_h, asked_x, asked_h = (tuple(int(mask.sum()) for mask in masks) for masks in streams)
    could_x = tuple(steps * width for width in (INPUTS, *HIDDEN[:-1]))
    could_h = tuple((steps - len(LENGTHS)) * width for width in HIDDEN)
    return EpochCounts(0, False, 1.0, 0.5, fired_x, fired_h, could_x, could_h, asked_x, asked_h)


@pytest.mark.parametrize("readout", ["last", "every"])
@pytest.mark.parametrize("cell", CELLS.names())
@pytest.mark.parametrize("occupancy", [0.0, 0.4, 1.0])
def test_a_machine_does_what_the_trainer_counts_and_its_bias_columns(cell: str, readout: str, occupancy: float) -> None:
    module = CELLS.load(cell)
    arithmetic = CELL_ARITHMETIC.load(module.ARITHMETIC)
    statistics = {"synthetic.inputs": INPUTS, "synthetic.classes": CLASSES}
    workload = Workload.named(
        "tiny",
        {"cell": cell, "hidden": list(HIDDEN), "readout": readout, **statistics}
        | ({"theta_x": 0, "theta_h": 0} if not module.STREAMS.HELD else {}),
    )
    step = recorded_step(Shape(arithmetic, (INPUTS, *HIDDEN[:-1]), HIDDEN, CLASSES), LENGTHS, occupancy, 3)
    trace = Trace(workload, INPUTS, CLASSES, (step,), ())
    machine = simulate(Architecture.named("tiny"), trace, fidelity="analytic")
    trainer = matrix_macs(_counts(step), Sizes(module, INPUTS, HIDDEN, CLASSES), readout)

    bias_rows = (arithmetic.BIAS_X * len(module.TARGETS_X) + arithmetic.BIAS_H * len(module.TARGETS_H)) * sum(HIDDEN)
    readouts = len(LENGTHS) if readout == "last" else int(LENGTHS.sum())
    times = len(LENGTHS) if arithmetic.KEPT else int(LENGTHS.sum())  # at the first step, or where M is not kept at each
    biases = times * bias_rows + readouts * CLASSES
    assert biases > 0
    for counters, counted in (
        (machine.counters, (trainer.fp + biases, trainer.bp, trainer.wg + biases)),
        (machine.dense, (trainer.dense_fp + biases, trainer.dense_bp, trainer.dense_wg + biases)),
    ):
        assert tuple(counters.phases[phase].macs for phase in ("FP", "BP", "WG")) == counted
