"""Back-propagation through time: the exact gradient, from the tape of every step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.layer import State
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.network import network as networks
from deltatrain.workloads.network.fired import fired_in
from deltatrain.workloads.network.network import Network, Parameters
from deltatrain.workloads.network.state import cells_after
from deltatrain.workloads.rules import Learned

SPIKES_ONLY = False
ONLINE = False
BROADCASTS = False


def training_step(
    network: Network, parameters: Parameters, x: Array, lengths: NDArray[np.int64], labels: Array, before: State = ()
) -> Learned:
    """Return loss and gradients of one mini-batch; as `workloads.network.network.training_step`."""
    step = networks.training_step(network, parameters, x, lengths, labels, before)
    fired = fired_in(network.sizes.cell, step.forward)
    return Learned(step.loss, step.gradients, fired, cells_after(step.forward))
