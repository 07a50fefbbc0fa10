"""Lowering: a recorded training step and a described machine become a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.host_memory import check_room
from deltatrain.accel.program import UNITS, Ops, Program
from deltatrain.workloads.lowering.alike_steps import dense_alike
from deltatrain.workloads.lowering.barriers import with_barriers
from deltatrain.workloads.lowering.checkpoint.kept_bytes import kept_over_ops
from deltatrain.workloads.lowering.checkpoint.timeline import batch
from deltatrain.workloads.lowering.exchange_room import wait_for_room
from deltatrain.workloads.lowering.grid import Grid
from deltatrain.workloads.lowering.in_turn import in_turn
from deltatrain.workloads.lowering.keeping import Keeping, ScheduleOf, as_scheduled, placed_plainly, plainly
from deltatrain.workloads.lowering.lists import ANEW, Begun, Lists, dense_lists, fired_lists, idle_lists
from deltatrain.workloads.lowering.op_kinds import UNDO, OpKind
from deltatrain.workloads.lowering.op_order import Points
from deltatrain.workloads.lowering.ops import COLUMNS
from deltatrain.workloads.lowering.ops.given import Columns, StepInputs
from deltatrain.workloads.lowering.ops.updates import enter_updates, update_count
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.state import State
from deltatrain.workloads.lowering.tape import Tape
from deltatrain.workloads.trace import RecordedStep

_STEP_BYTES = 5_000
"""Of host memory for each step of a layer and each sample, at the peak of lowering and simulation, measured."""

_LISTED_BYTES = 300
"""The same where lists are sized and no more."""


def lower(
    architecture: Architecture,
    shape: Shape,
    step: RecordedStep,
    readout: str,
    schedule_of: ScheduleOf | None = None,
) -> Program:
    """Return the program of one training step: forward, backward, weight gradient of every sample, then the update.

    Of a shape that does not learn it has the forward pass alone.

    Parameters
    ----------
    architecture
        The machine.
    shape
        The network's sizes.
    step
        What fired.
    readout
        "last" or "every": which steps are classified.
    schedule_of
        What of each sample is kept and what is run again; if left out everything is kept, where the machine places it.

    Raises
    ------
    FitError
        If something does not fit the memory it must live in.
    """
    lists = fired_lists(step, shape, architecture.engine, architecture.tiles.count)
    return _lowered(architecture, shape, lists, readout, schedule_of)


def lower_dense(
    architecture: Architecture,
    shape: Shape,
    lengths: NDArray[np.int64],
    readout: str,
    schedule_of: ScheduleOf | None = None,
    begun: Begun = ANEW,
) -> Program:
    """Return the program of the same training step on the same machine with every column worked through."""
    lists = dense_lists(lengths, shape, architecture.engine, architecture.tiles.count, begun)
    return _lowered(architecture, shape, lists, readout, schedule_of)


def check_dense_fits(
    architecture: Architecture,
    shape: Shape,
    lengths: NDArray[np.int64],
    readout: str,
    schedule_of: ScheduleOf | None = None,
    begun: Begun = ANEW,
) -> None:
    """Raise the `FitError` of `lower_dense`, if there is one, without making the program."""
    engine, tiles = architecture.engine, architecture.tiles.count
    if schedule_of is None and begun is ANEW and not shape.words:
        placed_plainly(architecture, shape, dense_alike(lengths, shape, engine, tiles).lists, readout)
        return
    _check_room(_LISTED_BYTES, shape, lengths)
    lists = dense_lists(lengths, shape, engine, tiles, begun)
    if schedule_of is None:
        placed_plainly(architecture, shape, lists, readout)
    else:
        as_scheduled(architecture, shape, lists, readout, schedule_of)


def check_idle_fits(architecture: Architecture, shape: Shape, lengths: NDArray[np.int64], readout: str) -> None:
    """Raise the `FitError` of `lower` that a step of such lengths has whatever fires in it, if there is one."""
    of_one_step = idle_lists(np.minimum(lengths, 1), shape, architecture.engine, architecture.tiles.count)
    placed_plainly(architecture, shape, replace(of_one_step, lengths=lengths), readout)  # lists of nothing keep nothing


def _lowered(
    architecture: Architecture, shape: Shape, lists: Lists, readout: str, schedule_of: ScheduleOf | None
) -> Program:
    _check_room(_STEP_BYTES, shape, lists.lengths)
    keeping = _kept(architecture, shape, lists, readout, schedule_of)
    timeline = batch(keeping.samples)
    given = StepInputs(
        architecture,
        shape,
        lists,
        keeping.placed,
        Tape(architecture, shape, lists),
        State(architecture, shape),
        Grid(
            *(shape, timeline, lists.lengths, readout, architecture.tiles.count),
            in_turn=architecture.engine.in_turn,
            carried=lists.carried,
            outer_steps=architecture.engine.outer_steps,
        ),
    )
    given.grid.order.rank()
    program = _program(given, keeping)
    if architecture.engine.in_turn:
        program = in_turn(program, given.grid)
    return program if architecture.checkpoint.overlap else _blocking(program, given.grid)


def _check_room(step_bytes: int, shape: Shape, lengths: NDArray[np.int64]) -> None:
    steps = int(lengths.sum()) * len(shape.hidden)
    check_room(step_bytes * steps, f"a program of {steps:,} steps of a layer")


def _kept(
    architecture: Architecture, shape: Shape, lists: Lists, readout: str, schedule_of: ScheduleOf | None
) -> Keeping:
    if schedule_of is None or not shape.learns:
        return plainly(architecture, shape, lists, readout)
    return as_scheduled(architecture, shape, lists, readout, schedule_of)


def _program(given: StepInputs, keeping: Keeping) -> Program:
    updates = update_count(given)
    table = Ops.blank(given.grid.order.size + updates)
    for kind, points in given.grid.order.kinds():
        enter(table, given, kind, points, given.rows(kind, points))
    if updates:
        enter_updates(given, table)
    wait_for_room(table)
    placed, ops = given.placed, Ops(**table)
    return Program(
        *(given.architecture, ops, placed.tensors, given.lists.columns, placed.local_bytes, placed.remote_bytes),
        kept_bytes=_kept_bytes(given.grid, keeping),
    )


def enter(
    table: dict[str, NDArray[np.signedinteger]],
    given: StepInputs,
    kind: OpKind,
    points: Points,
    rows: NDArray[np.int64] | slice,
    columns_of: Mapping[OpKind, Callable[..., Columns]] = COLUMNS,
) -> None:
    """Enter the ops of a kind that are at `points` in these rows, as `columns_of` fills them in."""
    columns = columns_of[kind](given, kind, points)
    table["layer"][rows], table["sample"][rows] = points[:2]
    table["step"][rows] = given.grid.step_of(kind, points)
    for number, dependency in enumerate(columns.pop("depends")):
        table["depends"][rows, number] = dependency
    for name, values in columns.items():
        table[name][rows] = values


def _kept_bytes(grid: Grid, keeping: Keeping) -> NDArray[np.int64]:
    def row_of(kind: OpKind, layer: NDArray[np.int64], sample: int, number: NDArray[np.int64]) -> NDArray[np.int64]:
        points = layer, np.full_like(layer, sample), number
        return grid.undone(points) if kind is UNDO.x else grid.rows(kind, points)

    return kept_over_ops(keeping.samples, keeping.sizes, row_of)


def _blocking(program: Program, grid: Grid) -> Program:
    """Return `program` with every move of a tape or state a barrier."""
    depends = with_barriers(program.ops.depends, program.unit, len(UNITS), grid.transfers())
    return replace(program, ops=replace(program.ops, depends=depends))
