"""The bounds as sums by hand: that no run stays below them is shown in `tests/agreement`."""

from __future__ import annotations

import numpy as np
import pytest
from programs import recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.workloads.lowering.costs.bounds import bus_cycles, least_cycles, port_cycles, recurrence_cycles
from deltatrain.workloads.lowering.lowering import lower
from deltatrain.workloads.lowering.matrix import lower_matrix
from deltatrain.workloads.lowering.shape import Shape


def test_the_way_through_a_recurrence_of_three_steps() -> None:
    """One layer of 4 neurons on 4 lanes, everything fired: each op's issue, and the drain behind it.

    The element-wise unit drains for 24 cycles, the encoder for 9, the lanes for 10 and two levels of their tree.
    """
    shape = Shape(CELL_ARITHMETIC.load("rnn"), (2,), (4,), 2)
    program = lower(Architecture.named("tiny"), shape, recorded_step(shape, np.array([3]), 2.0, 1), "last")
    gates = 3 * (1 + 24) + 3 * (1 + 24)  # forward and backward, a neuron in each lane
    recurrent = 2 * (4 + 9) + 2 * (4 + 12) + 2 * (4 + 12)  # list of 4, its product, the product backward
    readout = (5 + 12) + (2 * 15 + 24) + (4 + 12)  # bias included; two classes of 15 cycles; without the bias
    update = 3 + 4 + 5  # columns of W_x and of W_readout with their biases, of W_h without
    assert recurrence_cycles(program) == gates + recurrent + readout + update
    assert least_cycles(program) == recurrence_cycles(program)


@pytest.mark.parametrize(("mode", "home", "word_bytes"), [("matvec", "weights", 8), ("outer", "gradients", 16)])
@pytest.mark.parametrize("width", [3, 8, 32])
def test_columns_pass_the_port_one_width_a_cycle(mode: str, home: str, word_bytes: int, width: int) -> None:
    """10 rows on 4 lanes are 3 words a column; what is written back passes beside what is read."""
    machine = Architecture.named("tiny", {f"placement.{home}": "remote", "dma.bytes_per_cycle": width})
    fired = np.random.default_rng(1).random((5, 7)) < 0.5
    moved = int(fired.sum()) * 3 * word_bytes
    program = lower_matrix(machine, mode, fired, 10)
    assert port_cycles(program) == len(range(0, moved, width))
    assert least_cycles(program) >= port_cycles(program)


def test_the_data_bus_moves_what_no_queue_may_keep_from_it() -> None:
    """DDR3-1600 on 16 bits moves 3.2 GB a second, 32 bytes in a cycle of 10 ns; what is only read passes all of it."""
    machine = Architecture.named("tiny", {"placement.weights": "remote", "dma.bytes_per_cycle": 64})
    program = lower_matrix(machine, "matvec", np.ones((5, 7), dtype=np.bool_), 10)
    assert bus_cycles(program) == 5 * 7 * 3 * 8 // 32
    ideal = Architecture.named("tiny", {"placement.weights": "remote", "remote.device": "zero_latency"})
    assert bus_cycles(lower_matrix(ideal, "matvec", np.ones((5, 7), dtype=np.bool_), 10)) == 0
