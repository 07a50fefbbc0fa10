"""A training stated again: a network in PyTorch, AdamW with warm-up, cosine and clipping; beside it the trainer's own.

Weights may be kept on a grid: rounded to it when they are drawn and after every update. What two statements of one
training differ in by the order of their sums is then gone after each update, instead of growing over a thousand of
them; and a spike is a sum of few weights, so potentials hardly round at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from torch_spikes import TorchNetwork

from deltatrain.workloads.arrays.packing import Array
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.network.network import Parameters, Sizes, from_flat, initial_parameters
from deltatrain.workloads.optimisers import adamw
from deltatrain.workloads.training import training as trainer
from deltatrain.workloads.training.batches import epoch_batches
from deltatrain.workloads.training.drawing import INITIAL, ORDER, generator
from deltatrain.workloads.training.training import Trained, sizes_of, train
from deltatrain.workloads.workload import Workload

Tensor = Any
FIRST_MOMENT, SECOND_MOMENT, TINY = 0.9, 0.999, 1e-8
GRID = 2.0**-16


def on_grid(weights: Array, grid: float | None) -> Array:
    """Return `weights` rounded to multiples of `grid`; as they are without one."""
    return weights if grid is None else np.rint(weights / grid) * grid


def first_weights(workload: Workload, recordings: Recordings) -> Array:
    """Return what both statements begin with, shape (n,)."""
    rng = generator(workload.training, INITIAL, 0)
    bias = workload.training.forget_bias
    return initial_parameters(sizes_of(workload, recordings), rng, workload.dtype, bias).flat()


def batches(workload: Workload, part: Sequences) -> Iterator[tuple[int, Array]]:
    """Yield the epoch and the samples of each update, in the order in which the trainer takes them."""
    for epoch in range(workload.training.epochs):
        rng = generator(workload.training, ORDER, epoch)
        for chosen in epoch_batches(part.lengths, workload.training.batch, rng):
            yield epoch, chosen


def torch_gradient(
    torch: Any, workload: Workload, recordings: Recordings, weights: Array, chosen: Array
) -> tuple[float, Array]:
    """Return PyTorch's loss of a mini-batch and its gradient, clipped, shape (n,)."""
    part = recordings.train
    network = TorchNetwork(torch, from_flat(weights, sizes_of(workload, recordings)).arrays())
    loss = network.loss(*part.padded(chosen), part.labels[chosen])
    loss.backward()
    parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in network.tensors]
    gradient = torch.cat([one.flatten() for one in parts])
    scale = min(1.0, workload.training.clip_norm / float(gradient.norm()))
    return loss.item(), (scale * gradient).numpy()


def torch_training(
    torch: Any, workload: Workload, recordings: Recordings, grid: float | None = None
) -> tuple[list[float], float]:
    """Return the loss of each epoch and the final accuracy."""
    training, part = workload.training, recordings.train
    weights = on_grid(first_weights(workload, recordings), grid)
    m, v = np.zeros_like(weights), np.zeros_like(weights)
    order = list(batches(workload, part))
    losses = np.zeros(training.epochs)
    for update, (epoch, chosen) in enumerate(order):
        loss, gradient = torch_gradient(torch, workload, recordings, weights, chosen)
        losses[epoch] += loss * len(chosen) / len(part)
        rate = training.learning_rate * (1 + np.cos(np.pi * update / len(order))) / 2
        rate *= min(1.0, (update + 1) / (training.warm_up * len(order)))
        m = FIRST_MOMENT * m + (1 - FIRST_MOMENT) * gradient
        v = SECOND_MOMENT * v + (1 - SECOND_MOMENT) * gradient**2
        root = np.sqrt(v / (1 - SECOND_MOMENT ** (update + 1)))
        weights = on_grid(weights - rate * (m / (1 - FIRST_MOMENT ** (update + 1))) / (root + TINY), grid)
    network = TorchNetwork(torch, from_flat(weights, sizes_of(workload, recordings)).arrays())
    return losses.tolist(), network.accuracy(recordings.test)


def own_training(
    workload: Workload, recordings: Recordings, grid: float | None = None, nudge: Array | float = 0.0
) -> Trained:
    """Return what the trainer makes of a workload, its weights on a grid or nudged at first; all else is its own.

    Parameters
    ----------
    workload, recordings
        As for `workloads.training.training.train`.
    grid
        What weights are multiples of; None lets them be.
    nudge
        By what share of itself each first weight is moved, shape (n,).
    """
    update, initial = adamw.update, trainer.initial_parameters

    def drawn(sizes: Sizes, *args: Any) -> Parameters:
        return from_flat(on_grid(initial(sizes, *args).flat() * (1 + nudge), grid), sizes)

    def updated(*args: Any) -> tuple[Array, dict[str, Array]]:
        weights, memory = update(*args)
        return on_grid(weights, grid), memory

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "initial_parameters", drawn)
        patch.setattr(adamw, "update", updated)
        return train(workload, recordings)
