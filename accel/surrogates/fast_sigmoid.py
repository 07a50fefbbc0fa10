"""The derivative of a fast sigmoid (Zenke and Ganguli, Neural Computation 2018; graphcore_snn, branch aaai24)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def slope(distance: NDArray[np.floating], sharpness: float) -> NDArray[np.floating]:
    """Return 1 / (sharpness * distance + 1)^2."""
    root: NDArray[np.floating] = sharpness * distance
    root += 1
    root *= root
    np.reciprocal(root, out=root)
    return root
