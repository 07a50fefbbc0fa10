"""Labelled recordings of different lengths: a training part and a test part, standardised by the training part.

What cannot be learned from is refused when it is put together, with its place: nothing that is trained on holds NaN.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError


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
    ConfigError
        When the three arrays do not belong together, are of other types, or a value is NaN or infinite.
    """

    values: NDArray[np.float32]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.dtype != np.float32 or not self.values.shape[1]:
            raise ConfigError(f"values must be float32 of shape (steps, features), not {_form(self.values)}")
        for name, array in (("lengths", self.lengths), ("labels", self.labels)):
            if array.dtype != np.int64:
                raise ConfigError(f"{name} must be int64, not {_form(array)}")
        if self.lengths.ndim != 1 or self.lengths.shape != self.labels.shape:
            forms = f"lengths {_form(self.lengths)} and labels {_form(self.labels)}"
            raise ConfigError(f"{forms} must be of one shape (N,)")
        if self.lengths.size and self.lengths.min() < 1:
            raise ConfigError(f"lengths must be at least 1, not {self.lengths.min()}")
        if self.lengths.sum() != len(self.values):
            steps = len(self.values)
            raise ConfigError(f"lengths must add up to the {steps} steps there are, not {self.lengths.sum()}")
        self._refuse_what_is_no_number()

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

    def _refuse_what_is_no_number(self) -> None:
        finite = np.isfinite(self.values)
        if finite.all():
            return
        row, feature = np.argwhere(~finite)[0]
        sequence = int(np.searchsorted(np.cumsum(self.lengths), row, side="right"))
        step = row - self.lengths[:sequence].sum()
        place = f"sequence {sequence}, step {step}, feature {feature}"
        raise ConfigError(f"values must be finite numbers, not {self.values[row, feature]} in {place}")

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
    ConfigError
        When the parts do not belong together, one is empty, or a label is of no class.
    """

    name: str
    licence: str
    source: str
    classes: int
    train: Sequences
    test: Sequences

    def __post_init__(self) -> None:
        if self.train.features != self.test.features:
            raise ConfigError(f"train has {self.train.features} features, test has {self.test.features}")
        for name, part in (("train", self.train), ("test", self.test)):
            if not len(part):
                raise ConfigError(f"{name} must have one sequence or more, not none")
            outside = np.flatnonzero((part.labels < 0) | (part.labels >= self.classes))
            if outside.size:
                wrong = f"{part.labels[outside[0]]} in {name}, sequence {outside[0]}"
                raise ConfigError(f"labels must be from 0 to {self.classes - 1}, not {wrong}")

    def digest(self) -> str:
        """Return 16 hexadecimal digits of the SHA-256 of all that is learned from and tested on."""
        digest = hashlib.sha256(f"{self.classes};{self.train.features};".encode())
        for part in (self.train, self.test):
            for array in (part.lengths, part.labels, part.values):
                digest.update(f"{array.shape};".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def standardised(recordings: Recordings) -> Recordings:
    """Return the recordings with each feature at mean 0 and standard deviation 1 over the steps of the training part.

    The test part is moved and scaled by the same figures. A feature that never changes in
    training is only moved.
    """
    steps = recordings.train.values.astype(np.float64)
    mean, deviation = steps.mean(axis=0), steps.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)

    def moved(part: Sequences) -> Sequences:
        with np.errstate(over="ignore"):  # what is too large for its format is refused where it stands
            return replace(part, values=((part.values - mean) / scale).astype(np.float32))

    return replace(recordings, train=moved(recordings.train), test=moved(recordings.test))


def _form(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} of shape {array.shape}"
