"""What recordings are like: how long, how many of each class, and how many deltas fire at each threshold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.arrays.packing import pack, packing_of
from deltatrain.workloads.cells._delta import encode
from deltatrain.workloads.data.recordings import Recordings, Sequences

THETAS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.5, 2.0)
"""Thresholds that are tried, in units of the values: standard deviations, where they are standardised."""

_MOST_VALUES = 4_000_000
"""Values that thresholds are tried on: some seconds' worth."""

_EXAMPLES = 3


class Survey(NamedTuple):
    """What is shown of recordings.

    Attributes
    ----------
    lengths
        By part, the steps of each sequence.
    classes
        By part, how many sequences or steps each class has, shape (classes,); empty where numbers are wanted.
    fired
        Share of the input deltas of the training part that fire, for each of `THETAS`.
    tried
        How many sequences `fired` is from.
    unequal_zero
        Share of the values of the training part that are not 0.
    examples
        The class and the values, shape (steps, features), of a few sequences, each of another class.
    """

    lengths: dict[str, NDArray[np.int64]]
    classes: dict[str, NDArray[np.int64]]
    fired: tuple[float, ...]
    tried: int
    unequal_zero: float
    examples: tuple[tuple[int, NDArray[np.float32]], ...]


def survey(recordings: Recordings) -> Survey:
    """Return what recordings are like."""
    parts, train = recordings.parts(), recordings.train
    numbers = train.wants.endswith("numbers")
    chosen = _affordable(train)
    return Survey(
        {name: part.lengths for name, part in parts.items()},
        {name: np.bincount(part.labels, minlength=recordings.classes) for name, part in parts.items() if not numbers},
        fired_shares(train.take(chosen), THETAS),
        len(chosen),
        1 / train.features if train.vocabulary else float(np.count_nonzero(train.values) / train.values.size),
        tuple(_example(train, label) for label in np.unique(train.labels)[:_EXAMPLES])
        if train.wants == "classes"
        else (),
    )


def fired_shares(sequences: Sequences, thetas: tuple[float, ...]) -> tuple[float, ...]:
    """Return the share of the deltas of some sequences that fire at each threshold, by the rule of delta networks.

    Words count as one-hot: one delta fires at the first step, and two wherever the word changes.
    """
    if sequences.vocabulary:
        first, words = np.cumsum(sequences.lengths) - sequences.lengths, sequences.values
        changes = np.count_nonzero(np.delete(np.diff(words, prepend=words[:1]), first))
        share = (len(first) + 2 * changes) / (len(words) * sequences.vocabulary)
        return tuple(share if theta <= 1 else 0.0 for theta in thetas)
    packing = packing_of(sequences.lengths)
    rows = pack(sequences.padded(np.arange(len(sequences)))[0], packing)
    return tuple(float(encode(rows, theta, packing)[1].mean()) for theta in thetas)


def _affordable(train: Sequences) -> NDArray[np.int64]:
    """Return sequences, drawn at random, of `_MOST_VALUES` values at most, padded; at least one, and all of a text."""
    if train.vocabulary:
        return np.arange(len(train))
    order = np.random.default_rng(0).permutation(len(train))
    longest = np.maximum.accumulate(train.lengths[order])
    fits = longest * np.arange(1, len(order) + 1) * train.features <= _MOST_VALUES
    return order[: max(1, int(fits.sum()))]


def _example(train: Sequences, label: np.int64) -> tuple[int, NDArray[np.float32]]:
    """Return a sequence of a class that is of middling length."""
    of_class = np.flatnonzero(train.labels == label)
    middle = of_class[np.argsort(train.lengths[of_class], kind="stable")[len(of_class) // 2]]
    return int(label), np.asarray(train.take(np.array([middle])).values, np.float32)
