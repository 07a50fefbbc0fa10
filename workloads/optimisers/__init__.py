"""Family: the optimisers, one file each; `Optimiser` says what a member has."""

from __future__ import annotations

from typing import Protocol

from deltatrain.accel.family import ModuleFamily
from deltatrain.workloads.arrays.packing import Array


class Optimiser(Protocol):
    """What makes of gradients the next parameters; all parameters are one flat vector."""

    def start(self, parameters: Array) -> dict[str, Array]:
        """Return the state before the first step."""

    def update(
        self,
        parameters: Array,
        gradient: Array,
        state: dict[str, Array],
        learning_rate: float | Array,
        momentum: float,
        weight_decay: float,
    ) -> tuple[Array, dict[str, Array]]:
        """Return the parameters and the state after one step; the rate is one for all, or one for each, (n,)."""

    def after_epoch(self, state: dict[str, Array], loss: float) -> dict[str, Array]:
        """Return the state after an epoch that ended with this `loss` a sample on the held-out part."""

    def evaluated(self, parameters: Array, state: dict[str, Array]) -> Array:
        """Return the parameters that are evaluated and kept, such as an average of all so far; shape (n,)."""


OPTIMISERS = ModuleFamily[Optimiser]("deltatrain.workloads.optimisers", "optimiser", Optimiser)
