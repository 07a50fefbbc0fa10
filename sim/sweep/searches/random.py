"""Points drawn independently, every value of a list equally likely: the baseline of every other search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.outcome import Outcome

if TYPE_CHECKING:
    from deltatrain.sim.sweep.space import Space

LEARNS = False
PATIENCE = 100_000
NEEDS: tuple[str, ...] = ()


class Draws:
    """Random draws under way."""

    def __init__(self, space: Space, random: np.random.Generator) -> None:
        self._space, self._random = space, random

    def ask(self) -> Design | None:
        """Return the next point."""
        positions = self._random.random(len(self._space.order))
        return self._space.at(dict(zip(self._space.order, positions.tolist(), strict=True)))

    def tell(self, design: Design, outcome: Outcome) -> None:
        """Learn nothing."""


def start(space: Space, seed: int, batch: int) -> Draws:
    """Return draws from `space` with the seed given."""
    return Draws(space, np.random.default_rng(seed))
