"""A sweep as the page's script wants it: columns with their units, and the values of every point."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from deltatrain.accel.documents import json_text
from deltatrain.accel.origin import origin_of, origin_of_column
from deltatrain.reports.page.contents import Sweep
from deltatrain.reports.page.headline import Card
from deltatrain.reports.page.table import NOTHING, Cell, Table, cell, of_rows, plain, plain_unit, said
from deltatrain.reports.units import counts, heading, takes_prefix, unit_of

if TYPE_CHECKING:
    import polars as pl

_FAILURE, _REASON, _FEASIBLE, _FRONT = "failure", "reason", "feasible", "on_front"
_NOT_FOUND = frozenset({"point", "digest", _FAILURE, _REASON, _FEASIBLE, _FRONT})
_MODEL = "energy_model"
_BESIDE = ("speedup", "utilisation", "occupancy", "accuracy")  # as in scripts/explorer.js
_EXTREME = {"minimise": "Least", "maximise": "Most"}
_DIGITS = 9  # of a quantity that was found; what was asked for is kept as it is


@dataclass(frozen=True)
class View:
    """A sweep, and which of its columns are what.

    Attributes
    ----------
    sweep
        The sweep.
    """

    sweep: Sweep

    @property
    def table(self) -> pl.DataFrame:
        """One row for each point."""
        return self.sweep.table

    @cached_property
    def failed(self) -> list[bool]:
        """Which points have a failure in place of numbers."""
        return [kind is not None for kind in self.column(_FAILURE)]

    @cached_property
    def feasible(self) -> list[bool]:
        """Which points have numbers and keep the constraints."""
        return [bool(kept) for kept in self.column(_FEASIBLE)]

    @cached_property
    def on_front(self) -> list[bool]:
        """Which points no other point beats in all objectives."""
        return [bool(flag) for flag in self.column(_FRONT)]

    @cached_property
    def objectives(self) -> dict[str, str]:
        """The sweep's objectives that are columns: ``minimise`` or ``maximise``."""
        return {name: way for name, way in self.sweep.objectives.items() if name in self.table.columns}

    @cached_property
    def varied(self) -> list[str]:
        """Fields that differ between points."""
        return [name for name in self._fields if self._differs(name)]

    @cached_property
    def constant(self) -> list[str]:
        """Fields that are the same at every point."""
        return [name for name in self._fields if not self._differs(name)]

    @cached_property
    def found(self) -> list[str]:
        """Quantities that differ between points, objectives first."""
        others = [
            name
            for name in self.table.columns
            if name not in {*self.sweep.fields, *self.objectives, *_NOT_FOUND}
            and self.table[name].dtype.is_numeric()
            and self._differs(name)
        ]
        return [*self.objectives, *others]

    def column(self, name: str) -> list[Any]:
        """Return the values of a column, none where there is no such column."""
        return self.table[name].to_list() if name in self.table.columns else [None] * len(self.table)

    @property
    def _fields(self) -> list[str]:
        return [name for name in self.sweep.fields if name in self.table.columns]

    def _differs(self, name: str) -> bool:
        return self.table[name].drop_nulls().n_unique() > 1


def summary(view: View) -> str:
    """Return how many points there are, how many failed, and how many are on the front."""
    points, failed = len(view.table), sum(view.failed)
    words = [f"{points:,} design points", f"{points - failed:,} {origin_of(view.sweep.fidelity)}", f"{failed:,} failed"]
    outside = points - failed - sum(view.feasible)
    if outside:
        words.append(f"{outside:,} outside the constraints")
    aims = [f"{_EXTREME[way].lower()} {heading(name, view.table.columns)}" for name, way in view.objectives.items()]
    return f"{', '.join(words)}; {sum(view.on_front):,} on the front of {', '.join(aims)}."


def origins(view: View) -> str:
    """Return how the numbers of each objective and of each quantity beside them were found, and what prices energy."""
    of: dict[str, list[str]] = {}
    for name in (*view.objectives, *(name for name in view.found if name in _BESIDE and name not in view.objectives)):
        of.setdefault(origin_of_column(name, view.sweep.fidelity, view.table.columns), []).append(
            heading(name, view.table.columns)
        )
    words = [f"{origin.capitalize()}: {', '.join(names)}." for origin, names in of.items()]
    models = _models(view)
    if len(models) == 1:
        words.append(f"Energy by {models[0]}.")
    elif models:
        words.append("Points differ in what prices their energy (energy model): their energies are not comparable.")
    for what, lines in view.sweep.provenance.get("mixed_nodes", {}).items():
        words += [f"{what.capitalize()}: {line}." for line in lines]
    return " ".join(words)


def _models(view: View) -> list[str]:
    """Return what prices the energies of the points; a point that failed has none."""
    return [model for model in dict.fromkeys(view.column(_MODEL)) if model]


def headline(view: View) -> list[Card]:
    """Return a card for each objective: the best of the feasible points, where it was found, and the median of them."""
    cards = []
    for name, way in view.objectives.items():
        values = view.table[name].to_list()
        known = {row: values[row] for row, feasible in enumerate(view.feasible) if feasible and values[row] is not None}
        if not known:
            continue
        first = sorted(known, key=lambda row: not view.on_front[row])  # of several that are as good
        best = (min if way == "minimise" else max)(first, key=lambda row: known[row])
        design = [(heading(field), plain(field, view.table[field][best]).text) for field in view.varied]
        median = f"median {said(float(np.median(list(known.values()))), unit_of(name))}"
        what = f"{_EXTREME[way]} {heading(name, view.table.columns)}"
        origin = origin_of_column(name, view.sweep.fidelity, view.table.columns)
        cards.append(Card(what, said(known[best], unit_of(name)), "", median, origin, design))
    return cards


def front_table(view: View) -> Table:
    """Return the points on the front, for those who read without the script."""
    rows = [
        [*(cell(view.table[name][row], unit_of(name)) for name in view.objectives)]
        + [plain(name, view.table[name][row]) for name in view.varied]
        for row, flag in enumerate(view.on_front)
        if flag
    ]
    aims = [
        f"{heading(name, view.table.columns)}, {origin_of_column(name, view.sweep.fidelity, view.table.columns)}"
        for name in view.objectives
    ]
    return Table("Points on the front", [*aims, *map(heading, view.varied)], rows)


def constants(view: View) -> Table:
    """Return what all points share; no rows where there is no point."""
    rows = [[Cell(name), plain(name, value)] for name in view.constant for value in view.table[name][:1]]
    return Table("The same at every point", ["Field", "Value"], rows)


def failures(view: View) -> Table:
    """Return the kinds of failure with their number and, of each, one reason in its own words."""
    kinds: dict[str, list[str]] = {}
    if any(view.failed):
        for kind, reason in zip(view.table[_FAILURE].to_list(), view.table[_REASON].to_list(), strict=True):
            if kind is not None:
                kinds.setdefault(kind, []).append(reason or NOTHING)
    rows = [[Cell(kind), Cell(f"{len(words):,}", len(words)), Cell(words[0])] for kind, words in kinds.items()]
    return Table("Points that failed", ["Failure", "Points", "For example"], rows)


def searches(view: View) -> Table:
    """Return how well each search did, the random one beside those that learn; no rows of a sweep that was stopped."""
    rows = [dict(row) for row in view.sweep.searches]
    columns = {key: heading(key) for key in (rows[0] if rows else {})}
    note = (
        "Hypervolume: how much of the objectives' space a search's points dominate, each objective scaled by the "
        "front of all points together; more is better."
    )
    return replace(of_rows("Searches", rows, columns, note), unfolded=True)


def data(view: View) -> Markup:
    """Return the points as JSON that may stand inside a script element."""
    columns = [_column(view, "point", "point")]
    columns += [_column(view, name, "field") for name in view.varied]
    columns += [_column(view, name, "objective" if name in view.objectives else "found") for name in view.found]
    status = [name for name in (_FEASIBLE, _FAILURE) if name in view.table.columns and len(set(view.column(name))) > 1]
    status += [_MODEL] if len(_models(view)) > 1 else []
    columns += [_column(view, name, "status") for name in status]
    whole = {"columns": columns, "front": [int(flag) for flag in view.on_front]}
    text = json_text(whole, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def _column(view: View, name: str, role: str) -> dict[str, Any]:
    """Return a column: fields and states as they were written, what was found to so many digits."""
    given = role in ("field", "point")
    origin = "" if role in ("point", "status") else origin_of_column(name, view.sweep.fidelity, view.table.columns)
    unit, values = plain_unit(name) if given else unit_of(name), view.table[name].to_list()
    numeric = view.table[name].dtype.is_numeric()
    if not numeric:
        values = [None if value is None else plain(name, value).text for value in values]
    elif not given:
        values = [_rounded(value) for value in values]
    return {
        "key": name,
        "name": heading(name, view.table.columns),
        "unit": unit,
        "prefix": takes_prefix(unit) and not given,
        "count": counts(unit) and not given,
        "numeric": numeric,
        "role": role,
        "origin": origin,
        "way": view.objectives.get(name, "minimise"),
        "values": values,
    }


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.{_DIGITS}g}")
