"""What moving states and tapes costs, and undoing a step, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from programs import recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.program import MODE_NAMES, PHASES, STREAMS
from deltatrain.workloads.lowering.checkpoint.schedule import Budget
from deltatrain.workloads.lowering.costs.step_costs import step_costs
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.shape import Shape


@pytest.mark.parametrize(
    ("in_flight", "width", "state", "tape", "latency"),
    [
        (1, 8, 10 + 2 * 3, 20 + 2 * 3, 0),  # alone, each waits for its two layers' requests
        (4, 8, 10, 20, 2 * 3),  # others pass meanwhile, and it is there a latency later
        (8, 80, 3, 5, 2 * 3),  # the bus, 32 bytes a cycle, is slower than a wide port
    ],
)
def test_a_move_takes_the_port_or_the_bus_and_waits_where_it_is_alone(
    in_flight: int, width: int, state: int, tape: int, latency: int
) -> None:
    """States of 80 bytes and tapes of 160; a request takes 3 cycles."""
    changes = {"dma.in_flight": in_flight, "dma.bytes_per_cycle": width, "dma.request_cycles": 3}
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (4, 5), (5, 6), 3)
    step = recorded_step(shape, np.array([6]), 0.5, 1)
    costs = step_costs(lower(Architecture.named("tiny", changes), shape, step, "last"), Budget(80, 160, 10**4, 10**4))
    assert (costs.save_state_cycles, costs.load_state_cycles) == (state, state)
    assert (costs.save_tape_cycles, costs.load_tape_cycles) == (tape, tape)
    assert costs.latency_cycles == latency


def test_undoing_a_step_takes_its_products_and_its_gates() -> None:
    shape = Shape(CELL_ARITHMETIC.load("lstm"), (12,), (16,), 3)
    program = lower(Architecture.named("tiny"), shape, recorded_step(shape, np.array([6]), 0.5, 1), "last")
    ops = program.ops
    products = (ops.mode == MODE_NAMES.index("matvec")) & (ops.phase == PHASES.index("FP"))
    products &= ops.stream != STREAMS.index("readout")
    gates = ops.mode == MODE_NAMES.index("cell_forward")
    undo = step_costs(program, Budget(80, 160, 10**4, 10**4)).undo_cycles
    lanes, elementwise = (int(program.issue_cycles[chosen].sum()) for chosen in (products, gates))
    assert lanes > 2 * elementwise
    assert lanes <= 6 * undo <= int(1.1 * (lanes + elementwise))
