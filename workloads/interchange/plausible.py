"""Weights that no trained network has: a file of them was damaged, or is of something else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.errors import ConfigError

LARGEST = 1e6
"""Of a weight, in size. A flipped bit of a float's exponent passes it by far; one of a small digit cannot be told."""


def check_plausible(name: str, weights: NDArray[Any]) -> None:
    """Raise a `ConfigError` that names the tensor unless its numbers are finite, and of a size that weights have."""
    wrong = ~np.isfinite(weights)
    if wrong.any():
        raise ConfigError(f"{name} has {np.count_nonzero(wrong)} values that are not finite")
    wrong = np.abs(weights) > LARGEST
    if wrong.any():
        raise ConfigError(
            f"{name} has {np.count_nonzero(wrong)} values beyond {LARGEST:g} in size, as {weights[wrong].flat[0]:g}: "
            "no trained network has them, the file is damaged"
        )
