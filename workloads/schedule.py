"""The order of a training step's ops, and who waits for whom: a grid of ops over layers, samples and steps.

Samples follow each other, each forward and then backward. In either pass the layers run skewed, each one step behind
the layer it depends on, so that one layer's gates are computed while the lanes work on the other layers' products:

    macro step      0          1          2                     T-1     T
    layer 0       step 0     step 1     step 2     ...          T-1
    layer 1                  step 0     step 1     ...          T-2     T-1

Within a macro step every unit takes its ops in the order of `FORWARD` or `BACKWARD`. Input deltas come before
recurrent deltas, so they run ahead of the recurrence; weight gradients come after everything that the recurrence waits
for, so they fill the lanes while the gates work. With several tiles the lists of the backward pass are sent to all of
them once more while the lanes work on the weight gradients of the step before (``resend``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from accel.program import NO_OP

Cells = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Layer, sample and step of the ops of one kind."""

FORWARD = ("load_x", "read", "encode", "broadcast", "read_reduce", "loss", "matvec", "gates", "store_tape")
BACKWARD = ("read_t", "gates_backward", "matvec_t", "load_tape", "resend", "outer", "read_outer")

_FORWARD_PASS, _BACKWARD_PASS = 0, 1


@dataclass
class Schedule:
    """The grid of ops: which exist, and after `rank` the row of each in the op table.

    Attributes
    ----------
    layers
        Number of recurrent layers.
    lengths
        Steps of each sample, shape (B,).
    """

    layers: int
    lengths: NDArray[np.int64]
    _cells: dict[str, Cells] = field(default_factory=dict)
    _keys: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    _rows: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def add(self, kind: str, exists: NDArray[np.bool_]) -> None:
        """Enter the ops of `kind`, such as ``matvec_h``, where `exists`, of shape (L, B, T), is true."""
        layer, sample, step = np.nonzero(exists)
        self._cells[kind] = (layer, sample, step)
        verb, _, stream = kind.rpartition("_")
        place = verb if stream in ("x", "h") and verb != "load" else kind
        reduces = place == "reduce"  # each sum over the tiles is made right after its product
        place = "matvec_t" if reduces else place
        forward = place in FORWARD
        skew = layer if forward else self.layers - 1 - layer
        macro = (step if forward else self.lengths[sample] - 1 - step) + skew
        if kind in ("read", "read_reduce", "loss"):  # the read-out follows the last layer's gates
            macro = macro + 1
        if place in ("load_tape", "resend"):  # what is needed of a step comes during the one before
            macro = macro - 1
        slot = (FORWARD if forward else BACKWARD).index(place)
        # Forward, input before recurrent; backward, recurrent first, because the step before waits for it.
        second = int((stream == "h") == forward)
        half = np.full_like(layer, _FORWARD_PASS if forward else _BACKWARD_PASS)
        within = 2 * (2 * skew + second) + reduces
        self._keys[kind] = np.stack([sample, half, macro, np.full_like(layer, slot), within])

    def rank(self) -> None:
        """Give every op its row, in the order of the keys."""
        keys = np.concatenate([self._keys[kind] for kind in self._cells], axis=1)
        order = np.lexsort(keys[::-1])
        rows = np.empty(len(order), dtype=np.int64)
        rows[order] = np.arange(len(order))
        steps = int(self.lengths.max(initial=0))
        begin = 0
        for kind, (layer, sample, step) in self._cells.items():
            grid = np.full((self.layers + 2, len(self.lengths), steps + 4), NO_OP, dtype=np.int64)
            grid[layer + 1, sample, step + 2] = rows[begin : begin + len(layer)]
            self._rows[kind] = grid
            begin += len(layer)

    @property
    def size(self) -> int:
        """Number of ops."""
        return sum(len(layer) for layer, _, _ in self._cells.values())

    def kinds(self) -> Iterator[tuple[str, Cells]]:
        """Yield each kind with the layer, sample and step of its ops."""
        yield from self._cells.items()

    def rows(self, kind: str, cells: Cells, *, layer: int = 0, step: int = 0) -> NDArray[np.int64]:
        """Return the rows of the ops of `kind` that lie `layer` layers and `step` steps from `cells`, NO_OP if none.

        Offsets are within one layer and two steps.
        """
        if kind not in self._rows:
            return np.full(len(cells[0]), NO_OP, dtype=np.int64)
        found: NDArray[np.int64] = self._rows[kind][cells[0] + layer + 1, cells[1], cells[2] + step + 2]
        return found
