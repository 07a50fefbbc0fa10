"""What a rule knows of a matrix."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltatrain.workloads.arrays.packing import Array


class Matrix(NamedTuple):
    """A matrix whose weights are thinned.

    Attributes
    ----------
    rows, columns
        Its shape.
    gates
        Of how many gates of H rows it is made.
    lanes
        Lanes of the engine that it is meant for; neuron n of a gate is in lane n mod P.
    """

    rows: int
    columns: int
    blocks: int
    lanes: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows, self.columns

    @property
    def size(self) -> int:
        """Rows times columns."""
        return self.rows * self.columns

    def lane_of_rows(self) -> Array:
        """Return the lane of each row, shape (rows,)."""
        lane: Array = np.tile(np.arange(self.rows // self.blocks) % self.lanes, self.blocks)
        return lane
