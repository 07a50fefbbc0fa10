"""What a driver takes: integers of a shape and a range, and else an error that names what is wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from deltatrain.accel.number import Integers

__all__ = ["accepted"]


def accepted(name: str, values: ArrayLike, shape: tuple[int, ...], lowest: int, highest: int) -> Integers:
    """Return `values` as an array of integers.

    Parameters
    ----------
    name
        What they are, for the error.
    values
        What was given.
    shape, lowest, highest
        What they must be of, and within.

    Raises
    ------
    ValueError
        If they are of another shape, no integers, or out of range.
    """
    given = np.asarray(values)
    if given.shape != shape:
        raise ValueError(f"{name} is of shape {shape}, not {given.shape}")
    if given.dtype.kind not in "iu":
        raise ValueError(f"{name} is in the machine's integers, not in {given.dtype}")
    for value in (given.min(), given.max()) if given.size else ():
        if not lowest <= value <= highest:
            raise ValueError(f"{name} holds {lowest} to {highest}, not {value}")
    return given.astype(np.int64)
