"""What a machine makes of gradients: the table `machine_optimiser` of how a workload learns."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from deltatrain.accel.description import Description, NonNegativeFloat, PositiveFloat, not_there
from deltatrain.accel.modes import update_products


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
    clip_norm
        The Euclidean norm of the gradient of the mean loss, over all weights together, from which on the learning rate
        is lowered so that the step gets no longer (`accel.modes.norm`). Left out, nothing is clipped. A gradient that
        dW holds together with a velocity cannot be clipped: then `momentum` and `weight_decay` must be 0.
    """

    momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0
    weight_decay: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat | None = Field(default=None, exclude_if=not_there)

    @property
    def mode(self) -> str:
        """The mode of `accel.modes` that updates the weights."""
        if self.weight_decay:
            return "update_decay"
        return "update_momentum" if self.momentum else "update"

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes that work on dW of each matrix, one after the other: the last one updates the weights."""
        return (self.mode,) if self.clip_norm is None else ("norm", self.mode)

    @property
    def products(self) -> int:
        """Products of each weight in an update."""
        return update_products(self.modes)

    @property
    def remembers(self) -> bool:
        """Whether a step depends on the steps before it, by more than the weights."""
        return self.mode != "update"

    @model_validator(mode="after")
    def _gradient_is_alone_where_it_is_clipped(self) -> Self:
        if self.clip_norm is not None and self.remembers:
            raise ValueError(
                f"clip_norm must be left out with momentum or weight_decay, not {self.clip_norm:g}: dW then holds more "
                "than the gradient"
            )
        return self

    @property
    def words(self) -> str:
        """What it is called for people."""
        parts = [f"{name.replace('_', ' ')} {value:g}" for name, value in self if value]
        return f"gradient descent with {' and '.join(parts)}" if parts else "plain gradient descent"


PLAIN = MachineOptimiser()


def is_plain(optimiser: Any) -> bool:
    """Tell whether a machine's optimiser needs no word."""
    return isinstance(optimiser, MachineOptimiser) and optimiser == PLAIN
