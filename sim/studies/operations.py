"""Matrix operations of training on spoken commands: the published headline, on a set of the same kind."""

from __future__ import annotations

from deltatrain.sim.studies import _training
from deltatrain.sim.studies._training import Settings

ABOUT = (
    "How many matrix operations (FP + BP + WG, over the whole training) does a Delta LSTM of 56 k parameters need, and "
    "at what loss of accuracy against the dense LSTM? Published on Fluent Speech Commands: about 80 % fewer with "
    "negligible loss (Chen et al., AAAI 2024, arXiv 2312.09391, abstract). Ours is a synthesised set with the same "
    "intents and front end, voices held out, so the accuracies do not compare with that set's. The "
    "learning rate is the dense LSTM's best on training voices set apart (`tuning`), the thresholds are those of a "
    "first trial."
)

SETTINGS = Settings(
    workload="commands",
    changes={},
    seeds=(0, 1, 2, 3, 4),
    trials={
        "finest": {"theta_x": [0.1, 0.05], "theta_h": 0.05},
        "fine": {"theta_x": [0.3, 0.1], "theta_h": 0.1},
        "preset": {},
        "quiet": {"training.beta": 3e-4},
        "quietest": {"theta_x": [0.7, 0.3], "theta_h": 0.3, "training.beta": 1e-3},
    },
)
SMALL_SETTINGS = Settings(
    workload="vowels",
    changes={"training.epochs": 20, "training.dense_epochs": 0},
    seeds=(1,),
    trials={"small": {"theta_x": 0.5, "theta_h": 0.2}},
)

rows = _training.rows
