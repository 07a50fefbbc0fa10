"""Every point there is, the last field changing fastest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.outcome import Outcome

if TYPE_CHECKING:
    from deltatrain.sim.sweep.space import Space

LEARNS = False
PATIENCE = 100_000
NEEDS: tuple[str, ...] = ()


class Grid:
    """The grid under way."""

    def __init__(self, space: Space) -> None:
        self._designs = space.designs()

    def ask(self) -> Design | None:
        """Return the next point."""
        return next(self._designs, None)

    def tell(self, design: Design, outcome: Outcome) -> None:
        """Learn nothing."""


def start(space: Space, seed: int, batch: int) -> Grid:
    """Return the grid of `space`; there is nothing to draw."""
    return Grid(space)
