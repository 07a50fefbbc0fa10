"""Action counts: what ops do, whatever the time they take."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


class Work(NamedTuple):
    """Actions of a set of ops, one array entry for each op.

    Attributes
    ----------
    macs
        Multiply-accumulates on the lanes, of real rows only.
    multiplies
        Multiplications in the element-wise unit.
    compares
        Threshold comparisons in the encoder.
    local_read_bytes, local_write_bytes
        Bytes that the unit reads from and writes to local SRAM, buffers included.
    exchange_bytes
        Bytes that go to every tile, or come from every tile, counted once.
    """

    macs: Counts | int = 0
    multiplies: Counts | int = 0
    compares: Counts | int = 0
    local_read_bytes: Counts | int = 0
    local_write_bytes: Counts | int = 0
    exchange_bytes: Counts | int = 0
