"""The learning rate of the study `operations`, chosen for its dense network on training voices set apart."""

from __future__ import annotations

from typing import Any

from deltatrain.sim.studies import _training
from deltatrain.sim.studies._training import Settings
from deltatrain.workloads.datasets import commands
from deltatrain.workloads.presets import PRESETS

ABOUT = (
    "Which learning rate suits the dense LSTM on spoken commands? Trained without 16 voices of the training part, "
    "tested on those; the 18 voices of the test part are not heard. The row `dense` has the preset's rate, which the "
    "study `operations` takes for all networks. Nothing is published; gates begin with a forget bias of 1."
)


def _rates(workload: str, *rates: float) -> dict[str, dict[str, Any]]:
    epochs = PRESETS.load(workload)["training"]["epochs"]
    return {f"rate {rate:g}": {"training.dense_epochs": epochs, "training.learning_rate": rate} for rate in rates}


SETTINGS = Settings("commands", {}, (0,), _rates("commands", 2e-3, 5e-3), commands.voices_apart)
SMALL_SETTINGS = Settings("vowels", {}, (1,), _rates("vowels", 1e-3))

rows = _training.rows
