"""NSGA-II (Deb et al., IEEE Trans. Evol. Comput. 6, 2002), Optuna's: for fronts of several objectives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltatrain.sim.sweep.searches._optuna import Learned

if TYPE_CHECKING:
    from deltatrain.sim.sweep.space import Space

LEARNS = True
PATIENCE = 1000
NEEDS = ("optuna",)


def start(space: Space, seed: int, batch: int) -> Learned:
    """Return the search; a batch is a population."""
    from optuna.samplers import NSGAIISampler

    return Learned(space, NSGAIISampler(population_size=max(2, batch), seed=seed), max(2, batch))
