"""Family: one file for each way of choosing points; `SearchKind` says what a member has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from deltatrain.accel.family import ModuleFamily
from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.outcome import Outcome

if TYPE_CHECKING:
    from deltatrain.sim.sweep.space import Space

__all__ = ["SEARCHES", "Search", "SearchKind"]


class Search(Protocol):
    """A search under way."""

    def ask(self) -> Design | None:
        """Return the next point, or None if there is none before more is told."""

    def tell(self, design: Design, outcome: Outcome) -> None:
        """Learn how the point did that was asked for longest ago."""


class SearchKind(Protocol):
    """A way of choosing points.

    Attributes
    ----------
    LEARNS
        Whether it learns from what it is told.
    PATIENCE
        How many points in a row that bring nothing new end it.
    NEEDS
        The libraries of `accel.extras` that it needs.
    """

    LEARNS: bool
    PATIENCE: int
    NEEDS: tuple[str, ...]

    def start(self, space: Space, seed: int, batch: int) -> Search:
        """Return a search of `space`, which is asked for `batch` points at a time."""


SEARCHES = ModuleFamily[SearchKind]("deltatrain.sim.sweep.searches", "search", SearchKind)
