"""Deltas that fire by statistics: for questions about the machine that need no training, no data and no network."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import cast

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.host_memory import check_room
from deltatrain.workloads.cells import CELLS
from deltatrain.workloads.network_sizes import network_sizes
from deltatrain.workloads.tables import Synthetic
from deltatrain.workloads.trace import RecordedStep
from deltatrain.workloads.weight_masks import first_mask, recorded_weights
from deltatrain.workloads.workload import Workload

_INPUT, _RECURRENT, _WEIGHTS = 0, 1, 2  # what is drawn, in seeds
_BLOCK = 2**18  # elements that are drawn at once
_MOST_BLOCK_STEPS = 2**14 - 1  # twice as many fit 16 bits
_NO_SPREAD = 1e-12  # a skew below this is none: the Beta distribution's parameters would overflow


def synthetic_step(workload: Workload) -> RecordedStep:
    """Return one training step whose masks have the statistics of the workload's `synthetic` table.

    All samples have the same length. The input stream of every layer but the first carries the h of the layer below, so
    it fires like a recurrent stream. Each stream of each layer is drawn from `training.seed`, independently.

    Raises
    ------
    ValueError
        When the workload has no `synthetic` table.
    """
    statistics = workload.synthetic
    if statistics is None:
        raise ValueError(f"workload {workload.name} has no table `synthetic`")
    steps, batch = statistics.steps, workload.training.batch
    widths = (statistics.inputs, *workload.hidden)

    check_drawn(workload, statistics)

    def stream(layer: int, kind: int, steps: int, width: int, occupancy: float) -> NDArray[np.bool_]:
        random = np.random.default_rng([workload.training.seed, layer, kind])
        return stream_masks((steps, batch, width), occupancy, statistics.correlation, statistics.skew, random)

    def recurrent(layer: int) -> NDArray[np.bool_]:
        fired = stream(layer, _RECURRENT, steps - 1, widths[layer + 1], statistics.occupancy_h)
        fired &= bool(CELLS.load(workload.cell).TARGETS_H)  # without a recurrent matrix nothing is listed
        return np.concatenate([np.zeros((1, *fired.shape[1:]), bool), fired])

    return RecordedStep(
        epoch=0,
        update=0,
        lengths=np.full(batch, steps, np.int64),
        fired_x=tuple(
            stream(layer, _INPUT, steps, widths[layer], _input_occupancy(statistics, layer))
            for layer in range(len(workload.hidden))
        ),
        fired_h=tuple(recurrent(layer) for layer in range(len(workload.hidden))),
        weights=_weights(workload, statistics),
    )


def check_drawn(workload: Workload, statistics: Synthetic) -> None:
    """Raise a `MemoryError` if this host has no room for the masks of such a step, one of them twice."""
    vectors, widths = statistics.steps * workload.training.batch, (statistics.inputs, *workload.hidden)
    check_room(vectors * (2 * sum(widths) + max(widths)), f"a training step of {workload.name}")


def _weights(workload: Workload, statistics: Synthetic) -> tuple[NDArray[np.bool_], ...]:
    """Return the weights that the workload's sparsity rule begins with."""
    sizes = network_sizes(workload, statistics.inputs, statistics.classes)
    random = np.random.default_rng([workload.training.seed, len(workload.hidden), _WEIGHTS])
    return recorded_weights(first_mask(sizes, workload.sparsity, random), sizes)


def stream_masks(
    shape: tuple[int, int, int], occupancy: float, correlation: float, skew: float, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which elements of a stream fire at which step, shape (T, B, N) = `shape`.

    Each element is a stationary Markov chain of two states, fired or not, with a rate of its own (`element_rates`). At
    each step it stays as it was with probability `correlation` and is drawn anew by its rate otherwise, so that

        P(1 -> 1) = rate + correlation * (1 - rate),   P(0 -> 1) = rate * (1 - correlation),

    whose stationary share of ones is the rate and whose lag-1 autocorrelation is `correlation`.
    """
    steps, batch, width = shape
    behind = _behind(random, math.prod(shape))
    rates = element_rates(width, occupancy, skew, behind)
    fired = np.empty(shape, dtype=np.bool_)
    few_steps = min(max(1, _BLOCK // (batch * width)), _MOST_BLOCK_STEPS)
    for begin in range(0, steps, few_steps):
        few = fired[begin : begin + few_steps]
        fresh = random.random(few.shape, np.float32) < rates
        redrawn = behind.random(few.shape, np.float32) >= correlation
        if begin:
            fresh[0] = np.where(redrawn[0], fresh[0], fired[begin - 1])
        redrawn[:1] = True
        few[:] = _held(fresh, redrawn)
    random.bit_generator.state = behind.bit_generator.state
    return fired


def _behind(random: np.random.Generator, count: int) -> np.random.Generator:
    """Return a generator that goes on where `random`, which has drawn no such number yet, is after `count` float32."""
    behind = deepcopy(random)
    pairs, single = divmod(count, 2)  # two are made of one step of the generator
    cast(np.random.PCG64, behind.bit_generator).advance(pairs)
    behind.random(single, np.float32)
    return behind


def _held(fresh: NDArray[np.bool_], redrawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what was drawn last in each of few steps, shape (T, B, N): `fresh` where `redrawn`, as all first are."""
    last = 2 * np.arange(len(fresh), dtype=np.int16)[:, None, None] + fresh  # a later draw is larger, whatever it was
    last *= redrawn
    np.maximum.accumulate(last, axis=0, out=last)
    return (last & 1).astype(np.bool_)


def element_rates(width: int, occupancy: float, skew: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Return how often each element fires, shape (width,); their mean is `occupancy`.

    The rates follow a Beta distribution of variance skew * occupancy * (1 - occupancy): at skew 0 all are equal, at
    skew 1, the largest variance that a share can have, an element fires always or never. The draw is then moved to the
    mean wanted by shrinking all distances to 0 or all distances to 1, whichever keeps the rates between 0 and 1.
    """
    if skew < _NO_SPREAD or occupancy in (0, 1):
        return np.full(width, float(occupancy))
    if skew == 1:
        rates = (random.random(width) < occupancy).astype(np.float64)
    else:
        concentration = 1 / skew - 1
        if occupancy * concentration == 0:  # of a share near the smallest number that there is
            return np.full(width, float(occupancy))
        rates = random.beta(occupancy * concentration, (1 - occupancy) * concentration, width)
    mean = rates.mean()
    if mean > occupancy:
        return np.asarray(rates * (occupancy / mean))
    return np.asarray(1 - (1 - rates) * ((1 - occupancy) / (1 - mean)))


def uniform_masks(steps: int, width: int, occupancy: float, seed: int) -> NDArray[np.bool_]:
    """Return a mask, shape (steps, width), with round(occupancy * steps * width) fired entries.

    All places are equally likely, so single steps differ in how much fires. This is the mask of RENETA's performance
    bench (SensorsINI/RENETA, DTv1_perf_estm): uniformly random with an exact total.
    """
    mask = np.zeros(steps * width, bool)
    mask[np.random.default_rng(seed).choice(mask.size, round(occupancy * mask.size), replace=False)] = True
    return mask.reshape(steps, width)


def _input_occupancy(statistics: Synthetic, layer: int) -> float:
    return statistics.occupancy_x if layer == 0 else statistics.occupancy_h
