"""Thresholds against accuracy, occupancy and matrix operations on spoken digits."""

from __future__ import annotations

from deltatrain.sim.studies import _training
from deltatrain.sim.studies._training import Settings

ABOUT = (
    "How far can the thresholds go before a network of 56 k parameters trained with them loses accuracy on spoken "
    "digits? Nothing is published on this set; delta networks report 80 to 90 % fewer operations elsewhere. Thresholds "
    "and beta were tried out on the same 600 test recordings, of which one is 0.17 points."
)

SETTINGS = Settings(
    workload="digits",
    changes={},
    seeds=(1, 2, 3),
    trials={
        "finest": {"theta_x": [0.1, 0.05], "theta_h": 0.05, "training.beta": 0.0},
        "fine": {"theta_x": [0.3, 0.1], "theta_h": 0.1, "training.beta": 0.0},
        "accurate": {"theta_x": [0.5, 0.2], "theta_h": 0.2, "training.beta": 0.0},
        "low": {"theta_x": [0.3, 0.1], "theta_h": 0.1, "training.beta": 1e-3},
        "preset": {},
        "high": {"theta_x": [0.7, 0.3], "theta_h": 0.3, "training.beta": 1e-3},
    },
)
SMALL_SETTINGS = Settings(
    workload="vowels",
    changes={"training.epochs": 20, "training.dense_epochs": 0},
    seeds=(1,),
    trials={"small": {"theta_x": 0.3, "theta_h": 0.1}},
)

rows = _training.rows
