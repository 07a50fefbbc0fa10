"""Matrix operations of training on spoken commands: the published headline, on a set of the same kind."""

from __future__ import annotations

from pathlib import Path

from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.studies import _training
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.sim.studies._training import Settings

ABOUT = (
    "How many matrix operations (FP + BP + WG, over the whole training) does a Delta LSTM of 56 k parameters need, and "
    "at what loss of accuracy against the dense LSTM? Published on Fluent Speech Commands: about 80 % fewer with "
    "negligible loss (Chen et al., AAAI 2024, arXiv 2312.09391, abstract). Ours is a synthesised set with the same "
    "intents and front end, voices held out, so the accuracies do not compare with that set's. The dense LSTM's "
    "learning rate and weight decay, and the preset's thresholds, were chosen on training voices set apart (`tuning`)."
)

LEAST_SAVED, MOST_LOST = 80.0, 1.0
"""What is asked of the preset, in percent of the operations and points of accuracy: our reading of the abstract."""

SETTINGS = Settings(
    workload="commands",
    changes={},
    seeds=(0, 1, 2, 3, 4),
    trials={
        "preset": {},
        "quiet": {"training.beta": 3e-4},
    },
)
SMALL_SETTINGS = Settings(
    workload="vowels",
    changes={"training.epochs": 20, "training.dense_epochs": 0},
    seeds=(1,),
    trials={"small": {"theta_x": 0.5, "theta_h": 0.2}},
)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Return the rows of `_training.rows`; the trade of what is saved and lost is left in `folder` as a figure."""
    from deltatrain.reports.figures import trade

    table = _training.rows(settings, folder, progress)
    setting = f"{settings.workload}, {len(settings.seeds)} seeds"
    figure = trade.draw(table, least_saved=LEAST_SAVED, most_lost=MOST_LOST, setting=setting)
    OutputFolder(folder).save_figure("trade", figure)
    return table
