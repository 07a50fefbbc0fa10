"""Shares of deltas that fired, from a trace, under the names of the streams: ``layer 0 x``, ``layer 0 h``."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.trace import EpochCounts, RecordedStep

Curves = dict[str, NDArray[np.float64]]


def over_steps(step: RecordedStep) -> Curves:
    """Return the occupancy of each stream at each time step, over the samples that still run, shape (T,).

    NaN at step 0 of a recurrent stream, where there is no h yet that could fire, unless the step goes on from a state.
    """
    running = (np.arange(step.lengths.max())[:, None] < step.lengths).sum(axis=1)  # (T,)
    curves: Curves = {}
    for layer, (x, h) in enumerate(zip(step.fired_x, step.fired_h, strict=True)):
        curves[f"layer {layer} x"] = x.sum(axis=(1, 2)) / (running * x.shape[2])
        recurrent = h.sum(axis=(1, 2)) / (running * h.shape[2])
        if not step.carried:
            recurrent[0] = np.nan
        curves[f"layer {layer} h"] = recurrent
    return curves


def over_epochs(epochs: Iterable[EpochCounts]) -> Curves:
    """Return the occupancy of each stream in each epoch, shape (E,); NaN where no delta could fire."""
    epochs = tuple(epochs)
    curves: Curves = {}
    for layer in range(len(epochs[0].fired_x) if epochs else 0):
        for stream in ("x", "h"):
            fired = np.array([getattr(counts, f"fired_{stream}")[layer] for counts in epochs], dtype=float)
            could = np.array([getattr(counts, f"steps_{stream}")[layer] for counts in epochs], dtype=float)
            curves[f"layer {layer} {stream}"] = fired / np.where(could > 0, could, np.nan)
    return curves
