"""Groups of steps whose weight gradients one op adds: a column of dW is read and written once for all of them.

Backward, a sample's steps go from the last to the first, so many to a group (`accel.engine.Engine.outer_steps`); the
last group has what is left. The op of a group follows its last step. It works through one list: the columns of all
lists of the group, and each as often as it fired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.int64]
"""Integers of shape (B, T): a value for each sample and step."""

NO_STEP = -1


@dataclass(frozen=True, eq=False)
class GroupLists:
    """The lists of groups, each at the step with which its group ends, shape (B, T).

    Attributes
    ----------
    count, dense_count
        Entries of all steps together, and those of a dense machine.
    start
        Where the list begins in `workloads.lowering.lists.Lists.columns`.
    """

    count: Grid
    dense_count: Grid
    start: Grid


class Groups:
    """The groups of all samples.

    Parameters
    ----------
    lengths
        Steps of each sample, shape (B,).
    size
        Steps of a group.
    """

    def __init__(self, lengths: NDArray[np.int64], size: int) -> None:
        self._lengths, self._size = lengths, size

    def first(self, sample: NDArray[np.int64], step: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the step of a group that is done first, for any of its steps; NO_STEP behind the end of a sample."""
        last = self._lengths[sample] - 1
        return np.where(step <= last, last - (last - step) // self._size * self._size, NO_STEP)

    def end(self, sample: NDArray[np.int64], step: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the step of a group that is done last, likewise."""
        first = self.first(sample, step)
        return np.where(first == NO_STEP, NO_STEP, np.maximum(first - self._size + 1, 0))

    def total(self, of_steps: NDArray[np.int64]) -> Grid:
        """Return the sums of values of steps over each group, where it ends; shapes (B, T)."""
        sample, step = np.nonzero(of_steps)
        end, found = self.end(sample, step), np.zeros(of_steps.shape, dtype=np.int64)
        there = end != NO_STEP
        np.add.at(found, (sample[there], end[there]), of_steps[sample[there], step[there]])
        return found

    def listed(self, fired: NDArray[np.bool_]) -> tuple[NDArray[np.int32], Grid]:
        """Return the lists of all groups, one behind the other, and where each begins, shape (B, T).

        A column follows itself as often as it fired, its steps from the last to the first.

        Parameters
        ----------
        fired
            Which columns are in the list of each step, shape (B, T, C).
        """
        sample, step, column = np.nonzero(fired)
        order = np.lexsort((-step, column, -self.end(sample, step), sample))
        count = self.total(fired.sum(axis=-1, dtype=np.int64))[:, ::-1]
        start = (np.cumsum(count) - count.ravel()).reshape(count.shape)
        return column[order].astype(np.int32), start[:, ::-1]
