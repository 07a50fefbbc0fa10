"""A triangle (Esser et al., PNAS 2016; Bellec et al., NeurIPS 2018)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def slope(distance: NDArray[np.floating], sharpness: float) -> NDArray[np.floating]:
    """Return 1 - sharpness * distance, but not less than 0."""
    fallen: NDArray[np.floating] = np.maximum(1 - sharpness * distance, 0)
    return fallen
