"""Accuracy as new classes come, ours beside what is published, and the energy that a new class takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "New classes on the device"

_CAPTION = "decided by the nearest mean of exemplars; bars: one standard deviation; dotted: published, other recordings"
_Row = Mapping[str, int | float | str]


def draw(rows: Sequence[_Row], *, setting: str = "") -> Figure:
    """Return a figure of two panels: accuracy over the classes known, and joules of a new class in the last task.

    Parameters
    ----------
    rows
        One for each trial and task, with the columns ``trial``, ``classes``, ``accuracy_%``, ``accuracy_sd_%``,
        ``published_%``, which may be empty, and ``class_J``. A trial of one task alone is a mark.
    setting
        What was trained, behind the line under the title.
    """
    figure = style.blank(4.6, TITLE, f"{_CAPTION}  ·  {setting}" if setting else _CAPTION)
    margins = style.inches(figure, left=0.6, right=0.4, top=1.0, bottom=1.0)
    grid = figure.add_gridspec(1, 2, width_ratios=(1.5, 1), wspace=0.6, **margins)
    trials = list(dict.fromkeys(str(row["trial"]) for row in rows))
    of_trial = {name: [row for row in rows if row["trial"] == name] for name in trials}
    colours = {name: style.LINES[number % len(style.LINES)] for number, name in enumerate(trials)}
    _accuracies(figure.add_subplot(grid[0, 0]), of_trial, colours)
    _joules(figure.add_subplot(grid[0, 1]), of_trial, colours)
    return figure


def _accuracies(axes: Axes, of_trial: Mapping[str, Sequence[_Row]], colours: Mapping[str, str]) -> None:
    for name, rows in of_trial.items():
        classes, found, spread = (
            [float(row[column]) for row in rows] for column in ("classes", "accuracy_%", "accuracy_sd_%")
        )
        look: dict[str, Any] = {"color": colours[name], "elinewidth": 1, "linewidth": 1.2, "markersize": 4}
        axes.errorbar(classes, found, spread, marker="o" if len(rows) > 1 else "D", label=name, **look)
        told = [(float(row["classes"]), float(row["published_%"])) for row in rows if row["published_%"] != ""]
        if told:
            known, theirs = zip(*told, strict=True)
            axes.plot(known, theirs, linestyle=":", marker="x", markersize=4, linewidth=1, color=colours[name])
    style.frame(axes, grid="both")
    style.heading(axes, "accuracy on all classes known, %")
    axes.set_xlabel("classes known")
    axes.set_xticks(sorted({int(row["classes"]) for rows in of_trial.values() for row in rows}))
    look = {"frameon": False, "fontsize": style.SMALL, "labelcolor": style.INK}
    axes.legend(loc="upper left", bbox_to_anchor=(-0.08, -0.16), ncols=3, handlelength=1, columnspacing=1, **look)


def _joules(axes: Axes, of_trial: Mapping[str, Sequence[_Row]], colours: Mapping[str, str]) -> None:
    last = {name: float(rows[-1]["class_J"]) for name, rows in of_trial.items() if len(rows) > 1}
    places = range(len(last))
    axes.barh(places, list(last.values()), color=[colours[name] for name in last], height=0.6)
    axes.set_yticks(places, list(last))
    axes.invert_yaxis()
    style.frame(axes, grid="x")
    style.heading(axes, "joules of a new class, last task")
