"""Lowering of online learning: a recorded training step and a described machine become a program without a tape."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.host_memory import check_room
from deltatrain.accel.program import Ops, Program
from deltatrain.workloads.lowering.checkpoint.reading import kept_whole
from deltatrain.workloads.lowering.checkpoint.timeline import batch
from deltatrain.workloads.lowering.keeping import placed_plainly
from deltatrain.workloads.lowering.lists import Lists, dense_lists, fired_lists
from deltatrain.workloads.lowering.lowering import enter
from deltatrain.workloads.lowering.online.grid import OnlineGrid
from deltatrain.workloads.lowering.online.ops import COLUMNS, OnlineInputs
from deltatrain.workloads.lowering.online.traces import behind, ever_spiked
from deltatrain.workloads.lowering.ops.updates import enter_updates, update_count
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.state import State
from deltatrain.workloads.lowering.tape import Tape
from deltatrain.workloads.recorded_step import RecordedStep

_STEP_BYTES = 5_000
"""Of host memory for each step of a layer and each sample, as for any other program."""


def lower_online(architecture: Architecture, shape: Shape, step: RecordedStep, readout: str) -> Program:
    """Return the program of one training step in which each step of every sample learns at once, then the update.

    Parameters
    ----------
    architecture
        The machine.
    shape
        The network's sizes.
    step
        What fired.
    readout
        "last" or "every": which steps have a loss; the others only leave traces.

    Raises
    ------
    FitError
        If something does not fit the memory it must live in.
    """
    engine = architecture.engine
    spikes, traces = (fired_lists(one, shape, engine) for one in (step, ever_spiked(step)))
    return _lowered(architecture, shape, *behind(spikes, traces), readout)


def lower_online_dense(architecture: Architecture, shape: Shape, lengths: NDArray[np.int64], readout: str) -> Program:
    """Return the program of the same training step with every column worked through; no trace is zero."""
    lists = dense_lists(lengths, shape, architecture.engine)
    return _lowered(architecture, shape, lists, lists, readout)


def _lowered(architecture: Architecture, shape: Shape, lists: Lists, traces: Lists, readout: str) -> Program:
    steps = int(lists.lengths.sum()) * len(shape.hidden)
    check_room(_STEP_BYTES * steps, f"a program of {steps:,} steps of a layer")
    placed = placed_plainly(architecture, shape, lists, readout)
    timeline = batch(kept_whole(length) for length in lists.lengths.tolist())
    given = OnlineInputs(
        *(architecture, shape, lists, placed),
        Tape(architecture, shape, lists),
        State(architecture, shape),
        OnlineGrid(shape, timeline, lists.lengths, readout, architecture.tiles.count),
        traces,
    )
    given.grid.order.rank()
    table = Ops.blank(given.grid.order.size + update_count(given))
    for kind, points in given.grid.order.kinds():
        enter(table, given, kind, points, given.rows(kind, points), COLUMNS)
    enter_updates(given, table)
    homes = placed.tensors, lists.columns, placed.local_bytes, placed.remote_bytes
    return Program(architecture, Ops(**table), *homes)
