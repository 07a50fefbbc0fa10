"""What a training run did, with no time in it: which deltas fired, how often, and how well the network learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RecordedStep:
    """The fired masks of one training step (one mini-batch, forward; the backward pass uses the same masks).

    Attributes
    ----------
    epoch, update
        When: epoch counts from 0 over the whole training, update counts optimiser steps.
    lengths
        Steps of each sample, integer, shape (B,).
    fired_x
        For each layer the mask of its input deltas, boolean, shape (T, B, I_l), T = max(lengths).
        False beyond a sample's length.
    fired_h
        For each layer the mask of its recurrent deltas, boolean, shape (T, B, H_l): entry t tells which elements of
        h[t-1] fired into step t, so entry 0 is False everywhere.
    """

    epoch: int
    update: int
    lengths: NDArray[np.int64]
    fired_x: tuple[NDArray[np.bool_], ...]
    fired_h: tuple[NDArray[np.bool_], ...]


@dataclass(frozen=True)
class EpochCounts:
    """What one epoch did, over all of its training steps.

    Attributes
    ----------
    epoch
        Number from 0 over the whole training.
    dense
        True in dense pre-training, in which every delta counts as fired.
    loss
        Mean training loss a sample.
    accuracy
        Share of the test samples classified rightly after the epoch.
    fired_x, fired_h
        For each layer, how many deltas fired.
    steps_x, steps_h
        For each layer, how many could have: the sum over samples of length times width (fired_h: length - 1, because
        the first step has no recurrent delta).
    """

    epoch: int
    dense: bool
    loss: float
    accuracy: float
    fired_x: tuple[int, ...]
    fired_h: tuple[int, ...]
    steps_x: tuple[int, ...]
    steps_h: tuple[int, ...]
