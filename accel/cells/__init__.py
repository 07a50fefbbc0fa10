"""Family: the arithmetic of each recurrent cell, one file each; `CellArithmetic` says what a member has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.cell_arithmetic import CellArithmetic
from deltatrain.accel.family import ModuleFamily

__all__ = ["CELL_ARITHMETIC", "CellArithmetic", "accumulator_rows", "bias_steps"]

CELL_ARITHMETIC = ModuleFamily[CellArithmetic]("deltatrain.accel.cells", "cell arithmetic", CellArithmetic)


def accumulator_rows(blocks: tuple[int, ...], width: int) -> NDArray[np.int64]:
    """Return for each row of a matrix the entry of M that it adds to, shape (len(blocks) * width,).

    Parameters
    ----------
    blocks
        `BLOCKS_X` or `BLOCKS_H` of a member.
    width
        H.
    """
    return (np.array(blocks, dtype=np.int64)[:, None] * width + np.arange(width)).ravel()


def bias_steps(arithmetic: CellArithmetic, steps: int) -> NDArray[np.bool_]:
    """Return at which of a sample's steps bias columns fire: at the first if M is kept from then on, else at each."""
    fires = np.full(steps, not arithmetic.KEPT)
    fires[:1] = True
    return fires
