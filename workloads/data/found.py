"""What a format finds where a user keeps recordings: sequences as they stand, with their classes, groups and parts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.tasks import Wanted

Kind = Literal["values", "sound", "events"]
"""What a sequence is before its front end: feature vectors, a `Sound`, or `Events`."""

TRAIN, VALIDATION, TEST = range(3)
"""The part that a sequence belongs to."""

PARTS = {
    "train": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
}
"""The words for a part that files and folders may use."""


class Sound(NamedTuple):
    """Samples between -1 and 1, float64, shape (n,), and how many there are in a second."""

    samples: NDArray[np.float64]
    rate_hz: int


class Events(NamedTuple):
    """Spikes: when, in seconds, and on which unit, shape (n,) both, in any order; `of` is the number of units."""

    times_s: NDArray[np.float64]
    units: NDArray[np.int64]
    of: int


Item = Sound | Events | NDArray[np.float32]
"""A sequence as it stands; feature vectors have shape (steps, features)."""


Targets = Sequence[NDArray[Any]]
"""What is wanted of each sequence, as `Found.targets` says."""


@dataclass(frozen=True, eq=False)
class Found:
    """Labelled sequences, read one by one when they are asked for.

    Attributes
    ----------
    kind
        What all of them are.
    read
        Returns the sequence with a number from 0.
    labels
        Class of each, int64, shape (N,), from 0.
    class_names
        What the classes are called, shape (classes,).
    places
        Where each one stands, as a message names it: a file, or a file and a row; shape (N,).
    groups
        Who or what each one is of, such as a speaker, as text, shape (N,); None if nobody says.
    parts
        `TRAIN`, `VALIDATION` or `TEST` of each, shape (N,), as it was published; None if it was not split.
    targets
        What is wanted of each sequence, where that is no class of it: classes of its steps, int64, shape (steps,); or
        numbers, float32, of the sequence, shape (K,), or of its steps, shape (steps, K). Then all `labels` are 0, and
        `class_names` are those of the steps or of the numbers. Empty elsewhere.
    wants
        What `targets` are.
    files
        The file of each, shape (N,), where it takes long to make features of them; empty elsewhere.
    """

    kind: Kind
    read: Callable[[int], Item]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    places: Sequence[str]
    groups: NDArray[np.str_] | None = None
    parts: NDArray[np.int64] | None = None
    files: Sequence[Path] = ()
    targets: Targets = ()
    wants: Wanted = "classes"

    def __len__(self) -> int:
        return len(self.labels)


class Tokens(NamedTuple):
    """A text as one long stream of words.

    Attributes
    ----------
    vocabulary
        The words; a word's number is its place. Shape (V,).
    train, validation, test
        Numbers of the words in their order, int64, shape (words,).
    """

    vocabulary: tuple[str, ...]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def parts(self) -> dict[str, NDArray[np.int64]]:
        """Return the parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def digest(self) -> str:
        """Return the first 16 hexadecimal digits of the SHA-256 of the vocabulary and all parts."""
        digest = hashlib.sha256("\n".join(self.vocabulary).encode())
        for part in self.parts().values():
            digest.update(f"{part.shape};".encode() + part.tobytes())
        return digest.hexdigest()[:16]


def numbered(names: Sequence[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the number of each label's class, and what the classes are called.

    Whole numbers, or texts of them, are ordered by size, all else as text.
    """
    texts = [str(name).strip() for name in names]
    distinct = set(texts)
    whole = all(text.lstrip("-").isdecimal() for text in distinct)
    ordered = tuple(sorted(distinct, key=int)) if whole else tuple(sorted(distinct))
    place = {text: number for number, text in enumerate(ordered)}
    return np.array([place[text] for text in texts], np.int64), ordered
