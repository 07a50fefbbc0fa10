"""What a machine makes of gradients: the table `machine_optimiser` of how a workload learns."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from deltatrain.accel.description import Description, NonNegativeFloat
from deltatrain.accel.modes import update_mode


class MachineOptimiser(Description):
    """How a machine updates weights; plain gradient descent if the table is left out.

    Attributes
    ----------
    momentum
        Share of the velocity that is kept for the next step. The machine keeps it in dW's own memory
        (`accel.modes.update_momentum`).
    weight_decay
        What of the weights is added to the gradient of the mean loss, as torch.optim.SGD has it
        (`accel.modes.update_decay`).
    """

    momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0
    weight_decay: NonNegativeFloat = 0.0

    @property
    def mode(self) -> str:
        """The mode of `accel.modes` that updates the weights."""
        if self.weight_decay:
            return "update_decay"
        return "update_momentum" if self.momentum else "update"

    @property
    def products(self) -> int:
        """Products of each weight in an update."""
        return update_mode(self.mode).PRODUCTS

    @property
    def remembers(self) -> bool:
        """Whether a step depends on the steps before it, by more than the weights."""
        return self.mode != "update"

    @property
    def words(self) -> str:
        """What it is called for people."""
        parts = [f"{name.replace('_', ' ')} {value:g}" for name, value in self if value]
        return f"gradient descent with {' and '.join(parts)}" if parts else "plain gradient descent"


PLAIN = MachineOptimiser()


def is_plain(optimiser: Any) -> bool:
    """Tell whether a machine's optimiser needs no word."""
    return isinstance(optimiser, MachineOptimiser) and optimiser == PLAIN
