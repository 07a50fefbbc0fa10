"""Mel-frequency cepstral coefficients: the cosine transform (DCT-II, orthonormal) of the log-mel filter bank."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.description import PositiveInt
from deltatrain.workloads.data.found import Item
from deltatrain.workloads.data.front_ends._filterbank import Filterbank


class Mfcc(Filterbank):
    """Cepstral coefficients.

    Attributes
    ----------
    coefficients
        How many, from the first, which is loudness; at most as many as there are channels.
    """

    name: Literal["mfcc"] = "mfcc"
    channels: PositiveInt = 26
    coefficients: PositiveInt = 13

    def features(self, item: Item) -> NDArray[np.float32]:
        """Return them, shape (frames, coefficients)."""
        if self.coefficients > self.channels:
            raise ValueError(f"coefficients must be at most the {self.channels} channels, not {self.coefficients}")
        return (self.decibels(item) @ cosines(self.channels)[:, : self.coefficients]).astype(np.float32)


@cache
def cosines(points: int) -> NDArray[np.float64]:
    """Return the matrix of the DCT-II, orthonormal, shape (points, coefficients)."""
    place, order = np.arange(points)[:, None], np.arange(points)[None]
    scale = np.where(order == 0, np.sqrt(1 / points), np.sqrt(2 / points))
    return np.asarray(scale * np.cos(np.pi * (place + 0.5) * order / points))


FIELDS = Mfcc
