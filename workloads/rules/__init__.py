"""Family: how the gradient of a mini-batch is found, one file each; `TrainingRule` says what a member has."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.family import ModuleFamily
from deltatrain.workloads.arrays.layer import State
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.network.fired import Fired
from deltatrain.workloads.network.network import Network, Parameters

__all__ = ["RULES", "Learned", "TrainingRule"]


class Learned(NamedTuple):
    """What a rule makes of a mini-batch.

    Attributes
    ----------
    loss
        What is minimised: mean loss a sample, plus the regulariser.
    gradients
        Of every parameter, as the rule has them.
    fired
        What fired meanwhile.
    after
        What a next window of the samples goes on from; empty of a rule that carries nothing.
    """

    loss: float
    gradients: Parameters
    fired: Fired
    after: State = ()


class TrainingRule(Protocol):
    """How gradients are found.

    Attributes
    ----------
    SPIKES_ONLY
        Whether it is for spiking cells alone.
    ONLINE
        Whether each step learns at once, from running traces, so that no tape of it is kept.
    BROADCASTS
        Whether the read-out sends its gradient to each layer below the last by a matrix of its own.
    """

    SPIKES_ONLY: bool
    ONLINE: bool
    BROADCASTS: bool

    def training_step(
        self,
        network: Network,
        parameters: Parameters,
        x: Array,
        lengths: NDArray[np.int64],
        labels: Array,
        before: State = (),
    ) -> Learned:
        """Return loss and gradients of one mini-batch; arguments as of `workloads.network.network.training_step`."""


RULES = ModuleFamily[TrainingRule]("deltatrain.workloads.rules", "training rule", TrainingRule)
