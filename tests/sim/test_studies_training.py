"""Trainings of a study run side by side, one process on each core."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from recording_files import write_npz

from deltatrain.sim.studies import _training
from deltatrain.workloads.dataset import recordings_of
from deltatrain.workloads.training import learning_state
from deltatrain.workloads.workload import Workload

_DESCRIBED = """
name = "mine"
dataset = "a.npz"
cell = "delta_lstm"
hidden = [9]
theta_x = 0.1
theta_h = 0.1
readout = "last"

[training]
epochs = 2
batch = 4
optimiser = "adamw"
learning_rate = 1e-2
"""


def test_trainings_side_by_side_are_those_one_after_another(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz")
    (tmp_path / "mine.toml").write_text(_DESCRIBED)
    workloads = {("trial", seed): Workload.named(tmp_path / "mine.toml", {"training.seed": seed}) for seed in range(4)}
    load = partial(recordings_of, next(iter(workloads.values())).dataset)
    together, apart = tmp_path / "together", tmp_path / "apart"
    for folder in (together, apart):
        folder.mkdir()
    told: list[str] = []
    found = _training._outcomes(workloads, load, together, lambda stage, share, detail: told.append(detail))
    assert told == [f"{done} of 4" for done in range(5)]
    assert found == {key: _training._outcome(workload, load, apart) for key, workload in workloads.items()}
    for workload in workloads.values():
        states = [
            learning_state.load(_training.state_path(workload, folder), workload.digest())
            for folder in (together, apart)
        ]
        np.testing.assert_array_equal(*(state.parameters for state in states))
