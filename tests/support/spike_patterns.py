"""Spike trains that a small network learns in seconds, drawn here, so that nothing must be synthesised."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.data.recordings import Recordings, Sequences

CLASSES, CHANNELS_A_CLASS = 4, 3
CLEAR = (0.9, 0.1)
"""How often a channel spikes that is loud for the class, and any other: plain to see after a few steps."""
FAINT = (0.5, 0.3)
"""The same, hardly apart: learned slowly."""


def spike_patterns(rates: tuple[float, float], steps: tuple[int, int], test: int = 60) -> Recordings:
    """Return recordings of ``steps[0]`` to ``steps[1] - 1`` steps in which each class has loud channels of its own."""
    rng = np.random.default_rng(5)
    train, heard_never = (_patterns(samples, rates, steps, rng) for samples in (96, test))
    return Recordings("patterns", "none", "drawn for the test", CLASSES, train, heard_never)


def _patterns(samples: int, rates: tuple[float, float], steps: tuple[int, int], rng: np.random.Generator) -> Sequences:
    lengths, labels = rng.integers(*steps, samples), rng.integers(0, CLASSES, samples)
    loud = np.arange(CLASSES * CHANNELS_A_CLASS) // CHANNELS_A_CLASS == labels[:, None]
    rate_of_rows = np.repeat(np.where(loud, *rates), lengths, axis=0)
    return Sequences((rng.random(rate_of_rows.shape) < rate_of_rows).astype(np.float32), lengths, labels)
