"""Back-propagation through time: the exact gradient, from the tape of every step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from workloads import network as networks
from workloads.fired import fired_in
from workloads.network import Network, Parameters
from workloads.packing import Array
from workloads.rules import Learned

SPIKES_ONLY = False


def training_step(
    network: Network, parameters: Parameters, x: Array, lengths: NDArray[np.int64], labels: NDArray[np.int64]
) -> Learned:
    """Return loss and gradients of one mini-batch; as `workloads.network.training_step`."""
    step = networks.training_step(network, parameters, x, lengths, labels)
    return Learned(step.loss, step.gradients, fired_in(step.forward))
