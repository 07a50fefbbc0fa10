"""Settings of the study `operations`, chosen on training voices set apart."""

from __future__ import annotations

from typing import Any

from deltatrain.sim.studies import _training
from deltatrain.sim.studies._training import Settings
from deltatrain.workloads.datasets import commands, vowels
from deltatrain.workloads.presets import PRESETS

ABOUT = (
    "Which learning rate and weight decay suit the dense LSTM on spoken commands, and does a delta LSTM of some "
    "thresholds keep up with it? Trained without 16 voices of the training part, tested on those; the 18 voices of the "
    "test part are not heard. `operations` takes what is best here. Nothing is published; the dense LSTM begins with a "
    "forget bias of 1 (Jozefowicz et al., ICML 2015)."
)


def _dense(workload: str, rate: float, decay: float) -> dict[str, Any]:
    epochs = PRESETS.load(workload)["training"]["epochs"]
    fields = {"dense_epochs": epochs, "learning_rate": rate, "weight_decay": decay}
    return {f"training.{name}": value for name, value in fields.items()}


SETTINGS = Settings(
    workload="commands",
    changes={},
    seeds=(0,),
    trials={
        "dense, rate 2e-3": _dense("commands", 2e-3, 0.01),
        "dense, rate 5e-3": _dense("commands", 5e-3, 0.01),
        "dense, decay 0.1": _dense("commands", 3e-3, 0.1),
        "delta": {},
    },
    recordings=commands.voices_apart,
)
SMALL_SETTINGS = Settings(
    workload="vowels",
    changes={"training.epochs": 20},
    seeds=(1,),
    trials={"dense, rate 5e-3": _dense("vowels", 5e-3, 0.01) | {"training.dense_epochs": 20}},
    recordings=vowels.load,
)

rows = _training.rows
