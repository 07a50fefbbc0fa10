"""The derivative of an arc tangent (Fang et al., ICCV 2021), scaled to 1 at the threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def slope(distance: NDArray[np.floating], sharpness: float) -> NDArray[np.floating]:
    """Return 1 / ((sharpness * distance)^2 + 1)."""
    square: NDArray[np.floating] = sharpness * distance
    square *= square
    square += 1
    np.reciprocal(square, out=square)
    return square
