"""A learning task small enough for every test: which of three directions a noisy sequence drifts to."""

from __future__ import annotations

import numpy as np
import pytest

from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.workload import Workload

FEATURES, CLASSES = 4, 3


def _drifting(samples: int, rng: np.random.Generator) -> Sequences:
    lengths = rng.integers(3, 12, samples)
    labels = rng.integers(0, CLASSES, samples)
    values = rng.standard_normal((lengths.sum(), FEATURES)) * 0.5
    values[np.arange(len(values)), np.repeat(labels, lengths)] += 1.0
    return Sequences(values.astype(np.float32), lengths, labels)


@pytest.fixture(scope="session")
def drifts() -> Recordings:
    rng = np.random.default_rng(3)
    return Recordings("drifts", "none", "drawn for the test", CLASSES, _drifting(90, rng), _drifting(40, rng))


@pytest.fixture(scope="session")
def drift_workload() -> Workload:
    return Workload.from_table(
        {
            "name": "drifts",
            "dataset": "digits",  # any: the recordings are handed over
            "cell": "delta_lstm",
            "hidden": [6, 5],
            "theta_x": [0.3, 0.05],
            "theta_h": 0.05,
            "training": {"epochs": 6, "dense_epochs": 2, "batch": 8, "learning_rate": 0.02, "seed": 4},
        }
    )
