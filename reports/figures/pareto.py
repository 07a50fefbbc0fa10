"""The points of a sweep in two of its columns. Points on the front are drawn on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from deltatrain.accel.quantity import quantity
from deltatrain.reports.figures import _style as style
from deltatrain.reports.units import heading, takes_prefix, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from polars import DataFrame

TITLE = "Design points"

_LOGARITHMIC_FROM = 20  # largest value over smallest


def draw(table: DataFrame, x: str = "seconds", y: str = "energy_j", *, setting: str = "") -> Figure:
    """Return a scatter figure of a sweep's points.

    Points carry the labels ``front``, ``other`` and ``outside`` (the constraints). An axis whose values span more than
    a factor of 20 is logarithmic.

    Parameters
    ----------
    table
        One row for each point, with the columns ``feasible`` and ``on_front``; points without numbers are left out.
    x, y
        The columns to draw.
    setting
        The line under the title.
    """
    known = table.drop_nulls([x, y])
    figure = style.blank(4.6, TITLE, setting or f"{len(known):,} of {len(table):,} points could be simulated")
    margins = style.inches(figure, left=0.95, right=0.3, top=0.95, bottom=0.6)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **margins)[0, 0])
    style.frame(axes, grid="both")
    across, up = (known[name].to_numpy().astype(float) for name in (x, y))
    front, feasible = (known[name].to_numpy().astype(bool) for name in ("on_front", "feasible"))
    groups: tuple[tuple[str, NDArray[np.bool_], dict[str, Any]], ...] = (
        ("outside", ~feasible, {"facecolor": "none", "edgecolor": style.DENSE, "s": 12}),
        ("other", feasible & ~front, {"color": style.QUIET, "alpha": 0.45, "linewidth": 0, "s": 14}),
        ("front", front, {"color": style.DELTA, "s": 26, "zorder": 3}),
    )
    for label, chosen, look in groups:
        if chosen.any():
            axes.scatter(across[chosen], up[chosen], label=label, **look)
    _scale(axes, across, "x")
    _scale(axes, up, "y")
    for axis, name in ((axes.xaxis, x), (axes.yaxis, y)):
        _name(axis, name)
    style.heading(axes, _titled(y, table.columns))
    axes.set_xlabel(_titled(x, table.columns))
    _key(axes)
    return figure


def _scale(axes: Axes, values: NDArray[np.float64], which: Literal["x", "y"]) -> None:
    if len(values) and values.min() > 0 and values.max() / values.min() > _LOGARITHMIC_FROM:
        style.logarithmic(axes, which)


def _name(axis: Axis, column: str) -> None:
    unit = unit_of(column)
    if unit == "%":
        axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    elif takes_prefix(unit):
        axis.set_major_formatter(lambda value, _: quantity(value, unit))
    else:
        axis.set_major_formatter(lambda value, _: quantity(value))


def _titled(column: str, columns: Sequence[str]) -> str:
    unit, words = unit_of(column), heading(column, columns)
    return words if takes_prefix(unit) or unit in ("", "%") else f"{words}, {unit}"


def _key(axes: Axes) -> None:
    words = {"front": "on the front of all objectives", "other": "other points", "outside": "outside the constraints"}
    handles, labels = axes.get_legend_handles_labels()
    look: dict[str, Any] = {"frameon": False, "fontsize": style.SMALL, "labelcolor": style.INK}
    axes.legend(handles, [words[label] for label in labels], loc="lower right", bbox_to_anchor=(1, 1), ncols=3, **look)
