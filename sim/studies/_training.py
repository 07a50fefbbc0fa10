"""Training one workload in several ways and with several seeds, several trainings at a time."""

from __future__ import annotations

import multiprocessing
import os
import statistics
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from deltatrain.accel.files import make_folder
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.workloads.data.fetching import Progress as Fetching
from deltatrain.workloads.data.recordings import Recordings
from deltatrain.workloads.dataset import recordings_of
from deltatrain.workloads.trace import Trace
from deltatrain.workloads.training.training import train
from deltatrain.workloads.workload import Workload

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")

Load = Callable[[Fetching | None], Recordings]
"""Returns recordings, and tells of its progress."""


_LEAST_SAVED, _MOST_LOST = 80.0, 1.0
"""Percent of the operations and points of accuracy: what is published, "negligible loss" as we read it."""


class Settings(NamedTuple):
    """What is trained.

    Attributes
    ----------
    workload
        Name of the preset that all trainings start from.
    changes
        Fields in which all trainings, the dense one too, differ from the preset.
    seeds
        Each setting is trained once with each.
    trials
        For each trial, by name, the fields in which it differs, such as thresholds.
    recordings
        What they are trained and tested on instead of the workload's data set, such as voices set apart.
    """

    workload: str
    changes: dict[str, Any]
    seeds: tuple[int, ...]
    trials: dict[str, dict[str, Any]]
    recordings: Load | None = None

    def trained(self, changes: dict[str, Any]) -> Workload:
        """Return the workload of a training that has `changes` of its own."""
        return Workload.named(self.workload, self.changes | changes)

    def trial(self, name: str, seed: int) -> Workload:
        """Return the workload of the trial called `name`."""
        return self.trained(self.trials[name] | {"training.seed": seed})

    def trained_on(self, dataset: Any) -> Settings:
        """Return the settings with other recordings."""
        return self._replace(changes=self.changes | {"dataset": dataset}, recordings=None)

    @property
    def load(self) -> Load:
        """What loads the recordings."""
        return self.recordings or partial(recordings_of, self.trained({}).dataset)


class Outcome(NamedTuple):
    """What one training showed.

    Attributes
    ----------
    accuracy, occupancy_x, occupancy_h
        On the test part, at the end.
    fired_a_step
        How many elements fired in a step there, summed over all streams and layers.
    saved
        Share of the matrix operations of the whole training that was not needed.
    forward
        Matrix operations of FP, as a share of all matrix operations of a dense training.
    stored
        Of a training in a machine's numbers, over all its epochs, as `EpochCounts.stored`; empty of any other.
    """

    accuracy: float
    occupancy_x: float
    occupancy_h: float
    fired_a_step: float
    saved: float
    forward: float
    stored: Mapping[str, tuple[int, ...]] = MappingProxyType({})


Outcomes = dict[tuple[str, int], Outcome]
"""By trial and seed."""


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Train everything and return a row for the dense network and each trial, means over the seeds.

    Columns: ``trial``; ``theta_x``, ``theta_h``; ``accuracy_%`` and its standard deviation ``accuracy_sd_%``;
    ``lost_points``, dense minus this; ``occupancy_x_%``, ``occupancy_h_%``; ``saved_%`` of the matrix operations
    (FP + BP + WG, the whole training); ``fewer_times``, dense operations over those done; ``seeds``. The trade of what
    is saved and what is lost is left in `folder` as a figure.
    """
    from deltatrain.reports.figures import trade

    dense = {"dense": {"training.dense_epochs": settings.trained({}).training.epochs}}
    settings = settings._replace(trials=dense | settings.trials)
    outcomes = trained(settings, folder, progress)
    table = [_row(name, settings, outcomes) for name in settings.trials]
    setting = f"{settings.workload}, seeds: {len(settings.seeds)}"
    figure = trade.draw(table, least_saved=_LEAST_SAVED, most_lost=_MOST_LOST, setting=setting)
    OutputFolder(folder).save_figure("trade", figure)
    return table


def trained(settings: Settings, folder: Path, progress: Progress) -> Outcomes:
    """Return the outcome of each trial with each seed; their states stay in `folder` (`state_path`)."""
    make_folder(folder)
    settings.load(lambda what, share: progress("data set", share, what))
    workloads = {(name, seed): settings.trial(name, seed) for name in settings.trials for seed in settings.seeds}
    return _outcomes(workloads, settings.load, folder, progress)


def trace(settings: Settings, name: str, folder: Path) -> Trace:
    """Return the trace of the trial called `name` with the first seed, trained if `folder` has it not."""
    workload, recordings = settings.trial(name, settings.seeds[0]), settings.load(None)
    return train(workload, recordings, state_path=state_path(workload, folder), resume=True).trace(recordings)


def state_path(workload: Workload, folder: Path) -> Path:
    """Return where the state of a finished training is."""
    return folder / f"{workload.digest()}.npz"


def accuracy_columns(name: str, baseline: str, settings: Settings, outcomes: Outcomes) -> Row:
    """Return the columns that tell how accurate a trial was: ``accuracy_%``, ``accuracy_sd_%``, ``lost_points``.

    Mean and standard deviation over the seeds, and the mean of `baseline` minus this one.
    """
    found, expected = ([outcomes[trial, seed].accuracy for seed in settings.seeds] for trial in (name, baseline))
    lost = statistics.fmean(expected) - statistics.fmean(found)
    return {**spread(found), "lost_points": round(100 * lost, 2)}


def spread(accuracies: Sequence[float]) -> Row:
    """Return the columns ``accuracy_%`` and ``accuracy_sd_%`` of shares: mean and standard deviation over the seeds."""
    deviation = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    return {
        "accuracy_%": round(100 * statistics.fmean(accuracies), 2),
        "accuracy_sd_%": round(100 * deviation, 2),
    }


def mean(values: Iterable[float]) -> float:
    """Return the mean over the seeds."""
    return statistics.fmean(values)


def _outcomes(workloads: dict[tuple[str, int], Workload], load: Load, folder: Path, progress: Progress) -> Outcomes:
    """Return the outcome of each training."""
    jobs = {key: partial(_outcome, workload, load, folder) for key, workload in workloads.items()}
    return side_by_side(jobs, progress, "trainings")


def side_by_side(jobs: Mapping[Key, Callable[[], Result]], progress: Progress, stage: str) -> dict[Key, Result]:
    """Return what each job returns; one process for each core, and `progress` of `stage` told how many are done."""
    results: dict[Key, Result] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        running = {pool.submit(job): key for key, job in jobs.items()}
        progress(stage, 0.0, f"0 of {len(running)}")
        try:
            for done in as_completed(running):
                results[running[done]] = done.result()
                progress(stage, len(results) / len(running), f"{len(results)} of {len(running)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _outcome(workload: Workload, load: Load, folder: Path) -> Outcome:
    recordings = load(None)
    done = train(workload, recordings, state_path=state_path(workload, folder), resume=True)
    fired = done.evaluation.fired
    steps = int(recordings.test.lengths.sum())
    fired_a_step = (sum(fired.fired_x) + sum(fired.fired_h)) / steps
    macs = done.macs()
    return Outcome(
        done.evaluation.accuracy,
        fired.occupancy_x,
        fired.occupancy_h,
        fired_a_step,
        macs.saved,
        macs.fp / macs.dense_total,
        _summed([counts.stored for counts in done.epochs]),
    )


def _summed(epochs: list[dict[str, tuple[int, int, int]]]) -> dict[str, tuple[int, ...]]:
    """Return the counts of all epochs together, by tensor."""
    tensors = epochs[0] if epochs else {}
    return {name: tuple(map(sum, zip(*(epoch[name] for epoch in epochs), strict=True))) for name in tensors}


def _row(name: str, settings: Settings, outcomes: Outcomes) -> Row:
    workload, of_trial = settings.trained(settings.trials[name]), [outcomes[name, seed] for seed in settings.seeds]
    saved = mean(outcome.saved for outcome in of_trial)
    dense = workload.training.dense_epochs == workload.training.epochs
    return {
        "trial": name,
        "theta_x": "-" if dense else _text(workload.theta_x),
        "theta_h": "-" if dense else _text(workload.theta_h),
        **accuracy_columns(name, "dense", settings, outcomes),
        "occupancy_x_%": round(100 * mean(outcome.occupancy_x for outcome in of_trial), 1),
        "occupancy_h_%": round(100 * mean(outcome.occupancy_h for outcome in of_trial), 1),
        "saved_%": round(100 * saved, 1),
        "fewer_times": round(1 / (1 - saved), 2),
        "seeds": len(of_trial),
    }


def _text(theta: float | tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in theta) if isinstance(theta, tuple) else f"{theta:g}"
