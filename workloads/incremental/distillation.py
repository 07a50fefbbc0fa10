"""What keeps old classes: beside the cross-entropy, the old network's chances of them in the recordings kept."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deltatrain.workloads.arrays.layer import State
from deltatrain.workloads.arrays.packing import Array, pack, sample_of_rows
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.network.fired import fired_in
from deltatrain.workloads.network.network import Network, Parameters, backward, forward, loss_of, row_weights
from deltatrain.workloads.network.state import cells_after
from deltatrain.workloads.rules import Learned
from deltatrain.workloads.training.streams import Window


class Teacher(NamedTuple):
    """What the network before a task says of the recordings that the task trains with.

    Attributes
    ----------
    chances
        The same recordings; their labels are the sigmoids of its logits of each step, shape (steps, K). Those of
        recordings of new classes are not looked at.
    weight
        What the distillation counts for beside the cross-entropy.
    """

    chances: Sequences
    weight: float = 1.0

    def step(self, network: Network, parameters: Parameters, window: Window, before: State) -> Learned:
        """Return loss and gradients of a window: cross-entropy, and distillation of recordings of the K old classes."""
        ran = forward(network, parameters, window.x, window.lengths, before)
        loss, g_logits = loss_of(network, ran, window.labels)
        chances = pack(self.chances.wanted(window.samples), ran.packing)
        classes = chances.shape[1]
        of_old = (window.labels < classes)[sample_of_rows(ran.packing)]
        weights = self.weight * row_weights(network.readout, ran.packing) * of_old
        more, g_old = binary_loss(ran.logits[:, :classes], chances, weights.astype(ran.logits.dtype))
        g_logits[:, :classes] += g_old
        found = backward(network, parameters, ran, window.x, loss + more, g_logits)
        return Learned(found.loss, found.gradients, fired_in(network.sizes.cell, ran), cells_after(ran))


def binary_loss(logits: Array, chances: Array, weights: Array) -> tuple[float, Array]:
    """Return the binary cross-entropies of rows, (R, K) both, summed over K and with `weights`, (R,); and its gradient.

    In nats; with the chances of the logits themselves the gradient is 0.
    """
    small = np.exp(-np.abs(logits))
    losses = np.maximum(logits, 0) - logits * chances + np.log1p(small)
    gradient = chances_of(logits) - chances
    gradient *= weights[:, None]
    return float(losses.sum(axis=1) @ weights), gradient


def chances_of(logits: Array) -> Array:
    """Return the sigmoid of each logit."""
    small = np.exp(-np.abs(logits))
    chances: Array = np.where(logits >= 0, 1, small) / (1 + small)
    return chances.astype(logits.dtype)
