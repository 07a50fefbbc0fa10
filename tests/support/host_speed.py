"""Host speed: CPU seconds of a piece of work, and figures that are printed and, where they are ratios, held to a bound.

Seconds say how fast the machine is and never fail. What has nothing to be compared with is compared with the reference,
a fixed piece of work that is measured beside it; the bounds are several times what was measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest


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


def _reference() -> None:
    total = 0
    for number in range(600_000):
        total += number & 7
    np.random.default_rng(0).random(600_000).sort()


class Figures:
    """The figures of one test.

    Parameters
    ----------
    record
        Takes the name of a property and its value: what was measured, the number, its unit, its bound if it has one.
    """

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record

    def tell(self, what: str, value: float, unit: str) -> None:
        """Print a figure."""
        self._record("figure", [what, value, unit, None])

    def at_most(self, most: float, what: str, ratio: Callable[[], float]) -> None:
        """Measure a ratio and print it; above `most`, measure once more and fail if it is above again."""
        for _ in range(2):
            found = ratio()
            self._record("figure", [what, found, "times", most])
            if found <= most:
                return
        pytest.fail(f"{what}: {found:.3g} times, measured twice; at most {most:g} are accepted")

    def at_most_references(self, most: float, what: str, seconds: Callable[[], float]) -> None:
        """Measure CPU seconds and print them; they are at most `most` times those of the reference beside them."""

        def ratio() -> float:
            before, found, after = reference_seconds(), seconds(), reference_seconds()
            self.tell(what, found, "CPU s")
            return found / min(before, after)

        self.at_most(most, f"{what}, beside the reference", ratio)
