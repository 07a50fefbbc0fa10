"""Deltas, sparse weights, few-bit codes, checkpoints and a column cache together, simulated on one machine."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import FitError
from deltatrain.accel.pricing.run_energy import energy_j
from deltatrain.accel.program import CACHE
from deltatrain.sim.fidelity import cycle
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.studies import _training
from deltatrain.sim.studies._steps import last_program
from deltatrain.sim.studies._table import Progress, Row
from deltatrain.sim.studies._training import Outcomes
from deltatrain.workloads.trace import Trace

ABOUT = (
    "What do delta networks, sparse weights, few-bit codes, checkpoints and a column cache save together, what is each "
    "worth once the others are there, and at what loss of accuracy? Published one by one: about 80 % fewer matrix "
    "operations (Chen et al., AAAI 2024), 67 % fewer weights (Liu et al., ICML 2021), 13.8 % less memory with 3-bit "
    "codes (Novikov et al., ICML 2023), sqrt(T) memory (Chen et al. 2016, arXiv 1604.06174); nothing for all of them, "
    "and nothing for a column cache in training. Ours: a training step of networks trained with each, on edge with "
    "several sizes of SRAM, cycle fidelity. A tape that has no room goes off-chip. The cache has the room that is "
    "left; checkpoints make room for it, as much as makes the step fastest."
)

_DENSE, _DELTA = "dense", "delta"
_ALL = "delta, sparse, 3 bits"
_POLICY = "segment"
_SHARES_GIVEN = (0.25, 0.5, 0.75)
"""Of the tape's room, what checkpoints give to the cache: the fastest step counts."""


class Settings(NamedTuple):
    """What is trained, and the KiB of local SRAM of the machines that it is simulated on."""

    training: _training.Settings
    local_kib: tuple[int, ...]


class Stage(NamedTuple):
    """A bar: its name, the network that was trained for it, and whether there are a cache and checkpoints."""

    name: str
    network: str
    cached: bool = False
    checkpointed: bool = False


WATERFALL = (
    Stage("dense", _DENSE),
    Stage("+ deltas", _DELTA),
    Stage("+ sparse weights", "delta, sparse"),
    Stage("+ 3-bit codes", _ALL),
    Stage("+ column cache", _ALL, cached=True),
    Stage("+ checkpoints", _ALL, cached=True, checkpointed=True),
)
"""One saving after the other."""

LEFT_OUT = (
    Stage("without deltas", "sparse, 3 bits", cached=True, checkpointed=True),
    Stage("without sparse weights", "delta, 3 bits", cached=True, checkpointed=True),
    Stage("without codes", "delta, sparse", cached=True, checkpointed=True),
    Stage("without column cache", _ALL, checkpointed=True),
    Stage("without checkpoints", _ALL, cached=True),
)
"""All savings but one."""


def _settings(workload: str, changes: dict[str, Any], seeds: tuple[int, ...], local_kib: tuple[int, ...]) -> Settings:
    dense = {"training.dense_epochs": changes["training.epochs"]}
    sparse = {"sparsity.rule": "balanced", "sparsity.density": 0.33}
    codes = {"few_bit.bits": 3}
    trials = {
        _DENSE: dense,
        _DELTA: {},
        "delta, sparse": sparse,
        "delta, 3 bits": codes,
        "sparse, 3 bits": dense | sparse | codes,
        _ALL: sparse | codes,
    }
    return Settings(_training.Settings(workload, changes, seeds, trials), local_kib)


SETTINGS = _settings("digits", {"training.epochs": 15}, (1, 2), (48, 224))
SMALL_SETTINGS = _settings("vowels", {"training.epochs": 8, "training.dense_epochs": 0}, (1,), (64,))


class Run(NamedTuple):
    """A training step on a machine: cycles, bytes moved off-chip, joules, and the bytes of its tape and its cache."""

    cycles: int
    moved_bytes: int
    joules: float
    tape_bytes: int
    cache_bytes: int


def rows(settings: Settings, folder: Path, progress: Progress) -> list[Row]:
    """Train everything, simulate the last step of the first seed, and return a row for each machine and stage.

    Columns: ``local_KiB``; ``stage``, one saving after the other and then all but one; ``accuracy_%``,
    ``accuracy_sd_%``, ``lost_points`` against dense, over the seeds; ``kilocycles``, ``moved_MB`` off-chip and
    ``energy_mJ`` of the step; ``tape_kB`` and ``cache_kB``; ``faster_times``, ``fewer_bytes_times``,
    ``less_energy_times`` than dense. The waterfall is left in `folder` as a figure.
    """
    from deltatrain.reports.figures import waterfall

    training = settings.training
    outcomes = _training.trained(training, folder, progress)
    traces = cache(lambda network: _training.trace(training, network, folder))
    stages, table = WATERFALL + LEFT_OUT, list[Row]()
    for number, local_kib in enumerate(settings.local_kib):
        runs = dict[str, Run]()
        for done, stage in enumerate(stages):
            share = (number + done / len(stages)) / len(settings.local_kib)
            progress("simulated", share, f"{local_kib} KiB, {stage.name}")
            runs[stage.name] = run(stage, traces(stage.network), 1024 * local_kib)
        table += [_row(settings, outcomes, local_kib, stage, runs) for stage in stages]
    names = [stage.name for stage in WATERFALL]
    setting = f"{training.workload} on edge, a training step, {cycle.LABEL}"
    OutputFolder(folder).save_figure("waterfall", waterfall.draw(table, names, setting=setting))
    return table


def run(stage: Stage, trace: Trace, local_bytes: int) -> Run:
    """Return what the trace's last step takes on `edge` with so much SRAM; the fastest of what checkpoints can do."""
    base = {"local.bytes": local_bytes, "cache.bytes": "auto" if stage.cached else 0, "cache.ways": 8}
    found = [_of(base, trace)]
    if stage.checkpointed:
        found += _checkpointed(base, stage, trace, found[0])
    return min(found, key=lambda one: one.cycles)


def _checkpointed(base: dict[str, Any], stage: Stage, trace: Trace, whole: Run) -> list[Run]:
    """Return what the step takes with checkpoints, for each share of the tape's room that they give to the cache.

    A tape off-chip has no room to give; then checkpoints have all that there is.
    """
    changes = base | {"checkpoint.policy": _POLICY}
    given = [round(share * whole.tape_bytes) for share in _SHARES_GIVEN] if stage.cached and whole.tape_bytes else [0]
    found = list[Run]()
    for more in given:
        room = {"cache.bytes": max(1, whole.cache_bytes + more)} if stage.cached else {}
        try:
            found.append(_of(changes | room, trace))
        except FitError:  # not even a segment has room beside so large a cache
            continue
    return found


def _of(changes: dict[str, Any], trace: Trace) -> Run:
    program = last_program(Architecture.named("edge", changes), trace)
    counters = cycle.count(program)
    joules = sum(energy_j(counters, program.architecture, program.own.update_modes).values())
    local = program.local_bytes
    return Run(counters.cycles, counters.remote.asked_bytes, joules, local.get("tape", 0), local.get(CACHE, 0))


def _row(settings: Settings, outcomes: Outcomes, local_kib: int, stage: Stage, runs: dict[str, Run]) -> Row:
    one, dense = runs[stage.name], runs[WATERFALL[0].name]
    return {
        "local_KiB": local_kib,
        "stage": stage.name,
        **_training.accuracy_columns(stage.network, _DENSE, settings.training, outcomes),
        "kilocycles": round(one.cycles / 1e3, 1),
        "moved_MB": round(one.moved_bytes / 1e6, 3),
        "energy_mJ": round(1e3 * one.joules, 3),
        "tape_kB": round(one.tape_bytes / 1e3, 1),
        "cache_kB": round(one.cache_bytes / 1e3, 1),
        "faster_times": round(dense.cycles / one.cycles, 1),
        "fewer_bytes_times": round(dense.moved_bytes / one.moved_bytes, 1),
        "less_energy_times": round(dense.joules / one.joules, 1),
    }
