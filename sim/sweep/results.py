"""The table of a sweep: one row for each point, flat dotted columns, the unit in the name."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from deltatrain.accel.errors import ConfigError
from deltatrain.accel.extras import require
from deltatrain.accel.files import AnyPath, replace_file
from deltatrain.accel.footing import differences
from deltatrain.sim.sweep import energy_models, journal
from deltatrain.sim.sweep.manifest import Manifest
from deltatrain.sim.sweep.outcome import is_number
from deltatrain.sim.sweep.pareto import MARGIN, Losses, hypervolume, on_front, scaled
from deltatrain.sim.sweep.rows import LAST, frame_of

if TYPE_CHECKING:
    from polars import DataFrame, Series

PARQUET, CSV = "table.parquet", "table.csv"

_FORMULA = r"^[=+\-@\t\r]"  # how a spreadsheet's formula begins


def load_results(folder: AnyPath) -> DataFrame:
    """Return the table of the sweep in `folder`. The sweep may be finished, stopped, or still running.

    Columns: ``point``, its number in the order of asking, and ``digest``; the varied fields by dotted path, lists as
    JSON text; what was found, null where a point failed; ``feasible``, whether the point was simulated and keeps all
    constraints; ``on_front``, whether no feasible point beats it; ``failure`` and ``reason`` of a point that failed.

    Raises
    ------
    ConfigError
        If there is no sweep, its journal is damaged, it aims at energy and has points of several energy models
        (`sim.sweep.energy_models`), or Polars is not installed.
    """
    require("polars", "the table of a sweep")
    folder = Path(folder)
    manifest = Manifest.load(folder)
    frame = _judged(frame_of(folder / journal.NAME, manifest.base), manifest)
    energy_models.check_models(_aims(manifest), models_of(frame), folder)
    return frame


def models_of(frame: DataFrame) -> list[str | None]:
    """Return the energy models of the points that have numbers; None is that of points of an older version."""
    found = frame.filter(frame["failure"].is_null())
    if energy_models.COLUMN not in frame.columns:
        return [None] if found.height else []
    return found[energy_models.COLUMN].unique(maintain_order=True).to_list()


def save_results(folder: Path, frame: DataFrame) -> None:
    """Write the table to `folder` as Parquet and as CSV, each whole or not at all.

    In the CSV a text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    parquet, csv = io.BytesIO(), io.BytesIO()
    frame.write_parquet(parquet)
    _plain_texts(frame).write_csv(csv)
    replace_file(folder / PARQUET, parquet.getvalue())
    replace_file(folder / CSV, csv.getvalue())


def front(folder: AnyPath) -> DataFrame:
    """Return fields and objectives of the points on the front of a sweep, the best of the first objective first.

    Raises
    ------
    ConfigError
        If there is no sweep.
    """
    manifest = Manifest.load(Path(folder))
    frame = load_results(folder)
    objectives = [name for name in manifest.objectives if name in frame.columns]
    bounds = [name for name in manifest.constraints if name not in manifest.objectives and name in frame.columns]
    names = dict.fromkeys(["point", *manifest.base, *objectives, *bounds])
    first, way = next(iter(manifest.objectives.items()))
    found = frame.filter(frame["on_front"]).select(list(names))
    return found.sort(first, descending=way == "maximise", maintain_order=True) if first in objectives else found


class Side(NamedTuple):
    """One of two sweeps beside the other.

    Attributes
    ----------
    name
        Of its space.
    points, feasible, front
        How many it has.
    best
        Of each objective, the best feasible value; nothing where no point is feasible.
    hypervolume
        As in `sim.sweep.manifest.Searched`, scaled by the front of both together.
    beaten
        Share of its front that a point of the other sweep beats.
    differs_in
        What the numbers of the two stand on that is not the same (`accel.footing`).
    """

    name: str
    points: int
    feasible: int
    front: int
    best: dict[str, float]
    hypervolume: float
    beaten: float
    differs_in: tuple[str, ...] = ()


def compare(one: AnyPath, other: str | Path) -> tuple[Side, Side]:
    """Return two sweeps for the same objectives beside each other.

    Raises
    ------
    ConfigError
        If one is no sweep, or they have different objectives, or energies of different models among them, or neither
        has a feasible point.
    """
    manifests = [Manifest.load(Path(folder)) for folder in (one, other)]
    objectives = manifests[0].objectives
    if objectives != manifests[1].objectives:
        texts = [", ".join(f"{way} {name}" for name, way in m.objectives.items()) for m in manifests]
        raise ConfigError(
            f"sweeps of different objectives cannot be compared: {texts[0]} in {one}, {texts[1]} in {other}"
        )
    frames = [load_results(folder) for folder in (one, other)]
    models = {model for frame in frames for model in models_of(frame)}
    energy_models.check_models({"objectives": objectives}, models, f"{one} and {other}")
    losses = [losses_of(frame, manifests[0]) for frame in frames]
    both = np.concatenate(losses)
    if len(both) == 0:
        raise ConfigError(f"neither {one} nor {other} has a feasible point")
    joint = both[on_front(both)]
    differs_in = tuple(differences([manifest.footing for manifest in manifests]))
    sides = [
        Side(
            name=manifest.name,
            points=frame.height,
            feasible=len(own),
            front=int(on_front(own).sum()),
            best=_best(own, manifest),
            hypervolume=scaled_hypervolume(own, joint),
            beaten=_beaten(own, theirs),
            differs_in=differs_in,
        )
        for manifest, frame, own, theirs in zip(manifests, frames, losses, reversed(losses), strict=True)
    ]
    return sides[0], sides[1]


def losses_of(frame: DataFrame, manifest: Manifest) -> Losses:
    """Return the objectives of the feasible points, signs changed where large is good, shape (N, M)."""
    chosen = frame.filter(frame["feasible"])
    if chosen.height == 0:
        return np.empty((0, len(manifest.objectives)))
    return np.stack([_loss(chosen[name], way) for name, way in manifest.objectives.items()], axis=1)


def scaled_hypervolume(losses: Losses, joint: Losses) -> float:
    """Return the hypervolume of `losses`, each objective scaled by the front `joint`."""
    return hypervolume(scaled(losses, joint), [MARGIN] * losses.shape[1])


def _judged(frame: DataFrame, manifest: Manifest) -> DataFrame:
    """Return the rows with ``feasible`` and ``on_front`` before what tells of failures."""
    import polars as pl

    looked_at = [name for name in (*manifest.objectives, *manifest.constraints) if name in frame.columns]
    rows = frame.select(looked_at).iter_rows(named=True) if looked_at else ({} for _ in range(frame.height))
    feasible = np.array([_feasible(row, manifest) for row in rows], dtype=np.bool_)
    failures = frame.select(LAST)
    frame = frame.drop(LAST).with_columns(pl.Series("feasible", feasible))
    best = np.zeros(frame.height, dtype=np.bool_)
    if feasible.any():
        best[feasible] = on_front(losses_of(frame, manifest))
    return frame.with_columns(pl.Series("on_front", best), *failures.iter_columns())


def _plain_texts(frame: DataFrame) -> DataFrame:
    import polars as pl

    texts = pl.col(pl.String)
    return frame.with_columns(pl.when(texts.str.contains(_FORMULA)).then("'" + texts).otherwise(texts).name.keep())


def _aims(manifest: Manifest) -> dict[str, Iterable[str]]:
    return {"objectives": manifest.objectives, "constraints": manifest.constraints}


def _feasible(row: dict[str, Any], manifest: Manifest) -> bool:
    if not all(is_number(row.get(name)) for name in (*manifest.objectives, *manifest.constraints)):
        return False
    return all(bound.excess(row[name]) <= 0 for name, bound in manifest.constraints.items())


def _loss(column: Series, way: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = np.array([float(value) for value in column], dtype=np.float64)
    return values if way == "minimise" else -values


def _best(losses: Losses, manifest: Manifest) -> dict[str, float]:
    if len(losses) == 0:
        return {}
    best = losses.min(axis=0).tolist()
    ways = manifest.objectives.items()
    return {name: value if way == "minimise" else -value for (name, way), value in zip(ways, best, strict=True)}


def _beaten(own: Losses, theirs: Losses) -> float:
    """Return the share of the front of `own` that a point of `theirs` beats."""
    if len(own) == 0:
        return 1.0
    mine = own[on_front(own)]
    beaten = [bool(((theirs <= point).all(axis=1) & (theirs < point).any(axis=1)).any()) for point in mine]
    return sum(beaten) / len(beaten)
