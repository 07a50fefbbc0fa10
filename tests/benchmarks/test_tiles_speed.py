"""Host speed of a thousand tiles, on one core: one training step of four layers of 2,942 neurons.

The machine: `ipu_mk2`, 1,472 tiles. The workload: one sample of 50 steps with 700 features and 20 classes, of whose
deltas a tenth fires, independently; forward, backward, weight gradient and update. Weights are in the tiles' SRAM; the
gradients do not fit beside them and are streamed, 47 KB a column, which is what takes the host's time.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
from host_speed import Figures
from programs import recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.counters import Counters
from deltatrain.sim.fidelity import cycle
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape

STEPS = 50


def _measured(cell: str, steps: int = STEPS) -> tuple[float, float, Counters]:
    """Return CPU seconds of lowering and of simulation, and what was counted."""
    machine, shape = (
        Architecture.named("ipu_mk2"),
        Shape(CELL_ARITHMETIC.load(cell), (700, *[2942] * 3), (2942,) * 4, 20),
    )
    step = recorded_step(shape, np.array([steps]), 0.1, 0)
    start = time.process_time()
    program = lower(machine, shape, step, "last")
    lowered = time.process_time()
    counters = cycle.count(program)
    return lowered - start, time.process_time() - lowered, counters


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_thousand_tiles(cell: str, figures: Figures) -> None:
    _measured(cell, 1)  # what is compiled is compiled, or loaded

    def seconds() -> float:
        lowering, simulation, counters = _measured(cell)
        figures.tell("its lowering", lowering, "CPU s")
        assert counters.lanes == 2 * 1472
        assert counters.macs > STEPS * 10**6
        return lowering + simulation

    figures.at_most_references(300, f"a thousand tiles, {cell}", seconds)


if __name__ == "__main__":
    _measured("rnn", 1)
    for name in ("lstm", "gru", "rnn"):
        lowering, simulation, counters = _measured(name)
        sys.stdout.write(
            f"{name}: lowering {lowering:.2f} s, simulation {simulation:.2f} s, {counters.cycles:,} cycles\n"
        )
