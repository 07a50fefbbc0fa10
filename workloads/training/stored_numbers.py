"""What fixed-point formats did to the numbers of a training: how many overflowed, and how many vanished.

What is counted is named in `accel.origin.STORED`: `M` and `dW` addition by addition; of `state` what the tape keeps in
``formats.state``; `W` whenever a weight is updated.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from deltatrain.accel.number import Integers, NumberFormat
from deltatrain.accel.origin import STORED

Whole = int | np.signedinteger[Any]
"""A count, of Python or NumPy."""


class Stored(NamedTuple):
    """Numbers that were stored.

    Attributes
    ----------
    values
        How many.
    overflowed
        How many did not fit and were clipped or wrapped. Of `state`, `h`, `g_M` and `W`, whose wide values no one
        keeps, how many stand at an end of their range.
    vanished
        How many were not zero and were rounded to zero: of `x` and `g` themselves, of `W` what it was to move by. The
        others' are not counted.
    """

    values: int = 0
    overflowed: int = 0
    vanished: int = 0


class Tally:
    """Adds up what was stored, by tensor, in all of an epoch's updates."""

    def __init__(self) -> None:
        self._counted = dict.fromkeys(STORED, Stored())

    def add(self, tensor: str, values: Whole, overflowed: Whole = 0, vanished: Whole = 0) -> None:
        """Count so many numbers more."""
        pairs = zip(self._counted[tensor], (values, overflowed, vanished), strict=True)
        self._counted[tensor] = Stored(*(int(before + more) for before, more in pairs))

    def rounded(self, tensor: str, exact: Integers, moved: Integers, stored: Integers) -> None:
        """Count numbers before rounding, after it, and as they were stored."""
        vanished = np.count_nonzero(exact) - np.count_nonzero(moved)
        self.add(tensor, stored.size, np.count_nonzero(moved != stored), vanished)

    def at_ends(self, tensor: str, stored: Integers, number: NumberFormat) -> None:
        """Count numbers of which those are too large that stand at an end of the range."""
        ends = np.count_nonzero(stored == number.lowest) + np.count_nonzero(stored == number.highest)
        self.add(tensor, stored.size, ends)

    def counted(self) -> dict[str, Stored]:
        """Return what was counted, by tensor."""
        return dict(self._counted)
