"""Sequences as spikes up and down, as a delta modulator sends them: one whenever a value has moved by a step."""

from __future__ import annotations

import numpy as np

from deltatrain.workloads.arrays.packing import packing_of
from deltatrain.workloads.data.recordings import Sequences


def delta_coded(sequences: Sequences, step: float) -> Sequences:
    """Return the spikes of some sequences: up for each feature, then down for each, ones and zeros.

    A feature's reference begins at its first value. Where the value is a step or more above it or below, there is one
    spike, and the reference moves by as many whole steps as the value has moved.

    Parameters
    ----------
    sequences
        Of F features.
    step
        In units of the values, positive.
    """
    packing, features = packing_of(sequences.lengths), sequences.features
    starts = (np.cumsum(sequences.lengths) - sequences.lengths)[packing.order]
    spikes = np.zeros((len(sequences.values), 2 * features), np.float32)
    reference = sequences.values[starts].astype(np.float64)
    for time, count in enumerate(packing.active):
        rows = starts[:count] + time
        moved = np.trunc((sequences.values[rows] - reference[:count]) / step)
        reference[:count] += moved * step
        spikes[rows, :features], spikes[rows, features:] = moved > 0, moved < 0
    return Sequences(spikes, sequences.lengths, sequences.labels, sequences.stepwise)
