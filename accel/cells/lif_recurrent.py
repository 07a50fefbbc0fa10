"""Leaky integrate-and-fire neurons whose spikes also come back to their own layer a step later; as `lif` otherwise."""

from __future__ import annotations

from deltatrain.accel.cells.lif import (
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
    NEURON,
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
    "NEURON",
    "SQUARED",
    "SQUASHED",
    "STATE",
    "TAPE",
    "WIDE",
    "backward",
    "forward",
]

BLOCKS_H: tuple[int, ...] = (0,)
