"""What checkpoint policies cost in time, and what local memory they take, over lengths or widths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.figures import _style as style
from reports.table import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Checkpoint policies: time and memory"

_AXES = {"T": "steps of a sequence", "wider": "times as wide"}


def draw(rows: Sequence[Row], axis: str, setting: str) -> Figure:
    """Return a figure with two panels: time over that of memory without end, and bytes of tapes and states.

    Lines of transfers beside compute are solid and labelled with the policy, blocking ones dashed, ``<policy>
    blocking``. A policy ends where it no longer fits.

    Parameters
    ----------
    rows
        Each with ``policy``, ``transfers``, ``beside`` or ``blocking``, ``time_x``, ``local_kB`` and `axis`.
    axis
        ``T`` or ``wider``.
    setting
        What was simulated, the line under the title.
    """
    figure = style.blank(6.4, TITLE, setting)
    margins = style.inches(figure, left=0.8, right=1.5, top=1.0, bottom=0.55)
    grid = figure.add_gridspec(2, 1, hspace=0.42, **margins)
    times, memory = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    policies = list(dict.fromkeys(str(row["policy"]) for row in rows))
    colours = dict(zip(policies, np.resize(np.array(style.LINES), len(policies)).tolist(), strict=True))
    for policy, colour in colours.items():
        for transfers in ("beside", "blocking"):
            mine = [row for row in rows if (row["policy"], row["transfers"]) == (policy, transfers)]
            dashes, label = ("-", policy) if transfers == "beside" else ("--", f"{policy} blocking")
            _line(times, mine, axis, "time_x", colour, dashes, label)
            if transfers == "beside":
                _line(memory, mine, axis, "local_kB", colour, dashes, label)
    style.heading(times, "Time, over that of local memory without end; dashed where transfers block")
    style.heading(memory, "Local memory of tapes and states")
    for axes, unit in ((times, "times"), (memory, "kB")):
        style.frame(axes, grid="both")
        axes.set_ylabel(unit)
        style.logarithmic(axes, "x")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    memory.set_xlabel(_AXES[axis])
    times.legend(
        *_first_of_each(times), loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=style.SMALL
    )
    return figure


def _line(axes: Axes, rows: Sequence[Row], axis: str, value: str, colour: str, dashes: str, label: str) -> None:
    points = sorted((float(row[axis]), float(row[value])) for row in rows)
    x, y = [point[0] for point in points], [point[1] for point in points]
    axes.plot(x, y, dashes, color=colour, linewidth=1.8, marker="o", markersize=3, label=label, clip_on=False)


def _first_of_each(axes: Axes) -> tuple[list[object], list[str]]:
    """Return the handles and names of the solid lines."""
    handles, labels = axes.get_legend_handles_labels()
    chosen = [(handle, label) for handle, label in zip(handles, labels, strict=True) if not label.endswith("blocking")]
    return [handle for handle, _ in chosen], [label for _, label in chosen]
