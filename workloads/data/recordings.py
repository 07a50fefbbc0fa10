"""Labelled recordings of different lengths: a training part and a test part, standardised by the training part."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences of feature vectors, each with one label.

    Attributes
    ----------
    values
        The sequences one after the other, float32, shape (sum of lengths, F).
    lengths
        Steps of each sequence, int64, shape (N,).
    labels
        Class of each sequence, int64, shape (N,), from 0.

    Raises
    ------
    ValueError
        When the three arrays do not belong together.
    """

    values: NDArray[np.float32]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.dtype != np.float32:
            raise ValueError(f"values must be float32 of shape (steps, features), not {_form(self.values)}")
        if self.lengths.ndim != 1 or self.lengths.shape != self.labels.shape:
            raise ValueError(f"lengths {_form(self.lengths)} and labels {_form(self.labels)} must be of one shape (N,)")
        if self.lengths.size and self.lengths.min() < 1:
            raise ValueError(f"lengths must be at least 1, not {self.lengths.min()}")
        if self.lengths.sum() != len(self.values):
            raise ValueError(f"lengths must add up to the {len(self.values)} steps there are, not {self.lengths.sum()}")

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def features(self) -> int:
        """Features of one step, F."""
        return int(self.values.shape[1])

    def padded(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return some sequences side by side.

        Parameters
        ----------
        indices
            Which sequences, shape (B,), B at least 1.

        Returns
        -------
        tuple
            The values, shape (T, B, F) with T the longest of them, zero beyond a sequence's end; and the lengths (B,).
        """
        lengths = self.lengths[indices]
        batch = np.zeros((int(lengths.max()), len(lengths), self.features), np.float32)
        rows, (time, column) = self._rows(indices)
        batch[time, column] = self.values[rows]
        return batch, lengths

    def take(self, indices: NDArray[np.int64]) -> Sequences:
        """Return the sequences at `indices`, shape (B,), in that order."""
        rows, _ = self._rows(indices)
        return Sequences(self.values[rows], self.lengths[indices], self.labels[indices])

    def _rows(
        self, indices: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return the rows of `values` that `indices` name, and for each row its step and its place in `indices`."""
        lengths = self.lengths[indices]
        starts = (np.cumsum(self.lengths) - self.lengths)[indices]
        place = np.repeat(np.arange(len(lengths)), lengths)
        step = np.arange(int(lengths.sum())) - (np.cumsum(lengths) - lengths)[place]
        return starts[place] + step, (step, place)


@dataclass(frozen=True, eq=False)
class Recordings:
    """A data set: where it comes from, and its two parts.

    Attributes
    ----------
    name
        The word in the configuration.
    licence
        Under which licence the recordings may be used.
    source
        Who made them and where they are described, as a person would cite it.
    classes
        How many classes there are; labels run from 0 to classes - 1.
    train, test
        The two parts, with the same features.

    Raises
    ------
    ValueError
        When the parts do not belong together.
    """

    name: str
    licence: str
    source: str
    classes: int
    train: Sequences
    test: Sequences

    def __post_init__(self) -> None:
        if self.train.features != self.test.features:
            raise ValueError(f"train has {self.train.features} features, test has {self.test.features}")
        for part in (self.train, self.test):
            if len(part) and not 0 <= part.labels.min() <= part.labels.max() < self.classes:
                raise ValueError(f"labels must be from 0 to {self.classes - 1}")


def standardised(recordings: Recordings) -> Recordings:
    """Return the recordings with each feature at mean 0 and standard deviation 1 over the steps of the training part.

    The test part is moved and scaled by the same figures. A feature that never changes in
    training is only moved.
    """
    steps = recordings.train.values.astype(np.float64)
    mean, deviation = steps.mean(axis=0), steps.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)

    def moved(part: Sequences) -> Sequences:
        return replace(part, values=((part.values - mean) / scale).astype(np.float32))

    return replace(recordings, train=moved(recordings.train), test=moved(recordings.test))


def _form(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} of shape {array.shape}"
