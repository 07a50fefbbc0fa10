"""Points spread evenly (quasi-Monte Carlo): they cover a space with fewer points than random draws do.

The sequence is Kronecker's, u_n = frac(s + n a), with the steps a_i = phi^-i of M. Roberts ("The unreasonable
effectiveness of quasirandom sequences", 2018), where phi is the positive root of x^(d+1) = x + 1 in d dimensions, and a
random shift s (Cranley and Patterson, SIAM J. Numer. Anal. 13, 1976).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltatrain.sim.sweep.axis import Design
from deltatrain.sim.sweep.outcome import Outcome

if TYPE_CHECKING:
    from deltatrain.sim.sweep.space import Space

LEARNS = False
PATIENCE = 100_000
NEEDS: tuple[str, ...] = ()


class Spread:
    """The sequence under way."""

    def __init__(self, space: Space, random: np.random.Generator) -> None:
        self._space = space
        self._step = steps(len(space.order))
        self._position = random.random(len(space.order))

    def ask(self) -> Design | None:
        """Return the next point."""
        self._position = (self._position + self._step) % 1.0
        return self._space.at(dict(zip(self._space.order, self._position.tolist(), strict=True)))

    def tell(self, design: Design, outcome: Outcome) -> None:
        """Learn nothing."""


def start(space: Space, seed: int, batch: int) -> Spread:
    """Return the sequence over `space`, shifted by a draw with the seed given."""
    return Spread(space, np.random.default_rng(seed))


def steps(dimensions: int) -> NDArray[np.float64]:
    """Return how far each coordinate moves from one point to the next, shape (dimensions,)."""
    phi = 2.0
    for _ in range(64):  # each iteration halves the error at least
        phi = (1 + phi) ** (1 / (dimensions + 1))
    return phi ** -np.arange(1.0, dimensions + 1)
