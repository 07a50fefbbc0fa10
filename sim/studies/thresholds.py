"""Thresholds against accuracy, occupancy and matrix operations on spoken digits."""

from __future__ import annotations

from sim.studies import _training
from sim.studies._training import Settings

ABOUT = (
    "How far can the thresholds go before a network of 56 k parameters trained with them loses accuracy on spoken "
    "digits? Nothing is published on this set; delta networks report 80 to 90 % fewer operations elsewhere."
)

SETTINGS = Settings(
    workload="digits",
    seeds=(1, 2, 3),
    trials={
        "0.1/0.05": {"theta_x": 0.1, "theta_h": 0.05},
        "0.3/0.1": {"theta_x": 0.3, "theta_h": 0.1},
        "0.5/0.2": {"theta_x": 0.5, "theta_h": 0.2},
    },
)
SMALL_SETTINGS = Settings(
    workload="vowels", seeds=(1,), trials={"0.3/0.1": {"theta_x": 0.3, "theta_h": 0.1, "training.dense_epochs": 0}}
)

rows = _training.rows
