"""Family: how the gradient of a mini-batch is found, one file each.

Every member has ``training_step(network, parameters, x, lengths, labels)``, which returns `Learned`; arguments as in
`workloads.network.network.training_step`. ``SPIKES_ONLY`` says whether it is for spiking cells alone.
"""

from __future__ import annotations

from typing import NamedTuple

from deltatrain.accel.family import ModuleFamily
from deltatrain.workloads.network.fired import Fired
from deltatrain.workloads.network.network import Parameters

__all__ = ["RULES", "Learned"]

RULES = ModuleFamily("deltatrain.workloads.rules", "training rule")


class Learned(NamedTuple):
    """What a rule makes of a mini-batch.

    Attributes
    ----------
    loss
        What is minimised: mean cross-entropy a sample, plus the regulariser.
    gradients
        Of every parameter, as the rule has them.
    fired
        What fired meanwhile.
    """

    loss: float
    gradients: Parameters
    fired: Fired
