"""Log-mel filter bank: 16 channels in frames of 16.384 ms, the features of the delta-RNN keyword spotters."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deltatrain.workloads.data.found import Item
from deltatrain.workloads.data.front_ends._filterbank import Filterbank


class LogMel(Filterbank):
    """The filters' outputs in decibels."""

    name: Literal["log_mel"] = "log_mel"

    def features(self, item: Item) -> NDArray[np.float32]:
        """Return them, shape (frames, channels)."""
        return self.decibels(item).astype(np.float32)


FIELDS = LogMel
