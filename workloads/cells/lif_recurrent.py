"""Leaky integrate-and-fire neurons whose spikes also come back to their own layer a step later; as `lif` otherwise."""

from __future__ import annotations

from deltatrain.workloads.cells.lif import (
    ACCUMULATORS,
    FORGET,
    NEURON,
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
    "NEURON",
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

ARITHMETIC = "lif_recurrent"
TARGETS_H: tuple[str, ...] = ("I",)
