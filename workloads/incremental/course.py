"""Which classes come in which task, and what recordings a task trains and tests with."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data.recordings import Recordings, Sequences


class Course(NamedTuple):
    """The order of learning.

    Attributes
    ----------
    first
        Classes of the first task.
    more
        Of each task after it.
    exemplars
        Recordings that are kept, of all classes together, each class as many.
    """

    first: int
    more: int
    exemplars: int

    def known(self, classes: int) -> tuple[int, ...]:
        """Return how many of `classes` are known after each task; a last one that would not be whole is left out.

        Raises
        ------
        ConfigError
            If there are not so many classes as the first task has.
        """
        if self.first > classes:
            raise ConfigError(f"the first task has {self.first} classes, and there are {classes}: give others")
        return (self.first, *range(self.first + self.more, classes + 1, self.more))

    def of_each(self, known: int) -> int:
        """Return how many recordings are kept of each of the classes known."""
        return max(1, self.exemplars // known)


def in_order(recordings: Recordings, seed: int) -> Recordings:
    """Return the recordings with their classes numbered in an order drawn from `seed`, without a validation part."""
    place = np.random.default_rng(seed).permutation(recordings.classes)
    names = np.array(recordings.class_names)
    renamed = tuple(names[np.argsort(place)].tolist()) if names.size else ()

    def renumbered(part: Sequences) -> Sequences:
        return replace(part, labels=place[part.labels])

    return replace(recordings, validation=None, class_names=renamed).changed(renumbered)


def check_classes(recordings: Recordings, known: int) -> None:
    """Raise a `ConfigError` if one of the first `known` classes has no training recording, and so no mean."""
    counts = np.bincount(recordings.train.labels, minlength=known)[:known]
    for one in np.flatnonzero(counts == 0).tolist():
        name = recordings.class_names[one] if recordings.class_names else one
        raise ConfigError(f"class {name!r} has no training recording: incremental learning needs one of each class")


def of_first(recordings: Recordings, known: int) -> Recordings:
    """Return the recordings of the classes below `known`."""
    train, test = below(recordings.train, known), below(recordings.test, known)
    return replace(recordings, classes=known, class_names=recordings.class_names[:known], train=train, test=test)


def below(part: Sequences, known: int) -> Sequences:
    """Return the sequences of classes below `known`."""
    return part.take(np.flatnonzero(part.labels < known))


def of_class(part: Sequences, one: int) -> NDArray[np.int64]:
    """Return the places of the sequences of a class."""
    return np.flatnonzero(part.labels == one)
