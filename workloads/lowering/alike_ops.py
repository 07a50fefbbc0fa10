"""Ops alike: a training step whose steps are run once, as a table in which each row stands for all ops like it.

Such a program is for laws that add up ops (`workloads.lowering.costs.bounds`, `sim.fidelity.analytic`). It says what
that of `workloads.lowering.lowering` says of all ops together, whose order and waiting it leaves out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.program import Ops, Program
from deltatrain.workloads.lowering import op_kinds as kinds
from deltatrain.workloads.lowering.alike_steps import AlikeSteps, Respect
from deltatrain.workloads.lowering.checkpoint.timeline import batch
from deltatrain.workloads.lowering.grid import Grid
from deltatrain.workloads.lowering.keeping import input_bytes, placed_plainly, run_plainly
from deltatrain.workloads.lowering.lowering import enter
from deltatrain.workloads.lowering.op_kinds import OpKind
from deltatrain.workloads.lowering.op_order import Points
from deltatrain.workloads.lowering.ops.given import StepInputs
from deltatrain.workloads.lowering.ops.updates import enter_updates
from deltatrain.workloads.lowering.placement import Placed, Shape
from deltatrain.workloads.lowering.state import State
from deltatrain.workloads.lowering.tape import Tape

_ON_LISTS = (
    *(kinds.ENCODE, kinds.BROADCAST, kinds.MATVEC),
    *(kinds.RESEND, kinds.MATVEC_T, kinds.REDUCE, kinds.OUTER),
)

RESPECTS: dict[OpKind, Respect] = {
    **dict.fromkeys((kinds.LOAD_X, kinds.CELL, kinds.READ, kinds.READ_REDUCE, kinds.LOSS), "step"),
    **dict.fromkeys((kinds.READ_T, kinds.READ_OUTER, kinds.CELL_BACKWARD), "step"),
    **dict.fromkeys((kinds.STORE_TAPE, kinds.LOAD_TAPE), "tape"),
    **dict.fromkeys((kind for kind, _ in _ON_LISTS), "x"),
    **dict.fromkeys((kind for _, kind in _ON_LISTS), "h"),
}
"""What the columns of a kind's ops depend on. Kinds of steps that are run again are none of these."""


class _Group(NamedTuple):
    """Ops of a kind that stand for those like them, how many each is like, and their rows."""

    kind: OpKind
    points: Points
    times: NDArray[np.int64]
    rows: slice


def program_of_alike(architecture: Architecture, shape: Shape, steps: AlikeSteps, readout: str) -> Program:
    """Return the program of a training step whose steps are run once.

    Raises
    ------
    FitError
        If something does not fit the memory it must live in.
    """
    placed = placed_plainly(architecture, shape, steps.lists, readout)
    timeline = batch(run_plainly(architecture, shape, placed, number) for number in steps.standing.tolist())
    grid = Grid(shape, timeline, steps.standing, readout, architecture.tiles.count)
    tape = Tape(architecture, shape, steps.lists)
    given = StepInputs(architecture, shape, steps.lists, placed, tape, State(architecture, shape), grid)
    groups = _groups(grid, steps)
    updates, rows = len(given.matrices) if shape.learns else 0, groups[-1].rows.stop
    table = Ops.blank(rows + updates)
    for group in groups:
        enter(table, given, group.kind, group.points, group.rows)
    if updates:
        enter_updates(given, table)
    times = np.concatenate([*(group.times for group in groups), np.ones(updates, dtype=np.int64)])
    return Program(
        *(architecture, Ops(**table), placed.tensors, steps.lists.columns, placed.local_bytes, placed.remote_bytes),
        times=times,
        touched_bytes=_touched_bytes(given, steps),
    )


def _groups(grid: Grid, steps: AlikeSteps) -> list[_Group]:
    found: list[_Group] = []
    begin = 0
    for kind, points in grid.order.kinds():
        times = steps.times[RESPECTS[kind]][points]
        stands = times > 0
        chosen = points[0][stands], points[1][stands], points[2][stands]
        end = begin + len(chosen[0])
        found.append(_Group(kind, chosen, times[stands], slice(begin, end)))
        begin = end
    return found


def _touched_bytes(given: StepInputs, steps: AlikeSteps) -> int:
    """Return how many different bytes of off-chip memory are read or written: matrices, inputs and tape."""
    placed, lists = given.placed, steps.lists
    inputs = int(lists.lengths.sum()) * input_bytes(given.architecture, given.shape)
    tape = 0
    if placed.tape_remote:
        of_lists = int(steps.list_bytes.sum())
        tape = of_lists + int(lists.lengths.max()) * given.tape.values_bytes
    return _touched_matrices(placed, steps, learns=given.shape.learns) + inputs + tape


def _touched_matrices(placed: Placed, steps: AlikeSteps, *, learns: bool) -> int:
    remote = [tensor for tensor in placed.tensors if tensor.remote]
    if learns:
        return sum(tensor.bytes for tensor in remote)  # updates work through all
    touched = {("x", layer): columns for layer, columns in enumerate(steps.touched_x)}
    touched |= {("h", layer): columns for layer, columns in enumerate(steps.touched_h)}
    return sum(
        tensor.bytes
        if tensor.stream == "readout"
        else int(touched[tensor.stream, tensor.layer][: tensor.columns].sum()) * tensor.words * tensor.word_bytes
        for tensor in remote
    )
