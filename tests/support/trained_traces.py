"""Traces of trainings small enough for gates in Amaranth's simulator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from deltatrain.accel.description import with_overrides
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.tasks import Wanted
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training.training import train
from deltatrain.workloads.workload import Workload

FEATURES, CLASSES = 4, 3


def noise(samples: int, seed: int, longest: int, wants: Wanted = "classes") -> Sequences:
    """Return recordings of noise, of 1 to `longest` steps, of which is wanted what `wants` says, drawn too."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest + 1, samples)
    values = random.standard_normal((int(lengths.sum()), FEATURES)).astype(np.float32)
    stepwise = wants.startswith("step")
    rows = len(values) if stepwise else samples
    if wants.endswith("numbers"):
        return Sequences(values, lengths, random.standard_normal((rows, CLASSES)).astype(np.float32), stepwise)
    return Sequences(values, lengths, random.integers(0, CLASSES, rows), stepwise)


def small_trace(
    cell: str, hidden: tuple[int, ...] = (5,), longest: int = 3, changes: dict[str, Any] | None = None
) -> Trace:
    """Return the trace of two epochs on noise, with batches of two; `changes` are of the workload, by dotted field."""
    table = {
        "name": "noise",
        "dataset": "digits",  # any: the recordings are handed over
        "cell": cell,
        "hidden": list(hidden),
        "theta_x": [0.3, *[0.05] * (len(hidden) - 1)],
        "theta_h": 0.05,
        "training": {
            "epochs": 2,
            "batch": 2,
            "optimiser": "sgd",
            "learning_rate": 0.5,
            "schedule": "constant",
            "seed": 3,
        },
    }
    workload = Workload.from_table(with_overrides(table, changes or {}))
    train_part, test_part = (noise(count, seed, longest, workload.wants) for count, seed in ((8, 1), (4, 2)))
    done = train(workload, Recordings("noise", "none", "drawn for the test", CLASSES, train_part, test_part))
    return Trace(workload, FEATURES, CLASSES, done.recorded, done.epochs)


def without_numbers(trace: Trace) -> Trace:
    """Return a trace as versions wrote it that recorded masks alone."""
    return replace(trace, recorded=tuple(replace(step, numbers=None) for step in trace.recorded))
