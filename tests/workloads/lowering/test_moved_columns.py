"""Moves of sparse weights: every byte once, cycles as stepped one by one, and what a result says of them."""

from __future__ import annotations

from io import StringIO
from typing import Any

import numpy as np
import pytest
from naive_machine import NaiveMachine
from rich.console import Console
from trained_traces import small_trace

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.accel.program import Program
from deltatrain.sim.cli.summary import summary
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.gates.random_step import random_step
from deltatrain.sim.programs import recorded_program
from deltatrain.sim.run import simulate
from deltatrain.workloads.lowering.moved_columns import PLACE, moving_program

REMOTE = {"placement.weights": "remote", "placement.gradients": "remote"}
LOCAL_GRADIENTS = {"placement.weights": "remote", "placement.gradients": "local"}


def sparse_step(changes: dict[str, Any]) -> Program:
    machine = Architecture.named("tiny", REMOTE | changes)
    return random_step(machine, "lstm", seed=3, hidden=(6, 5), density=0.3).program


def needed_to_move(step: Program) -> int:
    """Return the least off-chip memory; a step itself needs room for whole columns, which here is less."""
    moving = moving_program(step)
    assert moving is not None
    return sum(moving.remote_bytes.values())


def bytes_of(program: Program, mode: str) -> list[int]:
    """Return the address of every byte that ops of a mode move, one by one."""
    ops = program.ops
    chosen = np.flatnonzero(ops.is_mode(mode))
    return [at for row in chosen for at in range(ops.address[row], ops.address[row] + ops.count[row])]


@pytest.mark.parametrize("changes", [{}, LOCAL_GRADIENTS])
def test_every_column_comes_in_once_and_goes_out_once_behind_all_else(changes: dict[str, Any]) -> None:
    step = sparse_step(changes)
    moving = moving_program(step)
    assert moving is not None
    off_chip = [tensor for tensor in step.tensors if tensor.remote]
    read = [at for one in off_chip if one.kind == "weights" for at in range(one.address, one.address + one.bytes)]
    assert bytes_of(moving, "load") == read
    first = sum(step.remote_bytes.values())
    assert sorted(bytes_of(moving, "store")) == list(range(first, first + sum(one.bytes for one in off_chip)))
    assert moving.remote_bytes[PLACE] == moving.write_bytes
    assert moving.read_bytes == sum(one.bytes for one in step.tensors if one.kind == "weights")


@pytest.mark.parametrize("changes", [{}, {"dma.in_flight": 3, "dma.bytes_per_cycle": 4}, LOCAL_GRADIENTS])
def test_cycles_are_those_of_the_machine_stepped_one_by_one(changes: dict[str, Any]) -> None:
    moving = moving_program(sparse_step(changes))
    assert moving is not None
    found = cycle.count(moving)
    assert found.cycles == NaiveMachine(moving).run()
    assert found.cycles >= found.remote.asked_bytes / moving.architecture.dma.bytes_per_cycle


def test_two_columns_are_in_local_memory_at_once() -> None:
    moving = moving_program(sparse_step({}))
    assert moving is not None
    loads = np.flatnonzero(moving.ops.is_mode("load"))
    for number, row in enumerate(loads[2:], 2):
        waits = moving.ops.depends[row, 0]
        assert loads[number - 2] < waits < row and moving.ops.is_mode("store")[waits]
        assert waits + 1 >= loads[number - 1]  # the last store of the column two before, or a later one


def test_a_second_place_needs_room_and_local_columns_need_none() -> None:
    assert moving_program(sparse_step({"placement.weights": "local", "placement.gradients": "local"})) is None
    needed = needed_to_move(sparse_step({}))
    assert moving_program(sparse_step({"remote.bytes": needed})) is not None
    with pytest.raises(FitError, match=f"remote.bytes = {needed - 1} is too small to move weights"):
        moving_program(sparse_step({"remote.bytes": needed - 1}))


def test_without_a_second_place_a_step_is_refused_before_it_is_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = small_trace("delta_rnn", (8,), changes={"sparsity.rule": "set", "sparsity.density": 0.3})
    step = recorded_program(Architecture.named("tiny", REMOTE), trace, trace.recorded[-1])
    machine = Architecture.named("tiny", REMOTE | {"remote.bytes": needed_to_move(step) - 1})
    monkeypatch.setattr(cycle, "count", lambda *of, **told: pytest.fail("simulated"))
    with pytest.raises(FitError, match="is too small to move weights"):
        simulate(machine, trace, dense=False)


@pytest.mark.parametrize(("rule", "moves"), [("set", 1), ("static", 0)])
def test_a_result_says_how_often_weights_moved_and_what_share_that_is(rule: str, moves: int) -> None:
    trace = small_trace("delta_rnn", (8,), changes={"sparsity.rule": rule, "sparsity.density": 0.3})
    result = simulate(Architecture.named("tiny", REMOTE), trace, dense=False)
    screen = Console(file=StringIO(), width=200)
    screen.print(*summary(result))
    assert ("Moves of weights" in screen.file.getvalue()) == bool(moves) == ("weight_moves" in result.model_dump())
    if result.weight_moves:
        found = result.weight_moves
        assert (found.moves, found.steps) == (1, 4)  # after the first of two epochs, of 8 samples in batches of 2
        assert found.share(result.counters.cycles) == found.cycles / (found.cycles + 4 * result.counters.cycles)
        assert 0 < found.energy_j < sum(result.energy_j.values())
