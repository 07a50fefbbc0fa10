"""A recurrent cell of rectified linear units: h = max(M, 0); its arithmetic is that of a dense layer."""

from __future__ import annotations

from deltatrain.accel.cells.dense import (
    ACCUMULATORS,
    BACKWARD_MULTIPLIES,
    BIAS_H,
    BIAS_X,
    BLOCKS_X,
    CARRIES,
    ENCODER,
    FORWARD_MULTIPLIES,
    KEPT,
    LOOKUPS,
    SQUARED,
    SQUASHED,
    STATE,
    TAPE,
    WIDE,
    backward,
    forward,
)

__all__ = [
    "ACCUMULATORS",
    "BACKWARD_MULTIPLIES",
    "BIAS_H",
    "BIAS_X",
    "BLOCKS_H",
    "BLOCKS_X",
    "CARRIES",
    "ENCODER",
    "FORWARD_MULTIPLIES",
    "KEPT",
    "LOOKUPS",
    "SQUARED",
    "SQUASHED",
    "STATE",
    "TAPE",
    "WIDE",
    "backward",
    "forward",
]

BLOCKS_H = (0,)  # the recurrent matrix, which a dense layer has not
