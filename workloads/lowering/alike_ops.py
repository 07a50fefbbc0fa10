"""Ops alike: a training step whose steps are run once, as a table in which each row stands for all ops like it.

Such a program is for laws that add up ops (`workloads.lowering.costs.bounds`, `sim.fidelity.analytic`). It says what
that of `workloads.lowering.lowering` says of all ops together, whose order and waiting it leaves out.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

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
from deltatrain.workloads.lowering.ops.updates import enter_updates, update_count
from deltatrain.workloads.lowering.placement import Placed
from deltatrain.workloads.lowering.recent import Recent
from deltatrain.workloads.lowering.shape import Shape
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


_PROGRAMS: WeakKeyDictionary[AlikeSteps, Recent[Program]] = WeakKeyDictionary()
"""Machines of a sweep often differ in nothing that is in the table, such as where matrices live."""

_MOST_ROWS = 8000


def program_of_alike(architecture: Architecture, shape: Shape, steps: AlikeSteps, readout: str) -> Program:
    """Return the program of a training step whose steps are run once.

    Parameters
    ----------
    architecture, shape
        The machine and the network for which `steps` were found.
    steps
        What is run.
    readout
        "last" or "every": which steps are classified.

    Raises
    ------
    FitError
        If something does not fit the memory it must live in.
    """
    placed = placed_plainly(architecture, shape, steps.lists, readout)
    if steps not in _PROGRAMS:
        _PROGRAMS[steps] = Recent(16, _MOST_ROWS, lambda program: len(program.ops))
    key = architecture.engine, architecture.tiles, architecture.dma, shape, readout, placed.tape_remote
    known = _PROGRAMS[steps].of(key, lambda: _program(architecture, shape, steps, readout, placed))
    touched_bytes = _touched_bytes(architecture, shape, steps, placed)
    homes = placed.tensors, placed.local_bytes, placed.remote_bytes
    return known.elsewhere(architecture, *homes, touched_bytes)


def _program(architecture: Architecture, shape: Shape, steps: AlikeSteps, readout: str, placed: Placed) -> Program:
    """Return the program with these homes, and what it touches not told."""
    timeline = batch(run_plainly(architecture, shape, placed, number) for number in steps.standing.tolist())
    given = StepInputs(
        *(architecture, shape, steps.lists, placed),
        Tape(architecture, shape, steps.lists),
        State(architecture, shape),
        Grid(shape, timeline, steps.standing, readout, architecture.tiles.count),
    )
    groups = [_standing(kind, points, steps) for kind, points in given.grid.order.kinds()]
    updates = update_count(given)
    times = np.concatenate([*(times for _, _, times in groups), np.ones(updates, dtype=np.int64)])
    table, begin = Ops.blank(len(times)), 0
    for kind, points, of_kind in groups:
        enter(table, given, kind, points, slice(begin, begin + len(of_kind)))
        begin += len(of_kind)
    if updates:
        enter_updates(given, table)
    table["address"][:] = 0  # depends on homes, and no two ops alike have the same
    homes = placed.tensors, steps.lists.columns, placed.local_bytes, placed.remote_bytes
    return Program(architecture, Ops(**table), *homes, times=times)


def _standing(kind: OpKind, points: Points, steps: AlikeSteps) -> tuple[OpKind, Points, NDArray[np.int64]]:
    """Return those ops of a kind that stand for others, and how many each stands for."""
    times = steps.times[RESPECTS[kind]][points]
    stands = times > 0
    layer, sample, number = points
    return kind, (layer[stands], sample[stands], number[stands]), times[stands]


def _touched_bytes(architecture: Architecture, shape: Shape, steps: AlikeSteps, placed: Placed) -> int:
    """Return how many different bytes of off-chip memory are read or written: matrices, inputs and tape."""
    lengths, tape = steps.lists.lengths, 0
    inputs = int(lengths.sum()) * input_bytes(architecture, shape)
    if placed.tape_remote:
        values = Tape(architecture, shape, steps.lists).values_bytes
        tape = int(steps.list_bytes.sum()) + int(lengths.max()) * values
    return _touched_matrices(placed, steps, learns=shape.learns) + inputs + tape


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
