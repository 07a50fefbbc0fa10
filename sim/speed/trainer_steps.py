"""A step of the NumPy trainer, and the same step of torch.nn.LSTM where PyTorch is installed; one thread each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from deltatrain.accel.extras import installed
from deltatrain.sim.speed.reference import cpu_seconds, side_by_side
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network.network import Network, Sizes, forward, initial_parameters, training_step
from deltatrain.workloads.training.host_memory import reuse_freed_memory

_FEATURES, _CLASSES = 13, 10
_BISECTIONS = 20


class TrainerStep(NamedTuple):
    """What is trained: layers of an LSTM, samples, steps, and the share of recurrent deltas that fires.

    `occupancy` is None where thresholds are given, and not what fires.
    """

    hidden: tuple[int, ...]
    samples: int
    steps: int
    occupancy: float | None = None


class Seconds(NamedTuple):
    """CPU seconds of the fastest of our steps, and of those of PyTorch; None where it is not installed."""

    ours: float
    theirs: float | None


def measured(step: TrainerStep, repeats: int) -> Seconds:
    """Return what a step takes."""
    reuse_freed_memory()
    with threadpool_limits(limits=1, user_api="blas"):
        ours = _ours(step)
        if installed("torch"):
            from deltatrain.workloads.torch.ordinary_step import one_thread

            with one_thread():
                return Seconds(*side_by_side(ours, _theirs(step), repeats))
        ours()
        return Seconds(cpu_seconds(ours, repeats), None)


def _theirs(step: TrainerStep) -> Callable[[], object]:
    """Return what computes loss and gradients in PyTorch, as ours does."""
    from deltatrain.workloads.torch.ordinary_step import OrdinaryStep
    from deltatrain.workloads.torch.ordinary_step import Sizes as TorchSizes

    lengths = np.full(step.samples, step.steps)
    return OrdinaryStep(TorchSizes("delta_lstm", _FEATURES, step.hidden, _CLASSES, lengths)).gradients


def _ours(step: TrainerStep) -> Callable[[], object]:
    random = np.random.default_rng(0)
    sizes = Sizes(CELLS.load("delta_lstm"), _FEATURES, step.hidden, _CLASSES)
    parameters = initial_parameters(sizes, random, np.dtype(np.float32))
    drawn = random.standard_normal((step.steps, step.samples, _FEATURES))
    x = (drawn if step.occupancy is None else np.cumsum(0.3 * drawn, axis=0)).astype(np.float32)
    lengths, labels = np.full(step.samples, step.steps), random.integers(0, _CLASSES, step.samples)

    def fired(network: Network) -> float:
        return float(forward(network, parameters, x, lengths).tapes[0].fired_h.mean())

    network = _network(sizes, step.occupancy, fired)
    return lambda: training_step(network, parameters, x, lengths, labels)


def _network(sizes: Sizes, occupancy: float | None, fired: Callable[[Network], float]) -> Network:
    """Return the network; with an occupancy its threshold is the one at which that share fires."""
    if occupancy is None:
        return Network(sizes, ((0.3, 0.1),) * len(sizes.hidden), "last", 0.0)
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        theta = (low + high) / 2
        more = fired(Network(sizes, ((0.5, theta),), "last", 0.0)) > occupancy
        low, high = (theta, high) if more else (low, theta)
    return Network(sizes, ((0.5, high),), "last", 0.0)
