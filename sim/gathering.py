"""Collects what a page shows: the results, traces and sweeps in a folder."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

import numpy as np

from deltatrain.accel.advice import Advice, digests_of
from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.result import Result
from deltatrain.accel.version import VERSION
from deltatrain.reports.page import Contents, Curves, Held, Run, Sweep
from deltatrain.reports.timeline import schedule_file
from deltatrain.reports.timeline.schedule import Schedule, adds_up, read_schedule
from deltatrain.sim.fidelity import label
from deltatrain.sim.output_folder import OutputFolder
from deltatrain.sim.programs import recorded_program
from deltatrain.sim.sweep.manifest import NAME as MANIFEST
from deltatrain.sim.sweep.manifest import Manifest
from deltatrain.sim.sweep.results import load_results
from deltatrain.workloads import occupancy
from deltatrain.workloads.trace import RecordedStep, Trace

RESULT, TRACE, TIMELINES, ADVICE = "result.json", "trace.npz", "timeline.*", "advice.json"


def gather(folder: Path, page: Path) -> Contents:
    """Return what lies in `folder`, or in the folders right below it.

    Parameters
    ----------
    folder
        What `run`, `simulate` or `sweep` wrote to, or a folder of such folders.
    page
        The file that the page will be written to. Links on the page are relative to it.

    Raises
    ------
    ConfigError
        If there is nothing to show, or a file is damaged.
    """
    try:
        below = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise ConfigError(f"{folder} cannot be read: {error.strerror}") from None
    places = [folder, *below]
    runs = [_run(place, page) for place in places if (place / RESULT).is_file()]
    sweeps = [_sweep(place) for place in places if (place / MANIFEST).is_file()]
    if not runs and not sweeps:
        raise ConfigError(
            f"{folder} holds no {RESULT} and no {MANIFEST}, nor does a folder in it: "
            "name one that `deltatrain run`, `simulate --out` or `sweep` wrote"
        )
    return Contents(folder.resolve().name, runs, sweeps, VERSION)


def _run(place: Path, page: Path) -> Run:
    result = Result.load(place / RESULT)
    result.check_parts(Architecture.from_table(result.architecture, f"machine of {place / RESULT}").tiles.count > 1)
    trace = _trace_of(result, place / TRACE)
    timelines = sorted(place.glob(TIMELINES))
    return Run(
        name=place.resolve().name,
        result=result,
        fidelity=label(result),
        held=_held(result, trace) if trace else None,
        curves=_curves(result, trace) if trace else None,
        advice=_advice_of(result, place / ADVICE),
        schedule=_schedule(result, place, [path for path in timelines if ".json" in path.suffixes]),
        timeline=Path(os.path.relpath(timelines[0], page.parent)).as_posix() if timelines else "",
    )


def _schedule(result: Result, place: Path, timelines: list[Path]) -> Schedule:
    """Return what every unit did as the folder tells it, or nothing if it does not, or tells of another run."""
    for path in (OutputFolder(place).schedule, *timelines):
        try:
            found = schedule_file.load(path) if path not in timelines else _of_timeline(path, result)
        except (OSError, EOFError, ValueError, KeyError, IndexError, zlib.error):
            continue  # the link to a timeline stays: a viewer may know what it is
        if adds_up(found, result.counters):
            return found
    return {}


def _of_timeline(path: Path, result: Result) -> Schedule:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
        return read_schedule(lines, result.counters.cycles)


def _advice_of(result: Result, path: Path) -> Advice | None:
    """Return the advice on the result, or None if the folder holds none, or one on an older result."""
    if not path.is_file():
        return None
    advice = Advice.load(path)
    return advice if advice.digests == digests_of(result) else None


def _trace_of(result: Result, path: Path) -> Trace | None:
    """Return the trace that the result was simulated from, or None if the folder holds no such trace."""
    if not path.is_file():
        return None
    trace = Trace.load(path)
    return trace if trace.workload.digest() == result.provenance.get("workload_digest") else None


def _step_of(result: Result, trace: Trace) -> RecordedStep:
    """Return the recorded training step that a result says it was simulated from."""
    number = result.provenance.get("recorded_step")
    if type(number) is not int or not 0 <= number < len(trace.recorded):
        known = f"0 to {len(trace.recorded) - 1}"
        raise ConfigError(f"the result's provenance.recorded_step must be {known}, which its trace has, not {number!r}")
    return trace.recorded[number]


def _held(result: Result, trace: Trace) -> Held:
    """Return what the training step keeps in each memory, found by lowering it again."""
    machine = Architecture.from_table(result.architecture, "the result's machine")
    program = recorded_program(machine, trace, _step_of(result, trace))
    return Held(program.local_bytes, program.remote_bytes)


def _curves(result: Result, trace: Trace) -> Curves:
    return Curves(
        over_steps=occupancy.over_steps(_step_of(result, trace)),
        over_epochs=occupancy.over_epochs(trace.epochs),
        accuracy=[counts.accuracy for counts in trace.epochs if counts.accuracy is not None],
        dense_epochs=int(np.sum([counts.dense for counts in trace.epochs])),
    )


def _sweep(place: Path) -> Sweep:
    manifest = Manifest.load(place)
    told = {"machine", "workload", "traces", "fidelity", "constraints", "mixed_nodes"}
    known = manifest.model_dump(mode="json", include=told)
    return Sweep(
        name=manifest.name,
        about=manifest.about,
        table=load_results(place),
        fields=tuple(manifest.base),
        objectives=manifest.objectives,
        fidelity=manifest.fidelity,
        searches=[searched.model_dump() for searched in manifest.searches],
        provenance=known | manifest.provenance,
    )
