"""What a machine makes of gradients: the table `machine_optimiser` of how a workload learns."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from deltatrain.accel.description import Description, NonNegativeFloat, PositiveFloat, not_there
from deltatrain.accel.modes.moments import SQUARE_SHIFT


class MachineOptimiser(Description):
    """How a machine updates weights; plain gradient descent if the table is left out.

    Attributes
    ----------
    name
        "sgd", gradient descent, or "adam", whose two means of every weight lie beside dW (`accel.modes.moments`).
    momentum
        Share of the velocity that is kept for the next step. The machine keeps it in dW's own memory
        (`accel.modes.update_momentum`). Of adam it is beta_1.
    weight_decay
        What of the weights is added to the gradient of the mean loss, as torch.optim.SGD has it
        (`accel.modes.update_decay`).
    clip_norm
        The Euclidean norm of the gradient of the mean loss, over all weights together, from which on the learning rate
        is lowered so that the step gets no longer (`accel.modes.norm`). Left out, nothing is clipped. A gradient that
        dW holds together with a velocity cannot be clipped: then `momentum` and `weight_decay` must be 0.
    """

    name: Literal["sgd", "adam"] = "sgd"
    momentum: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0
    weight_decay: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat | None = Field(default=None, exclude_if=not_there)

    @property
    def mode(self) -> str:
        """The mode of `accel.modes` that updates the weights."""
        if self.name == "adam":
            return "update"
        if self.weight_decay:
            return "update_decay"
        return "update_momentum" if self.momentum else "update"

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes that work on dW of each matrix, one after the other: the last one updates the weights."""
        first = () if self.clip_norm is None else ("norm",)
        return (*first, *(("moments",) if self.name == "adam" else ()), self.mode)

    @property
    def remembers(self) -> bool:
        """Whether a step depends on the steps before it, by more than the weights."""
        return self.name == "adam" or self.mode != "update"

    @model_validator(mode="after")
    def _gradient_is_alone_where_it_is_clipped(self) -> Self:
        if self.name == "adam" and (self.weight_decay or self.clip_norm is not None):
            raise ValueError("weight_decay and clip_norm must be left out with 'adam', which machines do without")
        if self.clip_norm is not None and self.remembers:
            raise ValueError(
                f"clip_norm must be left out with momentum or weight_decay, not {self.clip_norm:g}: dW then holds more "
                "than the gradient"
            )
        return self

    @property
    def words(self) -> str:
        """What it is called for people."""
        parts = [f"{name.replace('_', ' ')} {value:g}" for name, value in self if value and name != "name"]
        what = "adam" if self.name == "adam" else "gradient descent"
        return f"{what} with {' and '.join(parts)}" if parts else f"plain {what}"

    @property
    def further_numbers(self) -> int:
        """Numbers that are remembered of each weight beside dW, each in as many bytes as dW has."""
        return 2 if self.name == "adam" else 0

    @property
    def has_own_scale(self) -> bool:
        """Whether its steps are the same whatever all gradients are multiplied with."""
        return self.name == "adam"

    def bias_correction(self, updates: int) -> float:
        """Return what the learning rate of an update is multiplied with that is the first, or so many later."""
        if self.name != "adam":
            return 1.0
        done = max(1, updates)
        return float(np.sqrt(1 - (1 - 2.0**-SQUARE_SHIFT) ** done) / (1 - self.momentum**done))


PLAIN = MachineOptimiser()


def is_plain(optimiser: Any) -> bool:
    """Tell whether a machine's optimiser needs no word."""
    return isinstance(optimiser, MachineOptimiser) and optimiser == PLAIN
