"""Sparse weights that move during training (Selfish-RNN), beside sparse weights that stay in place, and dense ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deltatrain.sim.studies import _sparse, _training
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.sim.studies._training import Outcomes, Settings

ABOUT = (
    "Does an LSTM trained with a third of its weights, moved between epochs, reach the dense one? Published on PTB at "
    "sparsity 0.67: test perplexity 71.65 (Selfish-RNN, Liu et al., ICML 2021, arXiv 2101.09048, its repository's "
    "README), dense LSTM 78.4 (Zaremba et al., arXiv 1409.2329). Ours is the accuracy of an LSTM of 56 k weights on "
    "spoken digits, adamw instead of SGD and averaging, exact counts, gradients masked before clipping; activations "
    "are dense, so only the weights save. Cycles and bytes are analytic, for 8 lanes: compressed columns, no waiting."
)

_DENSE = "dense"


def _settings(epochs: int, seeds: tuple[int, ...], densities: tuple[float, ...], workload: str) -> Settings:
    thin = {
        f"{rule} {density:g}": {"sparsity.rule": rule, "sparsity.density": density}
        for density in densities
        for rule in ("static", "selfish", "selfish_gates", "balanced")
    }
    changes = {"training.epochs": epochs, "training.dense_epochs": epochs}
    return Settings(workload, changes, seeds, {_DENSE: {}} | thin)


SETTINGS = _settings(30, (1, 2), (0.33,), "digits")
SMALL_SETTINGS = _settings(8, (1,), (0.33,), "vowels")


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Train everything and return a row for each trial, means over the seeds.

    Columns: ``trial``, rule and density; ``accuracy_%``, ``accuracy_sd_%``, ``lost_points`` against dense; ``saved_%``
    of the matrix operations; ``cycles_fewer_times``, words of whole columns over words of compressed ones, and
    ``balance_%``, a lane's mean work over the longest lane's; ``bytes_fewer_times`` of the recurrent layers' matrices;
    ``gates_%``, share of recurrent weights in each gate at the end, in the cell's order; ``seeds``.
    """
    outcomes = _training.trained(settings, folder, progress)
    return [_row(name, settings, outcomes, folder) for name in settings.trials]


def _row(name: str, settings: Settings, outcomes: Outcomes, folder: Path) -> Row:
    found = [_sparse.columns(settings.trial(name, seed), folder) for seed in settings.seeds]
    dense = name == _DENSE
    gates = np.mean([one.gate_density for one in found], axis=0)
    return {
        "trial": name,
        **_training.accuracy_columns(name, _DENSE, settings, outcomes),
        "saved_%": round(100 * _training.mean(outcomes[name, seed].saved for seed in settings.seeds), 1),
        "cycles_fewer_times": 1.0 if dense else round(_training.mean(one.whole_words / one.words for one in found), 2),
        "balance_%": round(100 * _training.mean(one.macs / (_sparse.engine().lanes * one.words) for one in found), 1),
        "bytes_fewer_times": 1.0 if dense else round(_training.mean(one.whole_bytes / one.bytes for one in found), 2),
        "gates_%": " ".join(f"{100 * density:.0f}" for density in gates),
        "seeds": len(found),
    }
