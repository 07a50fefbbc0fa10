"""Truncated back-propagation through time: gradients go back to the beginning of a window of steps, and no further.

Williams and Peng, Neural Computation 2, 490 (1990), in the form that cuts a sequence into windows of
``training.gradient_steps`` steps: the cells go on from window to window, the loss is that of all steps, and weights are
updated after all of them. So a tape of one window is all that is kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.layer import LayerState, State
from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.network import network as networks
from deltatrain.workloads.network.fired import fired_in, nothing_fired
from deltatrain.workloads.network.network import Forward, Network, Parameters, wanted_rows
from deltatrain.workloads.network.state import cells_after
from deltatrain.workloads.rules import Learned
from deltatrain.workloads.tasks import TASKS

SPIKES_ONLY = True
ONLINE = False
BROADCASTS = False


def training_step(
    network: Network, parameters: Parameters, x: Array, lengths: NDArray[np.int64], labels: Array, before: State = ()
) -> Learned:
    """Return the loss and the gradients of the rule, of one mini-batch of a spiking network, whose samples begin.

    Neither beta nor `before` is looked at; every step has a loss.
    """
    steps, size = network.gradient_steps, len(lengths)
    assert steps is not None and network.readout == "every", "a workload with this rule says both"
    loss, fired, state = 0.0, nothing_fired(network.sizes), State()
    total, going = np.zeros_like(parameters.flat()), np.arange(size)
    for start in range(0, int(lengths.max()), steps):
        on = lengths[going] > start
        going, state = going[on], tuple(LayerState(one.values[:, on]) for one in state)
        part, own = x[start : start + steps, going], np.minimum(lengths[going] - start, steps)
        ran = networks.forward(network, parameters, part, own, state)
        of_window, g_logits = _loss(network, ran, labels[going], lengths[going] * size)
        step = networks.backward(network, parameters, ran, part, of_window, g_logits)
        fired += fired_in(network.sizes.cell, ran)
        loss, total, state = loss + of_window, total + step.gradients.flat(), cells_after(ran)
    return Learned(loss, networks.from_flat(total, network.sizes), fired)


def _loss(network: Network, ran: Forward, labels: Array, shares: NDArray[np.int64]) -> tuple[float, Array]:
    """Return the loss of a window and its gradient at the logits; a step of a sample counts 1 / `shares`, (B,)."""
    wanted = wanted_rows(network, ran.packing, labels)
    weights = network.weights_of(wanted) / wanted_rows(network, ran.packing, shares)
    return TASKS.load(network.task).loss(ran.logits, wanted, weights.astype(ran.logits.dtype))
