"""Online training through time: no tape at all; each step learns from what it sees and from traces of what it saw.

Xiao et al., NeurIPS 2022 (arXiv 2210.04195), the variant that updates after all steps (OTTT_A). The gradient at a
potential is the instantaneous one, through the layers of the same step and never through time:

    g(u[t]) = sg(u[t]) * (gradient of the loss of step t with respect to s[t]).

So memory does not grow with T, and the gradient is biased, except in a single layer whose spikes do not come back:
there a leak that lets everything through makes the two sums over time the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.layer import State
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.network.network import Network, Parameters
from deltatrain.workloads.rules import Learned
from deltatrain.workloads.rules._online import online_step

SPIKES_ONLY = True
ONLINE = True
BROADCASTS = False


def training_step(
    network: Network, parameters: Parameters, x: Array, lengths: NDArray[np.int64], labels: Array, before: State = ()
) -> Learned:
    """Return the loss and the gradients of the rule, of one mini-batch of a spiking network, whose samples begin.

    Neither beta nor `before` is looked at.
    """
    return online_step(network, parameters, x, lengths, labels, _signals)


def _signals(parameters: Parameters, g_logits: Array, slopes: Sequence[Array]) -> list[Array]:
    """Return the gradients at the potentials: back from the read-out, layer by layer."""
    found, g = list[Array](), g_logits @ parameters.W_out
    for layer, slope in zip(reversed(parameters.layers), reversed(slopes), strict=True):
        g_u = g * slope
        found.append(g_u)
        g = g_u @ layer.W_x
    return found[::-1]
