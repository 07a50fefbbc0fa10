"""A package of somebody else's, installed beside deltatrain, adds a cell and a schedule by entry points."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent / "example_package"
_TRAINED = """
import numpy as np
import deltatrain as dt
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.training.training import train
from deltatrain.workloads.trace import Trace

what = dt.Workload.named("vowels").with_changes(
    cell="delta_relu", training__schedule="halving", training__epochs=2, training__dense_epochs=0, hidden=[8]
)
draw = np.random.default_rng(0)
part = Sequences(draw.standard_normal((60, 3)).astype(np.float32), np.full(12, 5), np.arange(12) % 2)
recordings = Recordings("drawn", "none", "drawn by chance", 2, part, part)
done = train(what, recordings)
result = dt.simulate("edge", Trace(what, 3, 2, done.recorded, done.epochs))
print(result.workload["cell"], result.counters.cycles > 0, result.counters.work["macs"] < result.dense.work["macs"])
"""


def _run(site: Path, *command: str) -> str:
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, *command], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", *install, str(EXAMPLE)], check=True, capture_output=True)
    return folder


def test_what_another_package_adds_is_listed_and_simulated_by_name(site: Path) -> None:
    listed = _run(site, "-m", "deltatrain", "list", "cells")
    assert "delta_relu" in listed
    made = _run(
        *(site, "-m", "deltatrain", "simulate", "-w", "synthetic", "--fidelity", "analytic"),
        *("--set", "workload.cell=delta_relu", "--set", "workload.synthetic.steps=4"),
    )
    assert "faster" in made


def test_it_trains_with_the_cell_and_the_schedule(site: Path) -> None:
    assert _run(site, "-c", _TRAINED).split() == ["delta_relu", "True", "True"]
