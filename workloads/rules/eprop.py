"""e-prop: eligibility traces of what came in, and a learning signal that the read-out sends to each layer itself.

Bellec et al., Nature Communications 11, 3625 (2020), for leaky integrate-and-fire neurons without adaptation: the
eligibility of a weight is sg(u_j[t]) a_i[t], with a the filtered spikes of its presynaptic neuron, and

    dW_ji += L_j[t] sg(u_j[t]) a_i[t],   L_j[t] = sum over k of B_jk * (gradient of logit k at step t).

B of the last layer is W_out transposed (the paper's symmetric e-prop), where the rule is that of `ottt`. The layers
below it have random weights that stay as they are (its random e-prop), here normal with the deviation 1 / sqrt(H) of
the last layer, which is ours. So no gradient passes from layer to layer: no layer waits for another, and no W_x is read
backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.layer import State
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.network.network import Network, Parameters
from deltatrain.workloads.rules import Learned
from deltatrain.workloads.rules._online import online_step

SPIKES_ONLY = True
ONLINE = True
BROADCASTS = True

_SEED = 3625


def training_step(
    network: Network, parameters: Parameters, x: Array, lengths: NDArray[np.int64], labels: Array, before: State = ()
) -> Learned:
    """Return the loss and the gradients of the rule, of one mini-batch of a spiking network, whose samples begin.

    Neither beta nor `before` is looked at.
    """
    return online_step(network, parameters, x, lengths, labels, _signals)


@lru_cache(maxsize=64)
def broadcast(number: int, classes: int, width: int, last_width: int) -> NDArray[np.float64]:
    """Return B of layer `number`, which is not the last one: what brings the logits' gradients to it, shape (C, H)."""
    drawn: NDArray[np.float64] = np.random.default_rng([_SEED, number]).standard_normal((classes, width))
    drawn *= last_width**-0.5
    return drawn


def _signals(parameters: Parameters, g_logits: Array, slopes: Sequence[Array]) -> list[Array]:
    """Return the gradients at the potentials: from the read-out to each layer at once."""
    classes, last_width = parameters.W_out.shape
    below = [
        g_logits @ broadcast(number, classes, slope.shape[1], last_width).astype(g_logits.dtype) * slope
        for number, slope in enumerate(slopes[:-1])
    ]
    return [*below, g_logits @ parameters.W_out * slopes[-1]]
