"""What the tests of the command line share: running it in this process, and a data set that needs no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from sim.cli import main
from workloads.datasets import DATASETS
from workloads.recordings import Recordings, Sequences


class Ran(NamedTuple):
    """What a command did."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture
def deltatrain(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Return the function that runs the command line with the words given."""

    def run(*words: object) -> Ran:
        capfd.readouterr()
        status = main([str(word) for word in words])
        return Ran(status, *capfd.readouterr())

    return run


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> Recordings:
    """Put 24 training and 12 test recordings in the place of the digits."""

    def part(samples: int, seed: int) -> Sequences:
        random = np.random.default_rng(seed)
        lengths = random.integers(3, 7, samples)
        values = random.standard_normal((int(lengths.sum()), 4)).astype(np.float32)
        return Sequences(values, lengths.astype(np.int64), random.integers(0, 3, samples))

    recordings = Recordings("digits", "none", "random numbers", 3, part(24, 1), part(12, 2))
    monkeypatch.setattr(DATASETS.load("digits"), "load", lambda progress=None: recordings)
    return recordings
