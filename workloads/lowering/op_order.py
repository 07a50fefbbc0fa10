"""The order of a training step's ops, and who waits for whom: a grid of ops over layers, samples and steps.

Samples follow each other. A sample is run in passes, forward or backward; without checkpoints there is one of each.
In a pass the layers run skewed, each one step behind the layer that it depends on. So one layer's cells are computed
while the lanes work on the other layers' products:

    macro step      0          1          2                     T-1     T
    layer 0       step 0     step 1     step 2     ...          T-1
    layer 1                  step 0     step 1     ...          T-2     T-1

Passes follow each other, so the skew runs empty at the end of each. With T = 6, and steps 3 to 5 run first with tapes:

    pass                0  forward                1  back      2  forward again  3  back
    layer 0       0  1  2 [3] 4  5           .  5  4  3        0  1  2  .        .  2  1  0
    layer 1       .  0  1  2 [3] 4  5        5  4  3  .        .  0  1  2        2  1  0  .

At [3] each layer's state is copied, if it is kept, before the layer's step 3 changes it. That is all that a pass waits
for: transfers run beside it, each behind what freed its room (`workloads.lowering.checkpoint.timeline`).

On a machine that works in turn (`accel.engine.Engine.in_turn`) the layers of a step follow each other, without skew.

Within a macro step every unit takes its ops in the order of `FORWARD` or `BACKWARD`. Input deltas come before
recurrent deltas, so they run ahead of the recurrence. Weight gradients come after everything that the recurrence waits
for, so they fill the lanes while the cells are computed. Several tiles send the lists of the backward pass to all of
them once more (`RESEND`), while their lanes work on the weight gradients of the step before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.op_table import NO_OP
from deltatrain.workloads.lowering import op_kinds as kinds
from deltatrain.workloads.lowering.op_kinds import OpKind

Points = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Where ops of one kind are in the grid: layer, sample and number (`workloads.lowering.op_kinds.Numbering`)."""

BETWEEN = (
    kinds.LOAD_TAPE,
    kinds.COPY_STATE,
    kinds.RESTORE_STATE,
    kinds.STORE_STATE,
    kinds.LOAD_STATE,
    kinds.UNDO_CELL,
    *kinds.SEND_UNDO,
    *kinds.UNDO,
)
"""What happens between two steps, before the later one, in an order of its own."""

FORWARD: tuple[tuple[OpKind, ...], ...] = (
    BETWEEN,
    (kinds.LOAD_X,),
    (kinds.READ,),
    kinds.ENCODE,
    kinds.BROADCAST,
    (kinds.READ_REDUCE,),
    (kinds.LOSS,),
    kinds.MATVEC,
    (kinds.CELL,),
    (kinds.STORE_TAPE,),
)
"""The order within a macro step of a pass forward. Kinds in one place follow each other layer by layer."""

BACKWARD: tuple[tuple[OpKind, ...], ...] = (
    BETWEEN,
    kinds.RESEND,
    (kinds.READ_T,),
    (kinds.CELL_BACKWARD,),
    (*kinds.MATVEC_T, *kinds.REDUCE),
    kinds.OUTER,
    (kinds.OUTER_WORDS,),
    (kinds.READ_OUTER,),
)
"""Likewise backward; each sum over the tiles is made right after its product."""

_PLACES = {kind: place for order in (FORWARD, BACKWARD) for place, group in enumerate(order) for kind in group}

_BEHIND_LAST_LAYER = {kinds.READ, kinds.READ_REDUCE, kinds.LOSS}
"""A macro step behind the cells of the last layer."""


class Position(NamedTuple):
    """Where ops belong, arrays of shape (B, N): pass, macro step of its first layer, order between two steps.

    Attributes
    ----------
    stage
        Number of the pass within the sample.
    macro
        Macro step of the layer that goes first.
    forward
        Whether layer 0 goes first.
    order
        Among ops between the same two steps.
    """

    stage: NDArray[np.int64]
    macro: NDArray[np.int64]
    forward: NDArray[np.int64] | bool
    order: NDArray[np.int64] | int = 0


def _packed(kinds: Sequence[tuple[NDArray[np.int64], ...]]) -> list[NDArray[np.int64]]:
    """Return the keys of all kinds one after the other, as many in one number as 63 bits hold: the same order.

    Sorting takes as long as there are numbers, and six columns of small ones mostly fit one.
    """
    packed: list[NDArray[np.int64]] = []
    room = 0
    for parts in zip(*kinds, strict=True):
        least, most = (int(bound([bound(part) for part in parts])) for bound in (np.min, np.max))
        span = most - least + 1
        column = np.concatenate(parts) - least
        if room >= span:
            packed[-1] = packed[-1] * span + column
        else:
            packed.append(column)
            room = 2**63 - 1
        room //= span
    return packed


@dataclass
class OpOrder:
    """The ops of a grid: which exist, and after `rank` the row of each in the op table; before that none has one.

    Attributes
    ----------
    layers
        Number of recurrent layers.
    in_turn
        Whether layers run one after the other instead of skewed: a macro step is then a layer's step.
    """

    layers: int
    in_turn: bool = False
    _points: dict[OpKind, Points] = field(default_factory=dict)
    _positions: dict[OpKind, Position] = field(default_factory=dict)
    _rows: dict[OpKind, NDArray[np.int64]] = field(default_factory=dict)
    _sizes: dict[OpKind, tuple[int, int]] = field(default_factory=dict)

    def add(self, kind: OpKind, exists: NDArray[np.bool_], position: Position) -> None:
        """Add an op of `kind` wherever `exists`, of shape (L, B, N), is true."""
        layer, sample, number = np.nonzero(exists)
        if not len(layer):
            return
        self._points[kind], self._sizes[kind] = (layer, sample, number), (exists.shape[1], exists.shape[2])
        self._positions[kind] = position

    def _keys(self, kind: OpKind) -> tuple[NDArray[np.int64], ...]:
        """Return by what the ops of a kind are put in order, the most important first."""
        layer, sample, number = self._points[kind]
        stage, macro, forward, order = (
            np.broadcast_to(np.asarray(part, dtype=np.int64), self._sizes[kind])[sample, number]
            for part in self._positions[kind]
        )
        skew = np.where(forward, layer, self.layers - 1 - layer)
        # Forward, input before recurrent; backward, recurrent first, because the step before waits for it.
        second = np.where(forward, kind.stream == "h", kind.stream != "h")
        behind = int(kind in _BEHIND_LAST_LAYER)
        places = np.broadcast_to(np.int64(_PLACES[kind]), layer.shape)
        within = 2 * (2 * skew + second) + int(kind in kinds.REDUCE)
        first = macro * self.layers if self.in_turn else macro
        return sample, stage, first + skew + behind, places, order, within

    def rank(self) -> None:
        """Give every op its row, in the order of the keys."""
        order = np.lexsort(_packed([self._keys(kind) for kind in self._points])[::-1])
        rows = np.empty(len(order), dtype=np.int64)
        rows[order] = np.arange(len(order))
        begin = 0
        for kind, (layer, sample, number) in self._points.items():
            samples, numbers = self._sizes[kind]
            grid = np.full((self.layers + 2, samples, numbers + 4), NO_OP, dtype=np.int64)
            grid[layer + 1, sample, number + 2] = rows[begin : begin + len(layer)]
            self._rows[kind] = grid
            begin += len(layer)

    @property
    def size(self) -> int:
        """Number of ops."""
        return sum(len(layer) for layer, _, _ in self._points.values())

    def kinds(self) -> Iterator[tuple[OpKind, Points]]:
        """Yield each kind that there is, with the points of its ops."""
        yield from self._points.items()

    def rows(self, kind: OpKind, points: Points, *, layer: int = 0, step: int = 0) -> NDArray[np.int64]:
        """Return the rows of ops of `kind`, `layer` layers and `step` numbers away from `points`; NO_OP if none.

        Offsets are within one layer and two numbers. A number of -1 is none.
        """
        if kind not in self._rows:
            return np.full(len(points[0]), NO_OP, dtype=np.int64)
        found: NDArray[np.int64] = self._rows[kind][points[0] + layer + 1, points[1], points[2] + step + 2]
        return found
