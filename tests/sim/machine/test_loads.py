"""Loads in flight: the port may pass two words a cycle, a tile takes one."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.modes import SOON_CYCLES
from deltatrain.accel.program import MODE_NAMES, Ops, Program
from deltatrain.sim.fidelity import cycle


@pytest.mark.parametrize("in_flight", [2, 3])
@pytest.mark.parametrize("loads", [1, 2, 5])
@pytest.mark.parametrize("words", [1, 2, 10])
def test_words_of_loads_on_their_way_are_taken_one_a_cycle(in_flight: int, loads: int, words: int) -> None:
    """From a memory without latency, whose port is twice as wide as a word of 16 values of 2 bytes."""
    machine = Architecture.named("reneta", {"dma.bytes_per_cycle": 64, "dma.in_flight": in_flight})
    table = Ops.blank(loads)
    table["mode"][:] = MODE_NAMES.index("load")
    table["count"][:], table["words"][:] = 32 * words, -(-words // 2)
    table["address"][:] = 32 * words * np.arange(loads)
    program = Program(machine, Ops(**table), (), np.zeros(0, np.int32), {}, {})
    assert cycle.count(program).cycles == loads * words + SOON_CYCLES
