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
        P, lanes of the engine that it is meant for; row r is in lane r mod P.
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
        lane: Array = np.arange(self.rows) % self.lanes
        return lane
