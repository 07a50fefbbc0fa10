"""A step of the NumPy trainer, and the same step of torch.nn.LSTM where PyTorch is installed; one thread each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from deltatrain.accel.extras import installed
from deltatrain.sim.speed.reference import cpu_seconds, side_by_side
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.cells._steps import STEPS_IN_NUMPY
from deltatrain.workloads.network.network import Network, Sizes, forward, initial_parameters, training_step
from deltatrain.workloads.training.host_memory import reuse_freed_memory

_FEATURES, _CLASSES = 13, 10
_BISECTIONS, _MOST_THETA = 20, 4.0


class TrainerStep(NamedTuple):
    """What is trained: layers of an LSTM, samples, steps, and the share of deltas that fires in every stream."""

    hidden: tuple[int, ...]
    samples: int
    steps: int
    occupancy: float


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
            with one_torch_thread():
                return Seconds(*side_by_side(ours, _theirs(step), repeats))
        ours()
        return Seconds(cpu_seconds(ours, repeats), None)


def _theirs(step: TrainerStep) -> Callable[[], object]:
    """Return what computes loss and gradients in PyTorch, as ours does."""
    from deltatrain.workloads.torch.ordinary_step import OrdinaryStep
    from deltatrain.workloads.torch.ordinary_step import Sizes as TorchSizes

    lengths = np.full(step.samples, step.steps)
    return OrdinaryStep(TorchSizes("delta_lstm", _FEATURES, step.hidden, _CLASSES, lengths)).gradients


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Have PyTorch compute with one thread while the block runs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _ours(step: TrainerStep) -> Callable[[], object]:
    """Return what computes loss and gradients here, when this process has come to compile its steps."""
    random = np.random.default_rng(0)
    sizes = Sizes(CELLS.load("delta_lstm"), _FEATURES, step.hidden, _CLASSES)
    parameters = initial_parameters(sizes, random, np.dtype(np.float32))
    x = np.cumsum(0.3 * random.standard_normal((step.steps, step.samples, _FEATURES)), axis=0).astype(np.float32)
    lengths, labels = np.full(step.samples, step.steps), random.integers(0, _CLASSES, step.samples)
    thetas = _thresholds(sizes, step.occupancy, lambda network: forward(network, parameters, x, lengths).tapes)
    network = _network(sizes, thetas)

    def ours() -> object:
        return training_step(network, parameters, x, lengths, labels)

    for _ in range(1 + STEPS_IN_NUMPY // step.steps):
        ours()
    return ours


def _thresholds(sizes: Sizes, occupancy: float, tapes: Callable[[Network], Sequence[Any]]) -> list[list[float]]:
    """Return the thresholds of x and h of each layer at which that share fires, found one after the other."""
    thetas = [[0.0, 0.0] for _ in sizes.hidden]
    if occupancy == 1:
        return thetas
    for layer, stream in np.ndindex(len(thetas), 2):
        low, high = 0.0, _MOST_THETA
        for _ in range(_BISECTIONS):
            thetas[layer][stream] = theta = (low + high) / 2
            tape = tapes(_network(sizes, thetas))[layer]
            more = (tape.fired_x, tape.fired_h)[stream].mean() > occupancy
            low, high = (theta, high) if more else (low, theta)
        thetas[layer][stream] = high
    return thetas


def _network(sizes: Sizes, thetas: Sequence[Sequence[float]]) -> Network:
    return Network(sizes, tuple((x, h) for x, h in thetas), "last", 0.0)
