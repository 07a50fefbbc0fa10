"""Steps run backwards on several tiles: their lists pass between the tiles once more."""

from __future__ import annotations

import numpy as np
import pytest
from checkpoint_programs import checkpointed
from naive_machine import NaiveMachine
from programs import recorded_step

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.cells import CELL_ARITHMETIC
from deltatrain.accel.program import MODE_NAMES, NO_OP, PHASES, STREAMS, Program
from deltatrain.sim.fidelity import analytic, cycle
from deltatrain.workloads.lowering.checkpoint.schedule import Costs
from deltatrain.workloads.lowering.shape import Shape

AGAIN = PHASES.index("RF")


def program_on(tiles: int) -> Program:
    wires = {"tiles.count": tiles, "tiles.exchange_bytes_per_cycle": 4, "tiles.exchange_latency_cycles": 4}
    room = {"checkpoint.local_bytes": 2_000, "checkpoint.policy": "reversible"}
    shape = Shape(CELL_ARITHMETIC.load("gru"), (9, 14), (14, 12), 3)
    step, machine = recorded_step(shape, np.array([9, 4]), 0.5, 1), Architecture.named("tiny", wires | room)
    return checkpointed(machine, shape, step, "last", "reversible", Costs(5, 9, 1, 1, 1, 1, 0, 0, 5)).program


def undoing(program: Program) -> list[int]:
    """Return the products that are taken out of M: they wait for the cells that are computed from it."""
    ops = program.ops
    products = np.flatnonzero((ops.phase == AGAIN) & (ops.mode == MODE_NAMES.index("matvec")))
    cells = MODE_NAMES.index("cell_forward")
    return [op for op in products.tolist() if ops.depends[op, 0] != NO_OP and ops.mode[ops.depends[op, 0]] == cells]


@pytest.mark.parametrize("tiles", [1, 2, 3])
def test_each_list_is_sent_to_all_tiles_before_the_step_is_undone(tiles: int) -> None:
    program = program_on(tiles)
    ops, undone = program.ops, undoing(program)
    sent = (ops.phase == AGAIN) & (ops.mode == MODE_NAMES.index("broadcast"))
    assert undone and sent.any() == (tiles > 1)
    for op in undone:
        waited = [d for d in ops.depends[op].tolist() if d != NO_OP and sent[d]]
        listed = bool(ops.step[op] > 0 or STREAMS[ops.stream[op]] == "x")
        assert len(waited) == (tiles > 1 and listed)
        for d in waited:
            assert all(getattr(ops, of)[d] == getattr(ops, of)[op] for of in ("layer", "stream", "step", "sample"))
            assert ops.list_from[op] == d and ops.count[op] - ops.count[d] in (0, 1)  # the bias is in no list


@pytest.mark.parametrize("tiles", [2, 5])
def test_cycles_are_those_of_the_naive_machine(tiles: int) -> None:
    program = program_on(tiles)
    assert undoing(program)
    assert NaiveMachine(program).run() == cycle.count(program).cycles >= analytic.count(program).cycles
