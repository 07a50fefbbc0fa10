"""A recurrent cell of rectified linear units: h = max(M, 0), in floating point."""

from __future__ import annotations

from deltatrain.workloads.cells.delta_dense import (
    ACCUMULATORS,
    FORGET,
    SQUARED,
    SQUASHED,
    STATE,
    STREAMS,
    TAPE,
    TARGETS_X,
    VALUES,
    backward,
    backward_factors,
    forward,
)

__all__ = [
    "ACCUMULATORS",
    "ARITHMETIC",
    "FORGET",
    "SQUARED",
    "SQUASHED",
    "STATE",
    "STREAMS",
    "TAPE",
    "TARGETS_H",
    "TARGETS_X",
    "VALUES",
    "backward",
    "backward_factors",
    "forward",
]

ARITHMETIC = "relu"
TARGETS_H = ("h",)
