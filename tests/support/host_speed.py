"""Figures of host speed that are printed and, where they are ratios, held to a bound.

Seconds say how fast the machine is and never fail. What has no peer to stand beside is compared with the reference of
`sim.speed.reference`; the bounds are several times what was measured. What got slower than the baseline by more than
the noise that `sim.speed.figure` lets pass is measured once more, and the lesser counts.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deltatrain.sim.speed.baseline import Baseline
from deltatrain.sim.speed.figure import SLOWER, Figure
from deltatrain.sim.speed.reference import beside_reference


class Figures:
    """The figures of one test.

    Parameters
    ----------
    record
        Takes each figure and the bound of what is compared; None if it has none.
    baseline
        What figures were.
    """

    def __init__(self, record: Callable[[Figure, float | None], None], baseline: Baseline) -> None:
        self._record, self._baseline = record, baseline

    def tell(self, what: str, value: float, unit: str) -> None:
        """Print a figure."""
        self._record(Figure(what, value, unit), None)

    def at_most(self, most: float, what: str, ratio: Callable[[], float]) -> None:
        """Measure a ratio and print it; it is at most `most`."""

        def measure() -> Figure:
            found = ratio()
            return Figure(what, found, "times", relative=found)

        self.hold(most, measure)

    def at_most_references(self, most: float, what: str, seconds: Callable[[], float]) -> None:
        """Measure CPU seconds and print them; they are at most `most` times those of the reference beside them."""

        def measure() -> Figure:
            found = beside_reference(seconds)
            return Figure(what, found.seconds, "CPU s", relative=found.references)

        self.hold(most, measure)

    def at_most_peer(self, most: float, what: str, peer: str, seconds: Callable[[], tuple[float, float]]) -> None:
        """Measure our CPU seconds and those of a peer, and print both; ours are at most `most` times theirs."""

        def measure() -> Figure:
            ours, theirs = seconds()
            return Figure(what, ours, "CPU s", peer, theirs, ours / theirs)

        self.hold(most, measure)

    def hold(self, most: float, measure: Callable[[], Figure]) -> None:
        """Print a figure; above `most`, or slower than it was, it is measured again; above `most` twice it fails."""
        found = self._baseline.beside(measure())
        if _relative(found) > min(most, SLOWER * (found.baseline or most)):
            found = min(found, self._baseline.beside(measure()), key=_relative)
        self._record(found, most)
        if _relative(found) > most:
            beside = f" of {found.peer}" * bool(found.peer)
            pytest.fail(f"{found.what}: {found.relative:.3g} times that{beside}, twice; at most {most:g} are accepted")


def _relative(figure: Figure) -> float:
    assert figure.relative is not None
    return figure.relative
