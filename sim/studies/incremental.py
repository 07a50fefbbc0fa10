"""New classes on the device: accuracy after each task, and what a new class costs the machine."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.files import make_folder
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.studies import _training
from deltatrain.sim.studies._incremental_cost import TaskCost, task_cost
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.workloads.dataset import recordings_of
from deltatrain.workloads.incremental.course import Course
from deltatrain.workloads.incremental.learning import course_of, first_task
from deltatrain.workloads.workload import Workload

ABOUT = (
    "Does a delta network learn new classes on the device as well as a dense one, at which cost? Published (Chen et "
    "al., AAAI 2024): iCaRL on Google Speech Commands, 20 classes and then 3 more five times, an LSTM of 128 neurons; "
    "82.3 % dense and 80.1 % delta after 35 classes at batch 1, and no cost. Ours: the same on its 35 words, spoken by "
    "synthetic voices; with --data on the recordings themselves. Training is AdamW in floating point; costs are of "
    "edge without a column cache, whose update is plain, cycle fidelity: training and all passes forward, but not the "
    "sigmoids of the distillation, nor the distances of herding and means."
)

_PUBLISHED_EXEMPLARS = 2000


class Trial(NamedTuple):
    """How a network learns.

    Attributes
    ----------
    dense
        Without deltas, in all tasks; else the first task is dense in the epochs that the workload says.
    batch, learning_rate
        Of the tasks after the first, which all trials begin with alike.
    at_once
        All classes are one task.
    """

    dense: bool
    batch: int
    learning_rate: float
    at_once: bool = False


class Settings(NamedTuple):
    """What is learned, and on which machine.

    Attributes
    ----------
    workload
        Name of the preset.
    changes, later
        Fields in which all networks differ from it, and in which tasks after the first differ from that one.
    trials
        By name.
    course
        Which classes come when.
    seeds
        Each trial is learned once with each.
    machine
        Name of the preset.
    simulated_steps
        Recorded steps of a task that are simulated.
    """

    workload: str
    changes: dict[str, Any]
    later: dict[str, Any]
    trials: dict[str, Trial]
    course: Course
    seeds: tuple[int, ...]
    machine: str = "edge"
    simulated_steps: int = 3

    def trained_on(self, dataset: Any) -> Settings:
        """Return the settings with other recordings, and as many exemplars as were published."""
        exemplars = max(self.course.exemplars, _PUBLISHED_EXEMPLARS)
        course = self.course._replace(exemplars=exemplars)
        return self._replace(changes=self.changes | {"dataset": dataset}, course=course)

    def workloads(self, name: str, seed: int) -> tuple[Workload, Workload]:
        """Return how the first task of a trial learns, and how those after it do."""
        trial = self.trials[name]
        changes = self.changes | {"training.seed": seed}
        first = Workload.named(self.workload, changes)
        if trial.dense:
            first = first.with_changes(training__dense_epochs=first.training.epochs)
        later = self.later | {"training.batch": trial.batch, "training.learning_rate": trial.learning_rate}
        then = Workload.named(self.workload, changes | {"training.dense_epochs": 0} | later)
        if trial.dense:
            then = then.with_changes(training__dense_epochs=then.training.epochs)
        return first, then


def _trials(rates: dict[int, float]) -> dict[str, Trial]:
    """Return dense and delta at each batch with its learning rate, and all classes at once."""
    trials: dict[str, Trial] = {}
    for batch, rate in rates.items():
        trials[f"LSTM, batch {batch}"] = Trial(True, batch, rate)
        trials[f"delta LSTM, batch {batch}"] = Trial(False, batch, rate)
    batch, rate = next(iter(rates.items()))
    trials["LSTM, at once"] = Trial(True, batch, rate, at_once=True)
    return trials | {"delta LSTM, at once": Trial(False, batch, rate, at_once=True)}


_NETWORK = {"readout": "every", "cell": "delta_lstm", "theta_x": 0.1, "theta_h": 0.1}
_LATER = {"training.schedule": "plateau", "training.warm_up": 0.0}

SETTINGS = Settings(
    "commands",
    _NETWORK | {"dataset": "keywords", "hidden": [128], "training.epochs": 30, "training.dense_epochs": 15},
    _LATER | {"training.epochs": 20},
    _trials({32: 5e-4, 1: 1e-4}),  # epochs and rates of tasks are the published ones
    Course(first=20, more=3, exemplars=350),
    (1, 2, 3),
)
SMALL_SETTINGS = Settings(
    "vowels",
    _NETWORK | {"hidden": [24], "training.epochs": 12, "training.dense_epochs": 6},
    _LATER | {"training.epochs": 4},
    _trials({4: 4e-3}),
    Course(first=3, more=3, exemplars=27),
    (1,),
)


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Learn everything and return a row for each trial and task, means over the seeds.

    Columns: ``trial``; ``classes`` known; ``published_%``; ``accuracy_%`` by the nearest mean of exemplars, its
    standard deviation ``accuracy_sd_%``; ``readout_%``, what the network's own read-out decides; ``saved_%`` of the
    matrix operations of the task's training; and of each class of the task: ``class_GMAC``, multiply-accumulates of
    its training, and ``class_s``, ``class_J``, ``class_DRAM_MB`` on the machine; ``seeds``. Accuracy over classes is
    left in `folder` as a figure.
    """
    from deltatrain.reports.figures import incremental

    make_folder(folder)
    dataset = settings.workloads(next(iter(settings.trials)), settings.seeds[0])[0].dataset
    recordings_of(dataset, lambda what, share: progress("data set", share, what))
    found, published = _found(settings, folder, progress), _published()
    of_trial = {name: [found[name, seed] for seed in settings.seeds] for name in settings.trials}
    table = [
        _row(name, seeds, number, published) for name, seeds in of_trial.items() for number in range(len(seeds[0]))
    ]
    setting = f"{recordings_of(dataset).name}, exemplars: {settings.course.exemplars}, seeds: {len(settings.seeds)}"
    OutputFolder(folder).save_figure("incremental", incremental.draw(table, setting=setting))
    return table


class Task(NamedTuple):
    """What was known after a task: classes, shares decided rightly by means and by the read-out; and what it cost."""

    classes: int
    accuracy: float
    readout_accuracy: float
    cost: TaskCost


Found = dict[tuple[str, int], list[Task]]
"""Every task, by trial and seed."""


def _found(settings: Settings, folder: Path, progress: Progress) -> Found:
    """Learn every course and simulate its tasks; the first tasks, which trials share, come before all others."""
    firsts: dict[tuple[str, bool], partial[None]] = {}
    courses: dict[tuple[str, int], partial[list[Task]]] = {}
    for name, trial in settings.trials.items():
        for seed in settings.seeds:
            first, then = settings.workloads(name, seed)
            shared = settings.course, trial.at_once, folder
            firsts[first.digest(), trial.at_once] = partial(_first, first, *shared)
            courses[name, seed] = partial(_course, (first, then), settings, *shared)
    _training.side_by_side(firsts, progress, "first tasks")
    return _training.side_by_side(courses, progress, "courses")


def _first(first: Workload, course: Course, at_once: bool, folder: Path) -> None:
    recordings = recordings_of(first.dataset)
    first_task(first, _of(course, recordings.classes, at_once), recordings, folder)


def _course(
    pair: tuple[Workload, Workload], settings: Settings, course: Course, at_once: bool, folder: Path
) -> list[Task]:
    recordings, machine = recordings_of(pair[0].dataset), Architecture.named(settings.machine).without_cache()
    learnt = course_of(*pair, _of(course, recordings.classes, at_once), recordings, folder)
    return [
        Task(one.classes, one.accuracy, one.readout_accuracy, task_cost(machine, one, settings.simulated_steps))
        for one in learnt
    ]


def _of(course: Course, classes: int, at_once: bool) -> Course:
    return course._replace(first=classes) if at_once else course


def _published() -> dict[tuple[str, int], float]:
    """Return the published accuracies, in per cent, by trial and classes."""
    text = resources.files("deltatrain.sim.studies").joinpath("incremental_published.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    classes = table["classes"]
    after_tasks = {
        (name, known): figure
        for name, figures in table["accuracy"].items()
        for known, figure in zip(classes, figures, strict=True)
    }
    return after_tasks | {(name, classes[-1]): figure for name, figure in table["at_once"].items()}


def _row(name: str, seeds: Sequence[list[Task]], number: int, published: dict[tuple[str, int], float]) -> Row:
    """Return the row of a trial after task `number`, given its tasks with each seed."""
    known, mean = [tasks[number] for tasks in seeds], _training.mean
    classes = known[0].classes
    new = classes - (seeds[0][number - 1].classes if number else 0)
    return {
        "trial": name,
        "classes": classes,
        "published_%": published.get((name, classes), ""),
        **_training.spread([one.accuracy for one in known]),
        "readout_%": round(100 * mean(one.readout_accuracy for one in known), 2),
        "saved_%": round(100 * mean(one.cost.macs.saved for one in known), 1),
        "class_GMAC": _told(mean(one.cost.macs.total for one in known) / new / 1e9),
        "class_s": _told(mean(one.cost.cost.seconds for one in known) / new),
        "class_J": _told(mean(one.cost.cost.energy_j for one in known) / new),
        "class_DRAM_MB": _told(mean(one.cost.cost.remote_bytes for one in known) / new / 1e6),
        "seeds": len(known),
    }


def _told(cost: float) -> float:
    """Return a cost to three digits."""
    return float(f"{cost:.3g}")
