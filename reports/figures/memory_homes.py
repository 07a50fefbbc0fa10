"""What it costs to keep matrices and tape in off-chip memory: time and energy against occupancy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Homes of matrices and tape"

_CAPTION = "all in local SRAM is 1"


def draw(
    rows: Sequence[Mapping[str, int | float | str]], time: str = "slower_times_16", *, setting: str = ""
) -> Figure:
    """Return a figure with two panels for each number of lanes: time and energy, one line for each home.

    Both are times those of a machine that keeps all in local SRAM. A line's label is its home.

    Parameters
    ----------
    rows
        With the columns ``lanes``, ``occupancy_%``, ``home``, `time` and ``energy_times``.
    time
        Name of the column of the left panels.
    setting
        What was simulated, behind the line under the title.
    """
    lanes = sorted({int(row["lanes"]) for row in rows})
    figure = style.blank(0.9 + 2.5 * len(lanes), TITLE, f"{_CAPTION}  ·  {setting}" if setting else _CAPTION)
    margins = style.inches(figure, left=0.7, right=2.0, top=1.0, bottom=0.6)
    grid = figure.add_gridspec(len(lanes), 2, wspace=0.3, hspace=0.55, **margins)
    for number, one in enumerate(lanes):
        of_lanes = [row for row in rows if row["lanes"] == one]
        for column, (name, words) in enumerate(((time, "time"), ("energy_times", "energy"))):
            axes = figure.add_subplot(grid[number, column])
            _panel(axes, of_lanes, name)
            style.heading(axes, f"{words}, {one} lanes")
            if number == len(lanes) - 1:
                axes.set_xlabel("occupancy, %")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="center right", frameon=False, fontsize=style.SMALL, labelcolor=style.INK)
    return figure


def _panel(axes: Axes, rows: Sequence[Mapping[str, int | float | str]], column: str) -> None:
    homes = list(dict.fromkeys(str(row["home"]) for row in rows))
    for number, home in enumerate(homes):
        points = sorted((float(row["occupancy_%"]), float(row[column])) for row in rows if row["home"] == home)
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3.5, color=_colour(number), label=home)
    style.frame(axes, grid="both")
    style.logarithmic(axes, "x")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(bottom=0)


def _colour(number: int) -> str:
    return style.LINES[number % len(style.LINES)]
