"""What a cache of columns saves: bytes, time and energy against its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "A cache of columns"

_CAPTION = "times less than without; dashed: Belady"
_PANELS = (
    ("fewer_bytes_times", "off-chip bytes"),
    ("faster_times", "time"),
    ("less_energy_times", "energy"),
)
_BELADY = "belady_fewer_bytes_times"


def draw(rows: Sequence[Mapping[str, int | float | str]], *, setting: str = "") -> Figure:
    """Return a figure with three panels for each number of samples: bytes, time and energy, a line for each network.

    A line's label is its network and what share of it fires; that of Belady has none.

    Parameters
    ----------
    rows
        With the columns ``network``, ``occupancy_%``, ``batch``, ``cache_KiB``, ``fewer_bytes_times``,
        ``faster_times``, ``less_energy_times`` and ``belady_fewer_bytes_times``.
    setting
        What was simulated, behind the line under the title.
    """
    batches = sorted({int(row["batch"]) for row in rows})
    figure = style.blank(0.9 + 2.5 * len(batches), TITLE, f"{_CAPTION}  ·  {setting}" if setting else _CAPTION)
    margins = style.inches(figure, left=0.6, right=1.6, top=1.0, bottom=0.6)
    grid = figure.add_gridspec(len(batches), len(_PANELS), wspace=0.35, hspace=0.6, **margins)
    for number, batch in enumerate(batches):
        of_batch = [row for row in rows if row["batch"] == batch]
        for place, (column, words) in enumerate(_PANELS):
            axes = figure.add_subplot(grid[number, place])
            _panel(axes, of_batch, column)
            style.heading(axes, f"{words}, batch {batch}")
            if number == len(batches) - 1:
                axes.set_xlabel("cache, KiB")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="center right", frameon=False, fontsize=style.SMALL, labelcolor=style.INK)
    return figure


def _panel(axes: Axes, rows: Sequence[Mapping[str, int | float | str]], column: str) -> None:
    networks = list(dict.fromkeys((str(row["network"]), float(row["occupancy_%"])) for row in rows))
    for number, (network, occupancy) in enumerate(networks):
        mine = [row for row in rows if (row["network"], row["occupancy_%"]) == (network, occupancy)]
        label = f"{network}, {occupancy:g} %" if network != "dense" else network
        colour = style.LINES[number % len(style.LINES)]
        sizes = [float(row["cache_KiB"]) for row in mine]
        axes.plot(sizes, [float(row[column]) for row in mine], marker="o", markersize=3.5, color=colour, label=label)
        if column == _PANELS[0][0]:
            axes.plot(sizes, [float(row[_BELADY]) for row in mine], linestyle="--", color=colour)
    style.frame(axes, grid="both")
    style.logarithmic(axes, "x")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    if column == _PANELS[0][0]:
        style.logarithmic(axes, "y")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axes.set_ylim(bottom=0)
