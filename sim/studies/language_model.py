"""A word language model with a third of its weights, as Selfish-RNN trains it, beside dense ones; on the machine."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.pricing.run_energy import energy_j
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.studies import _training
from deltatrain.sim.studies._steps import last_program
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.sim.studies._training import Outcomes, Settings
from deltatrain.workloads.data.fetching import Progress as Fetching
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.data.vocabulary import beginning
from deltatrain.workloads.data.windows import streams_of
from deltatrain.workloads.datasets import brown, words
from deltatrain.workloads.network.network import shapes
from deltatrain.workloads.training.training import Trained, train

ABOUT = (
    "Does a stacked LSTM language model with a third of its weights, moved between epochs, reach the dense one, and is "
    "SNT-ASGD better than NT-ASGD? Published (Selfish-RNN, Liu et al., ICML 2021, arXiv 2101.09048, its repository's "
    "README): test perplexity on Penn Treebank 71.65 at density 0.33, 66 M weights when dense; the dense one 78.4 "
    "(Zaremba et al., arXiv 1409.2329). Ours is the beginning of the Brown corpus (`--small`: of Wikipedia), few "
    "words and a small network, with clipping, weight decay and pruning as published: perplexities are to be compared "
    "with each other, not with theirs. A training step is simulated on `edge`, its activations dense but for the last "
    "row."
)

_DENSE, _EQUAL, _SELFISH = "dense", "dense, as many weights", "selfish"
_PUBLISHED = {_DENSE: 78.4, _SELFISH: 71.65}
"""Test perplexity on Penn Treebank, by the trial that is meant."""

_DENSITY, _LAYERS = 0.33, 2
_STREAMS, _STEPS = 20, 35

_LOCAL_BYTES = 2**19
"""Of the machine `edge`: the gradients of all logits of a window stay local."""


class Text(NamedTuple):
    """How much of a data set is read, and by how wide a network: each layer, and a word's row of the table."""

    data_set: str
    words: int
    vocabulary: int
    width: int

    def load(self, progress: Fetching | None = None) -> Recordings:
        """Return it in streams; a process that trains several networks reads it once."""
        return _recordings(self, progress)

    def matrix_weights(self, width: int) -> int:
        """Return the weights of a network so wide: two tables of words, and of each layer two times four gates."""
        return 2 * self.vocabulary * width + _LAYERS * 8 * width * width

    def width_of(self, density: float) -> int:
        """Return the width of the dense network that comes nearest to this share of the weights."""
        wanted = density * self.matrix_weights(self.width)
        return min(range(1, self.width + 1), key=lambda width: abs(self.matrix_weights(width) - wanted))


_TEXTS = {"brown": brown, "words": words}

_READ: dict[Text, Recordings] = {}
"""What this process has read."""


def _recordings(text: Text, progress: Fetching | None) -> Recordings:
    if text not in _READ:
        whole = _TEXTS[text.data_set]
        read = beginning(whole.tokens(progress), text.words, text.vocabulary)
        _READ[text] = streams_of(read, _STREAMS, text.data_set, whole.SOURCE)
    return _READ[text]


def _of_width(width: int) -> dict[str, Any]:
    return {"hidden": [width] * _LAYERS, "embedding.width": width}


def _thin(rule: str, optimiser: str = "snt_asgd", distribution: str = "uniform") -> dict[str, Any]:
    return {
        "sparsity.rule": rule,
        "sparsity.density": _DENSITY,
        "sparsity.distribution": distribution,
        "training.clipped_gradient": "all",
        "training.optimiser": optimiser,
    }


def _settings(text: Text, epochs: int, seeds: tuple[int, ...]) -> Settings:
    descent = {
        "epochs": epochs,
        "dense_epochs": epochs,
        "batch": _STREAMS,
        "truncate_steps": _STEPS,
        "optimiser": "nt_asgd",
        "learning_rate": 10.0,
        "schedule": "constant",
        "warm_up": 0.0,
        "momentum": 0.0,
        "weight_decay": 1.2e-6,
        "clip_norm": 0.25,
        "dropout": 0.2,
    }
    changes = {"dataset": text.data_set, **_of_width(text.width), **{f"training.{k}": v for k, v in descent.items()}}
    trials = {
        _DENSE: {},
        _EQUAL: _of_width(text.width_of(_DENSITY)),
        "static": _thin("static"),
        "set": _thin("set"),
        "rigl": _thin("rigl"),
        _SELFISH: _thin("selfish"),
        "selfish, NT-ASGD": _thin("selfish", "nt_asgd"),
        "selfish, Erdos-Renyi": _thin("selfish", distribution="erdos_renyi"),
        "selfish_gates": _thin("selfish_gates"),
        "selfish, deltas": _thin("selfish") | {"training.dense_epochs": epochs // 2},
    }
    return Settings("words", changes, seeds, trials, text.load)


SETTINGS = _settings(Text("brown", 12_000, 300, 24), 24, (1, 2, 3))
SMALL_SETTINGS = _settings(Text("words", 4_000, 100, 12), 2, (1,))  # which pip brings, as those of other studies
SMALL_SETTINGS = SMALL_SETTINGS._replace(trials={name: SMALL_SETTINGS.trials[name] for name in (_DENSE, _SELFISH)})


class Step(NamedTuple):
    """A training step on a machine: cycles, bytes moved off-chip, and joules."""

    cycles: int
    moved_bytes: int
    joules: float


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Train everything, simulate the last step of the first seed, and return a row for each trial.

    Columns: ``trial``; ``kiloweights`` that exist; ``perplexity`` on the test part of the epoch that the validation
    part chose, and its standard deviation ``perplexity_sd`` over the seeds; ``published_PTB``; ``saved_%`` of the
    matrix operations of training; ``kilocycles``, ``moved_MB`` off-chip and ``energy_mJ`` of a step, and
    ``faster_times``, ``fewer_bytes_times``, ``less_energy_times`` than dense; ``seeds``. Validation perplexity over
    the epochs is left in `folder` as a figure.
    """
    from deltatrain.reports.figures import perplexity

    settings = _in_streams(settings)
    outcomes = _training.trained(settings, folder, progress)
    recordings = settings.load(None)
    table, steps, curves = list[Row](), dict[str, Step](), dict[str, list[float]]()
    for number, name in enumerate(settings.trials):
        progress("simulated", number / len(settings.trials), name)
        trained = _trained(settings, name, recordings, folder)
        curves[name] = [counts.figure for counts in trained.epochs]
        steps[name] = _simulated(trained, recordings)
        table.append(_row(settings, outcomes, name, trained, steps))
    setting = f"{recordings.train.vocabulary:,} words, {_LAYERS} layers, first seed of {len(settings.seeds)}"
    OutputFolder(folder).save_figure("perplexity", perplexity.draw(curves, setting=setting))
    return table


def _in_streams(settings: Settings) -> Settings:
    """Return the settings with a text of one's own cut into streams, as that of Penn Treebank is.

    The dense network of as many weights is as wide as the words of that text make it.
    """
    dataset = settings.changes["dataset"]
    if not isinstance(dataset, dict):
        return settings
    cut = {"targets": "step_classes", "streams": _STREAMS} | dataset
    settings = settings._replace(changes=settings.changes | {"dataset": cut})
    known = settings.load(None).train.vocabulary
    text = Text(dataset["path"], 0, known, settings.changes["embedding.width"])
    equal = _of_width(text.width_of(_DENSITY))
    return settings._replace(trials=settings.trials | {_EQUAL: equal} if _EQUAL in settings.trials else settings.trials)


def _trained(settings: Settings, name: str, recordings: Recordings, folder: Path) -> Trained:
    workload = settings.trial(name, settings.seeds[0])
    return train(workload, recordings, state_path=_training.state_path(workload, folder), resume=True)


def _simulated(trained: Trained, recordings: Recordings) -> Step:
    machine = Architecture.named("edge", {"local.bytes": _LOCAL_BYTES, "cache.bytes": 0})
    program = last_program(machine, trained.trace(recordings))
    counters = cycle.count(program)
    joules = sum(energy_j(counters, program.architecture, program.own.update_modes).values())
    return Step(counters.cycles, counters.remote.asked_bytes, joules)


def _row(settings: Settings, outcomes: Outcomes, name: str, trained: Trained, steps: dict[str, Step]) -> Row:
    found = [outcomes[name, seed] for seed in settings.seeds]
    figures = [outcome.accuracy for outcome in found]
    biases = sum(math.prod(shape) for shape in shapes(trained.sizes) if len(shape) == 1)
    one, dense = steps[name], steps[_DENSE]
    return {
        "trial": name,
        "kiloweights": round((int(trained.mask.sum()) - biases) / 1e3, 1),
        "perplexity": round(fmean(figures), 1),
        "perplexity_sd": round(stdev(figures), 1) if len(figures) > 1 else 0.0,
        "published_PTB": _PUBLISHED.get(name, ""),
        "saved_%": round(100 * _training.mean(outcome.saved for outcome in found), 1),
        "kilocycles": round(one.cycles / 1e3, 1),
        "moved_MB": round(one.moved_bytes / 1e6, 3),
        "energy_mJ": round(1e3 * one.joules, 3),
        "faster_times": round(dense.cycles / one.cycles, 2),
        "fewer_bytes_times": round(dense.moved_bytes / one.moved_bytes, 2),
        "less_energy_times": round(dense.joules / one.joules, 2),
        "seeds": len(found),
    }
