"""What the tests of the command line share: running it in this process, and a data set that needs no network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from deltatrain.sim.cli import main
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.datasets import DATASETS

FEW = """
name = "few"
dataset = "digits"
cell = "delta_lstm"
hidden = [6]
theta_x = 0.3
theta_h = 0.1

[training]
epochs = 4
dense_epochs = 1
batch = 8
"""


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


def few_recordings() -> Recordings:
    """Return 24 training and 12 test recordings of noise."""

    def part(samples: int, seed: int) -> Sequences:
        random = np.random.default_rng(seed)
        lengths = random.integers(3, 7, samples).astype(np.int64)
        values = random.standard_normal((int(lengths.sum()), 4)).astype(np.float32)
        return Sequences(values, lengths, random.integers(0, 3, samples))

    return Recordings("digits", "none", "random numbers", 3, part(24, 1), part(12, 2))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put few recordings in the place of the digits; return the file of a workload that trains on them in no time."""
    path = tmp_path_factory.mktemp("workload") / "few.toml"
    path.write_text(FEW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DATASETS.load("digits"), "load", lambda progress=None: few_recordings())
        yield path
