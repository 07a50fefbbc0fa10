"""Sweeps as tables for a person, and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from deltatrain.accel.quantity import quantity, share, times
from deltatrain.reports.units import counts, heading, takes_prefix, unit_of
from deltatrain.sim.cli.screen import table
from deltatrain.sim.sweep import results
from deltatrain.sim.sweep.energy_models import energies
from deltatrain.sim.sweep.manifest import Manifest

if TYPE_CHECKING:
    from polars import DataFrame

_NONE = "–"
_MOST_ROWS = 40


def cell(column: str, value: Any) -> str:
    """Return a value as text: a field as it is written in TOML, a found value with its unit."""
    if value is None:
        return _NONE
    if isinstance(value, bool) or not isinstance(value, (int, float)) or column == "point":
        return str(value)
    unit = unit_of(column)
    if unit == "%":
        return share(value)
    if unit == "×":
        return times(value)
    if takes_prefix(unit):
        return quantity(value, unit)
    if column.startswith(("machine.", "workload.")):
        return f"{value:g}"
    return quantity(value) if counts(unit) or not unit else f"{value:.4g} {unit}"


def front_table(folder: Path, most_rows: int = _MOST_ROWS) -> RenderableType:
    """Return the front of a sweep. Fields are shortened to the last parts of their paths that are unique."""
    found, whole, manifest = results.front(folder), results.load_results(folder), Manifest.load(folder)
    rows = [[cell(name, value) for name, value in row.items()] for row in found.head(most_rows).iter_rows(named=True)]
    objectives = ", ".join(f"{way} {heading(name, whole.columns)}" for name, way in manifest.objectives.items())
    more = f" The first {most_rows} of {found.height} points; all of them: --json." if found.height > most_rows else ""
    note = f"{objectives}. No other point of the sweep is better in one and as good in all.{more}"
    if not rows:
        note = _why_nothing(whole)
    note = "\n".join([note, *_how_found(manifest, results.models_of(whole))])
    fields = [name for name in found.columns if name.startswith(("machine.", "workload."))]
    names = short(fields)
    return table(
        f"Front of {manifest.name}, {manifest.fidelity}",
        [names.get(name, heading(name, whole.columns)).replace("_", " ") for name in found.columns],
        rows,
        note,
    )


def _why_nothing(whole: DataFrame) -> str:
    """Return why no point of a sweep is on its front."""
    failed, reasons = len(whole["failure"].drop_nulls()), whole["reason"].drop_nulls().unique(maintain_order=True)
    told = f" ({'; '.join(reasons[:3].to_list())})" if failed else ""
    return f"Of {whole.height:,} points {failed:,} could not be simulated{told}; no other keeps all constraints."


def _how_found(manifest: Manifest, models: list[str | None]) -> list[str]:
    """Return what must be known to compare the energies and areas that a sweep aims at."""
    lines = [f"Energy by {model}." for model in models if model and energies(manifest.objectives)]
    for what, mixed in manifest.mixed_nodes.items():
        if any(name.startswith(what) for name in manifest.objectives):
            lines += [f"{what.capitalize()}: {line}." for line in mixed]
    return lines


def searches_table(folder: Path) -> list[RenderableType]:
    """Return how the searches of a sweep did, or nothing if there was only one."""
    searches = Manifest.load(folder).searches
    if len(searches) < 2:
        return []
    rows = [
        [
            one.search,
            f"{one.points:,}",
            f"{one.feasible:,}",
            f"{one.front:,}",
            _NONE if one.hypervolume is None else f"{one.hypervolume:.4f}",
        ]
        for one in searches
    ]
    note = (
        "Hypervolume: what the points of this search alone beat, each objective scaled by the front of the\n"
        "whole sweep (best 0, worst 1, reference 1.1). Random points are what a search that learns must beat."
    )
    return [table("Searches", ["search", "points", "feasible", "front", "hypervolume"], rows, note)]


def front_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the points of a sweep's front, unrounded."""
    return results.front(folder).to_dicts()


def short(paths: list[str]) -> dict[str, str]:
    """Return for each dotted path its shortest ending that no other path shares."""
    found = {}
    for path in paths:
        parts = path.split(".")
        endings = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        found[path] = next(
            end for end in endings if end == path or sum(f".{other}".endswith(f".{end}") for other in paths) == 1
        )
    return found
