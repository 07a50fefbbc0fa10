"""Labelled recordings of different lengths: parts for training, choosing and testing, standardised by the first.

What cannot be learned from is refused when it is put together, with its place: nothing that is trained on holds NaN.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.tasks import Wanted


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences of feature vectors, each with what is wanted of it: one label, one for each step, or numbers.

    Attributes
    ----------
    values
        The sequences one after the other, float32, shape (sum of lengths, F); or the number of the word of each step,
        int64, shape (sum of lengths,).
    lengths
        Steps of each sequence, int64, shape (N,).
    labels
        Class of each sequence, int64, shape (N,), from 0; or numbers that are to be found, float32, shape (N, K).
    stepwise
        Whether `labels` are of each step instead, shapes (sum of lengths,) or (sum of lengths, K).
    vocabulary
        How many words there are, where values are their numbers; 0 elsewhere.

    Raises
    ------
    ConfigError
        When the three arrays do not belong together, are of other types, a value is NaN or infinite, or a word is none
        of the vocabulary.
    """

    values: NDArray[np.float32] | NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[Any]
    stepwise: bool = False
    vocabulary: int = 0

    def __post_init__(self) -> None:
        if self.vocabulary:
            self._refuse_what_is_no_word()
        elif self.values.ndim != 2 or self.values.dtype != np.float32 or not self.values.shape[1]:
            raise ConfigError(f"values must be float32 of shape (steps, features), not {_form(self.values)}")
        numbers = self.labels.dtype == np.float32
        for name, array in (("lengths", self.lengths), *(() if numbers else [("labels", self.labels)])):
            if array.dtype != np.int64:
                raise ConfigError(f"{name} must be int64, not {_form(array)}")
        labelled = len(self.values) if self.stepwise else len(self.lengths)
        if self.lengths.ndim != 1 or self.labels.ndim != 1 + numbers or len(self.labels) != labelled:
            forms = f"lengths {_form(self.lengths)} and labels {_form(self.labels)}"
            raise ConfigError(f"{forms} must be of one shape (N,)")
        if numbers and not np.isfinite(self.labels).all():
            row = np.argwhere(~np.isfinite(self.labels))[0, 0]
            raise ConfigError(f"labels must be finite numbers, not {self.labels[row]} in row {row}")
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
        """Features of one step, F; of words the size of the vocabulary, as if they were one-hot."""
        return self.vocabulary or int(self.values.shape[1])

    @property
    def wants(self) -> Wanted:
        """What `labels` are."""
        if self.labels.dtype == np.float32:
            return "step_numbers" if self.stepwise else "numbers"
        return "step_classes" if self.stepwise else "classes"

    def padded(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return some sequences side by side.

        Parameters
        ----------
        indices
            Which sequences, shape (B,), B at least 1.

        Returns
        -------
        tuple
            The values, shape (T, B, F) or of words (T, B) with T the longest of them, zero beyond a sequence's end; and
            the lengths (B,).
        """
        lengths = self.lengths[indices]
        batch = np.zeros((int(lengths.max()), len(lengths), *self.values.shape[1:]), self.values.dtype)
        rows, (time, column) = self._rows(indices)
        batch[time, column] = self.values[rows]
        return batch, lengths

    def wanted(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Return what is wanted of some sequences, shape (B,) or (B, K); of their steps (T, B) or (T, B, K), padded."""
        if not self.stepwise:
            return self.labels[indices]
        rows, place = self._rows(indices)
        padded = np.zeros((int(self.lengths[indices].max()), len(indices), *self.labels.shape[1:]), self.labels.dtype)
        padded[place] = self.labels[rows]
        return padded

    def batch(self, indices: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[Any]]:
        """Return some sequences side by side (`padded`), their lengths, and what is wanted of them (`wanted`)."""
        return *self.padded(indices), self.wanted(indices)

    def take(self, indices: NDArray[np.int64]) -> Sequences:
        """Return the sequences at `indices`, shape (B,), in that order."""
        rows, _ = self._rows(indices)
        labels = self.labels[rows if self.stepwise else indices]
        return replace(self, values=self.values[rows], lengths=self.lengths[indices], labels=labels)

    def _refuse_what_is_no_word(self) -> None:
        if self.values.ndim != 1 or self.values.dtype != np.int64:
            raise ConfigError(f"values must be numbers of words, int64 of shape (steps,), not {_form(self.values)}")
        outside = self.values[(self.values < 0) | (self.values >= self.vocabulary)]
        if outside.size:
            raise ConfigError(f"values must be words from 0 to {self.vocabulary - 1}, not {outside[0]}")

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
    """A data set: where it comes from, and its parts.

    Attributes
    ----------
    name
        The word in the configuration.
    licence
        Under which licence the recordings may be used.
    source
        Who made them and where they are described, as a person would cite it.
    classes
        How many classes there are; labels run from 0 to classes - 1. Of numbers, how many are wanted.
    train, test
        What is trained with, and what is kept for the end, with the same features.
    validation
        What chooses, such as the best epoch; None if nothing is set apart for it.
    class_names
        What the classes or the numbers are called, shape (classes,); empty if nobody says.

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
    validation: Sequences | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, part in self.parts().items():
            if self.train.features != part.features:
                raise ConfigError(f"train has {self.train.features} features, {name} has {part.features}")
            if not len(part):
                raise ConfigError(f"{name} must have one sequence or more, not none")
            if part.wants != self.train.wants:
                raise ConfigError(f"train has {self.train.wants} as labels, {name} has {part.wants}")
            if part.labels.dtype == np.float32:
                if part.labels.shape[1] != self.classes:
                    raise ConfigError(f"{name} must have {self.classes} numbers a row, not {part.labels.shape[1]}")
                continue
            outside = np.flatnonzero((part.labels < 0) | (part.labels >= self.classes))
            if outside.size:
                wrong = f"{part.labels[outside[0]]} in {name}, sequence {outside[0]}"
                raise ConfigError(f"labels must be from 0 to {self.classes - 1}, not {wrong}")

    def parts(self) -> dict[str, Sequences]:
        """Return the parts that there are, by name."""
        validation = {} if self.validation is None else {"validation": self.validation}
        return {"train": self.train, **validation, "test": self.test}

    @property
    def held_out(self) -> Sequences:
        """What is measured after each epoch: the validation part, or where there is none the test part."""
        return self.test if self.validation is None else self.validation

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of all values, lengths and labels, part by part."""
        digest = hashlib.sha256(str(self.classes).encode())
        for name, part in self.parts().items():
            for array in (part.values, part.lengths, part.labels):
                digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]

    def changed(self, change: Callable[[Sequences], Sequences]) -> Recordings:
        """Return the recordings with each part as `change` makes it."""
        validation = None if self.validation is None else change(self.validation)
        return replace(self, train=change(self.train), validation=validation, test=change(self.test))


def standardised(recordings: Recordings) -> Recordings:
    """Return the recordings with each feature at mean 0 and standard deviation 1 over the steps of the training part.

    The other parts are moved and scaled by the same figures. A feature that never changes in
    training is only moved.
    """
    steps = recordings.train.values.astype(np.float64)
    return _scaled(recordings, steps.mean(axis=0), steps.std(axis=0))


def standardised_together(recordings: Recordings) -> Recordings:
    """Return the recordings with one mean and one standard deviation for all features, 0 and 1 in the training part."""
    steps = recordings.train.values.astype(np.float64)
    return _scaled(recordings, np.asarray(steps.mean()), np.asarray(steps.std()))


def _scaled(recordings: Recordings, mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> Recordings:
    scale = np.where(deviation > 0, deviation, 1.0)

    def moved(part: Sequences) -> Sequences:
        with np.errstate(over="ignore"):  # what is too large for its format is refused where it stands
            return replace(part, values=((part.values - mean) / scale).astype(np.float32))

    return recordings.changed(moved)


def _form(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} of shape {array.shape}"
