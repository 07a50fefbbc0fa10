"""The order of a training step's ops, and who waits for whom: a grid of ops over layers, samples and steps.

Samples follow each other. A sample's way is cut into passes, forward or backward; without checkpoints there is one of
each. In a pass the layers run skewed, each one step behind the layer it depends on, so that one layer's gates are
computed while the lanes work on the other layers' products:

    macro step      0          1          2                     T-1     T
    layer 0       step 0     step 1     step 2     ...          T-1
    layer 1                  step 0     step 1     ...          T-2     T-1

Passes follow each other, so the skew runs empty at the end of each. With T = 6, and steps 3 to 5 run first with tapes:

    pass                0  forward                1  back      2  forward again  3  back
    layer 0       0  1  2 [3] 4  5           .  5  4  3        0  1  2  .        .  2  1  0
    layer 1       .  0  1  2 [3] 4  5        5  4  3  .        .  0  1  2        2  1  0  .

At [3] each layer's state is copied, if it is kept, before the layer's step 3 changes it. That is all a pass waits for:
transfers run beside it, each behind what freed its room (`workloads.lowering.checkpoint.timeline`).

Within a macro step every unit takes its ops in the order of `FORWARD` or `BACKWARD`. Input deltas come before
recurrent deltas, so they run ahead of the recurrence; weight gradients come after everything that the recurrence waits
for, so they fill the lanes while the gates work. With several tiles the lists of the backward pass are sent to all of
them once more (``resend``), which the lanes' work on the weight gradients of the step before leaves time for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.program import NO_OP

Cells = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Layer, sample and number of the ops of one kind: the number of a run forward, of a step, of a state on its way."""

FORWARD = (
    *("between", "load_x", "read", "encode", "broadcast", "read_reduce", "loss", "matvec", "cell", "store_tape"),
)
BACKWARD = ("between", "resend", "read_t", "cell_backward", "matvec_t", "outer", "read_outer")

BETWEEN = (
    *("load_tape", "copy_state", "restore_state", "store_state", "load_state"),
    *("undo_cell", "undo_x", "undo_h"),
)
"""What happens between two runs, before the later one, in an order of its own."""

_BY_STREAM = ("encode", "broadcast", "matvec", "matvec_t", "reduce", "resend", "outer")
"""What there is of each stream, x and h."""


class Position(NamedTuple):
    """Where ops belong, arrays of shape (B, N): pass, macro step of its first layer, order between two runs.

    Attributes
    ----------
    stage
        Number of the pass within the sample.
    macro
        Macro step of the layer that goes first.
    forward
        Whether layer 0 goes first.
    order
        Among ops between the same two runs.
    """

    stage: NDArray[np.int64]
    macro: NDArray[np.int64]
    forward: NDArray[np.int64] | bool
    order: NDArray[np.int64] | int = 0


@dataclass
class Schedule:
    """The grid of ops: which exist, and after `rank` the row of each in the op table.

    Attributes
    ----------
    layers
        Number of recurrent layers.
    """

    layers: int
    _cells: dict[str, Cells] = field(default_factory=dict)
    _keys: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    _rows: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    _sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, kind: str, exists: NDArray[np.bool_], position: Position) -> None:
        """Enter the ops of `kind`, such as ``matvec_h``, where `exists`, of shape (L, B, N), is true."""
        layer, sample, number = np.nonzero(exists)
        self._cells[kind], self._sizes[kind] = (layer, sample, number), (exists.shape[1], exists.shape[2])
        stage, macro, forward, order = (
            np.broadcast_to(np.asarray(part, dtype=np.int64), exists.shape[1:])[sample, number] for part in position
        )
        verb, _, stream = kind.rpartition("_")
        place = "between" if kind in BETWEEN else verb if verb in _BY_STREAM else kind
        reduces = int(place == "reduce")  # each sum over the tiles is made right after its product
        place = "matvec_t" if reduces else place
        slot = (FORWARD if place in FORWARD else BACKWARD).index(place)
        skew = np.where(forward, layer, self.layers - 1 - layer)
        # Forward, input before recurrent; backward, recurrent first, because the step before waits for it.
        second = np.where(forward, stream == "h", stream != "h")
        behind = int(kind in ("read", "read_reduce", "loss"))  # the read-out follows the last layer's gates
        slots = np.full_like(layer, slot)
        within = 2 * (2 * skew + second) + reduces
        self._keys[kind] = np.stack([sample, stage, macro + skew + behind, slots, order, within])

    def rank(self) -> None:
        """Give every op its row, in the order of the keys."""
        keys = np.concatenate([self._keys[kind] for kind in self._cells], axis=1)
        order = np.lexsort(keys[::-1])
        rows = np.empty(len(order), dtype=np.int64)
        rows[order] = np.arange(len(order))
        begin = 0
        for kind, (layer, sample, number) in self._cells.items():
            samples, numbers = self._sizes[kind]
            grid = np.full((self.layers + 2, samples, numbers + 4), NO_OP, dtype=np.int64)
            grid[layer + 1, sample, number + 2] = rows[begin : begin + len(layer)]
            self._rows[kind] = grid
            begin += len(layer)

    @property
    def size(self) -> int:
        """Number of ops."""
        return sum(len(layer) for layer, _, _ in self._cells.values())

    def kinds(self) -> Iterator[tuple[str, Cells]]:
        """Yield each kind with the layer, sample and number of its ops."""
        yield from self._cells.items()

    def rows(self, kind: str, cells: Cells, *, layer: int = 0, step: int = 0) -> NDArray[np.int64]:
        """Return the rows of the ops of `kind` that lie `layer` layers and `step` numbers from `cells`, NO_OP if none.

        Offsets are within one layer and two numbers. A number of -1 is none.
        """
        if kind not in self._rows:
            return np.full(len(cells[0]), NO_OP, dtype=np.int64)
        found: NDArray[np.int64] = self._rows[kind][cells[0] + layer + 1, cells[1], cells[2] + step + 2]
        return found
