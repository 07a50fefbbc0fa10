"""CPU seconds of a piece of work, and of the reference: fixed work measured beside it, since hosts differ."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Measured(NamedTuple):
    """CPU seconds of a piece of work, and those of the reference in the same minute."""

    seconds: float
    reference_seconds: float

    @property
    def references(self) -> float:
        """How many references it takes."""
        return self.seconds / self.reference_seconds


def cpu_seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the CPU seconds of this process that `work` takes, the least of some repeats."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def reference_seconds() -> float:
    """Return the CPU seconds of the reference: Python counts to 600,000, NumPy sorts 600,000 numbers."""
    return cpu_seconds(_reference)


def beside_reference(seconds: Callable[[], float]) -> Measured:
    """Return the CPU seconds that `seconds` finds, and those of the reference, measured before and after."""
    before, found, after = reference_seconds(), seconds(), reference_seconds()
    return Measured(found, min(before, after))


def side_by_side(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the least CPU seconds of each of two pieces of work, which take turns: both meet the same neighbours."""
    for work in (ours, theirs) * 3:
        work()
    times = [(cpu_seconds(ours, 1), cpu_seconds(theirs, 1)) for _ in range(repeats)]
    return min(own for own, _ in times), min(other for _, other in times)


def _reference() -> None:
    total = 0
    for number in range(600_000):
        total += number & 7
    np.random.default_rng(0).random(600_000).sort()
