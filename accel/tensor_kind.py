"""What a matrix of a training step holds."""

from __future__ import annotations

from typing import Literal

TensorKind = Literal["weights", "gradients", "moments"]
"""W, dW, or the moments of the gradients (`accel.modes.moments`)."""
