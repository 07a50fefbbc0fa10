"""Family: what stands for the derivative of a spike, one file each; `Surrogate` says what a member has."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.family import ModuleFamily

__all__ = ["SURROGATES", "Surrogate"]

Array = NDArray[np.floating]


class Surrogate(Protocol):
    """A function of how far a potential is from the threshold, on either side."""

    def slope(self, distance: Array, sharpness: float) -> Array:
        """Return the slope at `distance` >= 0, in thresholds: 1 at 0, never rising, lower the larger `sharpness`."""


SURROGATES = ModuleFamily[Surrogate]("deltatrain.accel.surrogates", "surrogate", Surrogate)
