"""What the ops of a training step are made from: the machine, the network, the lists, the places and the grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.op_table import NO_OP, Stream
from deltatrain.accel.tiles import ONE_TILE
from deltatrain.workloads.lowering.grid import Grid, numbered
from deltatrain.workloads.lowering.lists import Lists, StreamLists
from deltatrain.workloads.lowering.op_kinds import OUTER, OpKind
from deltatrain.workloads.lowering.op_order import Points
from deltatrain.workloads.lowering.placement import MatrixSize, Placed, matrices, word_table
from deltatrain.workloads.lowering.shape import Shape
from deltatrain.workloads.lowering.state import State
from deltatrain.workloads.lowering.tape import Tape

Columns = dict[str, Any]
"""Columns of the op table for all ops of one kind: arrays or numbers, and a list of arrays for `depends`."""


@dataclass(frozen=True, eq=False)
class StepInputs:
    """A training step that is lowered.

    Attributes
    ----------
    architecture, shape
        The machine and the network.
    lists
        What the engine works through.
    placed
        Where everything is.
    tape, state
        Sizes of what is kept of a step.
    grid
        The ops.
    """

    architecture: Architecture
    shape: Shape
    lists: Lists
    placed: Placed
    tape: Tape
    state: State
    grid: Grid

    @property
    def tiles(self) -> int:
        """How many tiles the machine has."""
        return self.architecture.tiles.count

    @cached_property
    def matrices(self) -> dict[tuple[Stream, int], MatrixSize]:
        """Sizes of the matrices, in the tile that has most of each."""
        return matrices(self.shape, self.architecture)

    @cached_property
    def whole_matrices(self) -> dict[tuple[Stream, int], MatrixSize]:
        """Sizes of the matrices over all tiles."""
        return matrices(self.shape, self.architecture.model_copy(update={"tiles": ONE_TILE}))

    @cached_property
    def word_table(self) -> MatrixSize:
        """Size of the table of words, in the tile that has most of it."""
        return word_table(self.shape, self.architecture)

    @cached_property
    def whole_word_table(self) -> MatrixSize:
        """Size of the table of words over all tiles."""
        return word_table(self.shape, self.architecture.model_copy(update={"tiles": ONE_TILE}))

    def beside(self, stream: Stream, layer: int) -> tuple[int, int]:
        """Return the words a column and the columns of a matrix that other tiles have than the one that has most."""
        own, whole = self.matrices[stream, layer], self.whole_matrices[stream, layer]
        return whole.words - own.words, whole.columns - own.columns

    def streams(self, stream: Stream) -> tuple[StreamLists, ...]:
        """Return the lists of a stream, one for each layer."""
        return self.lists.x if stream == "x" else self.lists.h

    def rows(self, kind: OpKind, points: Points, *, layer: int = 0, step: int = 0) -> NDArray[np.int64]:
        """Return the rows of ops of `kind`, as `workloads.lowering.op_order.OpOrder.rows` does."""
        return self.grid.rows(kind, points, layer=layer, step=step)

    def rows_without_recurrence(self, kind: OpKind, points: Points, *, step: int) -> NDArray[np.int64]:
        """Return the rows of `kind` so many steps away in a layer without a recurrent matrix, NO_OP in any other.

        A recurrent product waits for the cells, so no bank of M, g(M) or the lists is written too early. Where there is
        no recurrent product, ops that would run ahead have to wait for what frees their bank.
        """
        if self.shape.arithmetic.BLOCKS_H:
            return np.full(len(points[0]), NO_OP, dtype=np.int64)
        return self.rows(kind, points, step=step)

    def freed_gradients(self, points: Points) -> NDArray[np.int64]:
        """Return the ops that freed the room of g(M) for steps `points`, as `rows_without_recurrence` does.

        There is room for one step more than a group has.
        """
        if self.shape.arithmetic.BLOCKS_H:
            return np.full(len(points[0]), NO_OP, dtype=np.int64)
        before = numbered(points, points[2] + self.architecture.engine.outer_steps + 1)
        return self.rows(OUTER.x, self.grid.outer_of(before))

    def codes(self, kind: OpKind) -> Columns:
        """Return the columns that tell what an op of `kind` is."""
        return dict(kind.codes(self.shape.arithmetic))


ColumnsOf = Callable[[StepInputs, OpKind, Points], Columns]
"""Gives the columns of the op table for the ops of a kind that are at these points."""


def stacked(of_layers: Sequence[NDArray[np.int64]], points: Points) -> NDArray[np.int64]:
    """Return the values at `points` of arrays of shape (B, T), one for each layer."""
    values: NDArray[np.int64] = np.stack(of_layers)[points]
    return values


def by_layer(of_layers: Sequence[int], points: Points) -> NDArray[np.int64]:
    """Return the values at `points` of numbers, one for each layer."""
    return np.array(of_layers, dtype=np.int64)[points[0]]
