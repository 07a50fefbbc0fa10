"""Family: the data sets, one file each; `DataSet` says what a member has."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.family import ModuleFamily
from deltatrain.workloads.data.fetching import Progress
from deltatrain.workloads.data.recordings import Recordings


class DataSet(Protocol):
    """Where a data set comes from, and its recordings.

    Attributes
    ----------
    LICENCE, SOURCE
        Of the recordings, in words.
    SPIKES
        Whether every value is 0 or 1.
    """

    LICENCE: str
    SOURCE: str
    SPIKES: bool

    def load(self, progress: Progress | None = None) -> Recordings:
        """Return the recordings, fetched or made if they are not in the cache folder; `progress` is told of it."""

    def train_groups(self) -> NDArray[np.str_] | None:
        """Return who or what each training recording is of, such as a voice, shape (N,); None if nobody knows."""


DATASETS = ModuleFamily[DataSet]("deltatrain.workloads.datasets", "data set", DataSet)
