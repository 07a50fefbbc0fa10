"""Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011; several objectives: Ozaki et al., 2022), Optuna's.

Proposing a point takes it some ten milliseconds, more with every point it knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltatrain.sim.sweep.searches._optuna import Learned

if TYPE_CHECKING:
    from deltatrain.sim.sweep.space import Space

LEARNS = True
PATIENCE = 200
NEEDS = ("optuna",)


def start(space: Space, seed: int, batch: int) -> Learned:
    """Return the search. Points of a batch are chosen without each other's results, so batches are small."""
    from optuna.samplers import TPESampler

    sampler = TPESampler(seed=seed, multivariate=True, constant_liar=True)
    return Learned(space, sampler, max(1, batch // 5))
