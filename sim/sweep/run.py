"""A sweep from its space to its table: the one entry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deltatrain.accel.errors import ConfigError, HostError
from deltatrain.accel.extras import require
from deltatrain.accel.files import AnyPath
from deltatrain.sim.sweep.checks import checked_space, named_space
from deltatrain.sim.sweep.executors import executor
from deltatrain.sim.sweep.exploration import Exploration, Progress, legs
from deltatrain.sim.sweep.journal import Journal
from deltatrain.sim.sweep.known_points import Found
from deltatrain.sim.sweep.manifest import NAME, Manifest, Searched
from deltatrain.sim.sweep.pareto import on_front
from deltatrain.sim.sweep.results import load_results, save_results, scaled_hypervolume
from deltatrain.sim.sweep.searches import SEARCHES
from deltatrain.sim.sweep.space import Space

if TYPE_CHECKING:
    from polars import DataFrame


def sweep(
    space: Space | AnyPath | dict[str, Any],
    out: AnyPath,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> DataFrame:
    """Simulate the points of a design space, each once, and return their table (`sim.sweep.results.load_results`).

    Every finished point is in the journal at once. A sweep that was stopped goes on where it was when it is run again.
    A sweep with more points, another search or other fields simulates only what is new.

    Parameters
    ----------
    space
        A `Space`, the name of one that comes with the project, a TOML file, or its table.
    out
        Folder for ``journal.jsonl``, ``table.parquet``, ``table.csv`` and ``sweep.json``, made if it is not there.
    workers
        Processes on this machine; None for one on each core. With more than one, a script that calls this must have its
        own code under ``if __name__ == "__main__":``, as `multiprocessing` asks for.
    cluster
        Scheduler of a dask cluster that simulates instead of these processes, such as ``tcp://host:8786``.
    on_progress
        Told now and then.

    Raises
    ------
    ConfigError
        If the space is wrong (a line for each fault). A `HostError` if a library
        is not installed, the folder cannot be used, the cluster does not answer, or a machine is in the way of a point:
        such a point has no row, and the next call tries it again.
    """
    chosen = _space(space)
    _check_installed(chosen, cluster)
    folder = Path(out)
    with Journal(folder, chosen.base.identity) as journal:
        before = _before(folder)
        Manifest.of(chosen, (), before).save(folder)
        with executor(chosen.base, workers, cluster) as points:
            exploration = Exploration(chosen, journal, points, on_progress)
            outcomes = _explored(exploration, chosen, journal)
        Manifest.of(chosen, _searched(outcomes), before).save(folder)
        frame = load_results(folder)
        save_results(folder, frame)
    return frame


def _explored(exploration: Exploration, space: Space, journal: Journal) -> dict[str, Found]:
    """Return what each search of the sweep found; what this process lacks for it is one line."""
    try:
        return {kind: exploration.explore(kind, count) for kind, count in legs(space)}
    except MemoryError:
        raise HostError(f"this machine's memory is too small; {journal.kept()}") from None
    except OSError as error:
        raise HostError(f"{error.filename or 'this machine'}: {error.strerror or error}; {journal.kept()}") from None


def _space(given: Space | AnyPath | dict[str, Any]) -> Space:
    if isinstance(given, Space):
        return given
    return checked_space(given) if isinstance(given, dict) else named_space(given)


def _check_installed(space: Space, cluster: str | None) -> None:
    """Raise before anything is written if a library is missing that the sweep will need."""
    require("polars", "the table of a sweep")
    if cluster is not None:
        require("distributed", "--cluster")
    for library in SEARCHES.load(space.search.kind).NEEDS:
        require(library, f"search {space.search.kind!r}")


def _before(folder: Path) -> Manifest | None:
    """Return the manifest of an earlier sweep in the same folder. A damaged one counts as none: it is written anew."""
    try:
        return Manifest.load(folder) if (folder / NAME).exists() else None
    except ConfigError:
        return None


def _searched(found: dict[str, Found]) -> tuple[Searched, ...]:
    losses = {kind: points.feasible_losses() for kind, points in found.items()}
    every = np.concatenate([*losses.values()])
    joint = every[on_front(every)] if len(every) else None
    return tuple(
        Searched(
            search=kind,
            points=len(points),
            failed=points.failed,
            feasible=len(losses[kind]),
            front=int(on_front(losses[kind]).sum()) if losses[kind].size else 0,
            hypervolume=None
            if joint is None
            else scaled_hypervolume(losses[kind], joint)
            if losses[kind].size
            else 0.0,
        )
        for kind, points in found.items()
    )
