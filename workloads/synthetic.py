"""Deltas that fire by statistics: for questions about the machine that need no training, no data and no network."""

from __future__ import annotations

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
_DRAWN_BYTES = 24  # of host memory for an element of a stream that is being drawn
_LISTED_BYTES = 300  # of host memory for a step of a layer, whose lists are sized before anything is drawn
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
    """Raise a `MemoryError` if this host has no room for such a step: its masks, or the sizes of its lists."""
    vectors, widths = statistics.steps * workload.training.batch, (statistics.inputs, *workload.hidden)
    element_bytes = _DRAWN_BYTES * max(widths) + 2 * sum(widths)
    wanted = vectors * max(element_bytes, _LISTED_BYTES * len(workload.hidden))
    check_room(wanted, f"a training step of {workload.name}")


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
    fresh = random.random(shape, np.float32) < element_rates(width, occupancy, skew, random)
    redrawn = random.random(shape, np.float32) >= correlation
    redrawn[:1] = True
    # Element after element, each at all its steps: what is drawn stays until the next draw.
    each = steps, batch * width
    drawn = np.flatnonzero(redrawn.reshape(each).T)
    held = np.diff(drawn, append=redrawn.size)
    by_element = np.repeat(fresh.reshape(each).T.ravel()[drawn], held)
    return np.ascontiguousarray(by_element.reshape(each[::-1]).T).reshape(shape)


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
