"""Training one workload with several thresholds and seeds beside its dense twin, several trainings at a time."""

from __future__ import annotations

import multiprocessing
import os
import statistics
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from accel.files import make_folder
from sim.studies._table import Progress, Row
from workloads.datasets import DATASETS
from workloads.training import train
from workloads.workload import Workload


class Settings(NamedTuple):
    """What is trained.

    Attributes
    ----------
    workload
        Name of the preset that all trainings start from.
    changes
        Fields in which all of them, the dense one too, differ from it.
    seeds
        Each setting is trained once with each.
    trials
        By name, the fields of a trial's own: thresholds and the weight of the regulariser, so that the dense network
        it is compared with is trained the same way.
    """

    workload: str
    changes: dict[str, Any]
    seeds: tuple[int, ...]
    trials: dict[str, dict[str, Any]]

    def trained(self, changes: dict[str, Any]) -> Workload:
        """Return the workload of a training that has `changes` of its own."""
        return Workload.named(self.workload, self.changes | changes)


class Outcome(NamedTuple):
    """What one training showed; `saved` is the share of the matrix operations of the whole training not needed."""

    accuracy: float
    occupancy_x: float
    occupancy_h: float
    saved: float


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Train everything and return a row for the dense network and each trial, means over the seeds.

    Columns: ``trial``; ``theta_x``, ``theta_h``; ``accuracy_%`` and its standard deviation ``accuracy_sd_%``;
    ``lost_points``, dense minus this; ``occupancy_x_%``, ``occupancy_h_%``; ``saved_%`` of the matrix operations
    (FP + BP + WG, the whole training); ``fewer_times``, dense operations over those done; ``seeds``.
    """
    make_folder(folder)
    preset = settings.trained({})
    trials = {"dense": {"training.dense_epochs": preset.training.epochs}} | settings.trials
    DATASETS.load(preset.dataset).load(lambda what, share: progress("data set", share, what))
    outcomes = _outcomes(_workloads(settings, trials), folder, progress)
    mean_dense = statistics.fmean(outcomes["dense", seed].accuracy for seed in settings.seeds)
    table = []
    for name, changes in trials.items():
        of_trial = [outcomes[name, seed] for seed in settings.seeds]
        table.append(_row(name, settings.trained(changes), of_trial, mean_dense))
    return table


def _workloads(settings: Settings, trials: dict[str, dict[str, Any]]) -> dict[tuple[str, int], Workload]:
    return {
        (name, seed): settings.trained(changes | {"training.seed": seed})
        for name, changes in trials.items()
        for seed in settings.seeds
    }


def _outcomes(
    workloads: dict[tuple[str, int], Workload], folder: Path, progress: Progress
) -> dict[tuple[str, int], Outcome]:
    """Return the outcome of each training; one process for each core."""
    outcomes: dict[tuple[str, int], Outcome] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        running = {pool.submit(_outcome, workload, folder): key for key, workload in workloads.items()}
        progress("trainings", 0.0, f"0 of {len(running)}")
        try:
            for done in as_completed(running):
                outcomes[running[done]] = done.result()
                progress("trainings", len(outcomes) / len(running), f"{len(outcomes)} of {len(running)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return outcomes


def _outcome(workload: Workload, folder: Path) -> Outcome:
    recordings = DATASETS.load(workload.dataset).load()
    done = train(workload, recordings, state_path=folder / f"{workload.digest()}.npz", resume=True)
    fired = done.evaluation.fired
    if workload.training.dense_epochs == workload.training.epochs:
        return Outcome(done.evaluation.accuracy, 1.0, 1.0, 0.0)
    return Outcome(done.evaluation.accuracy, fired.occupancy_x, fired.occupancy_h, done.macs().saved)


def _row(name: str, workload: Workload, outcomes: list[Outcome], dense_accuracy: float) -> Row:
    def mean(values: list[float]) -> float:
        return statistics.fmean(values)

    accuracies = [outcome.accuracy for outcome in outcomes]
    saved = mean([outcome.saved for outcome in outcomes])
    deviation = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    dense = name == "dense"
    return {
        "trial": name,
        "theta_x": "-" if dense else _text(workload.theta_x),
        "theta_h": "-" if dense else _text(workload.theta_h),
        "accuracy_%": round(100 * mean(accuracies), 2),
        "accuracy_sd_%": round(100 * deviation, 2),
        "lost_points": round(100 * (dense_accuracy - mean(accuracies)), 2),
        "occupancy_x_%": round(100 * mean([outcome.occupancy_x for outcome in outcomes]), 1),
        "occupancy_h_%": round(100 * mean([outcome.occupancy_h for outcome in outcomes]), 1),
        "saved_%": round(100 * saved, 1),
        "fewer_times": round(1 / (1 - saved), 2),
        "seeds": len(outcomes),
    }


def _text(theta: float | tuple[float, ...]) -> str:
    return " ".join(f"{value:g}" for value in theta) if isinstance(theta, tuple) else f"{theta:g}"
