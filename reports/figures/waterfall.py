"""What savings are worth one after the other: cycles, bytes and joules of a step, each bar a saving more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "All savings on one machine"

_CAPTION = "logarithmic; one saving after the other, below the rule all but one"
_PANELS = (
    ("kilocycles", "faster_times", "kilocycles"),
    ("moved_MB", "fewer_bytes_times", "off-chip MB"),
    ("energy_mJ", "less_energy_times", "energy, mJ"),
)
_BELOW = 3.0
"""Times by which the axis begins below the smallest value, so that its bar is seen."""

_BARS_SHARE = 0.52
"""Of a panel, for the longest bar; the labels have the rest."""


def draw(rows: Sequence[Mapping[str, int | float | str]], steps: Sequence[str], *, setting: str = "") -> Figure:
    """Return a figure with three panels for each size of local memory: cycles, off-chip bytes and energy of a step.

    A bar is labelled with its value and how many times less that is than the first bar's. What the saving took away
    from the bar above is drawn pale. Axes are logarithmic, because savings are factors.

    Parameters
    ----------
    rows
        With the columns ``local_KiB``, ``stage``, ``kilocycles``, ``moved_MB``, ``energy_mJ``, ``faster_times``,
        ``fewer_bytes_times`` and ``less_energy_times``.
    steps
        The stages that follow one another; all others are below the rule.
    setting
        What was simulated, behind the line under the title.
    """
    sizes = list(dict.fromkeys(int(row["local_KiB"]) for row in rows))
    bars = len(rows) // len(sizes)
    caption = f"{_CAPTION}  ·  {setting}" if setting else _CAPTION
    figure = style.blank(1.0 + (0.9 + 0.24 * bars) * len(sizes), TITLE, caption)
    margins = style.inches(figure, left=1.7, right=0.3, top=1.0, bottom=0.3)
    grid = figure.add_gridspec(len(sizes), len(_PANELS), wspace=0.14, hspace=0.2, **margins)
    for number, size in enumerate(sizes):
        of_size = [row for row in rows if row["local_KiB"] == size]
        for place, (column, fewer, words) in enumerate(_PANELS):
            axes = figure.add_subplot(grid[number, place])
            _panel(axes, of_size, column, fewer, len(steps))
            style.heading(axes, f"{words}, {size} KiB" if place == 0 else words)
            axes.set_yticks(range(len(of_size)), [str(row["stage"]) for row in of_size] if place == 0 else [])
    return figure


def _panel(axes: Axes, rows: Sequence[Mapping[str, int | float | str]], column: str, fewer: str, steps: int) -> None:
    values = [float(row[column]) for row in rows]
    colours = [style.DENSE] + [style.DELTA] * (steps - 1) + [style.QUIET] * (len(rows) - steps)
    for place, (value, row, colour) in enumerate(zip(values, rows, colours, strict=True)):
        if 0 < place < steps:
            axes.barh(place, values[place - 1] - value, left=value, color=style.RULE, height=0.7)
        axes.barh(place, value, color=colour, height=0.7)
        _label(
            axes, place, f"{_figure(value)}  ÷{float(row[fewer]):g}" if place else _figure(value), place == steps - 1
        )
    axes.axhline(steps - 0.5, color=style.RULE, linewidth=0.8)
    axes.invert_yaxis()
    style.frame(axes, grid="x")
    style.logarithmic(axes, "x")
    low = min(values) / _BELOW
    axes.set_xlim(low, low * (max(values) / low) ** (1 / _BARS_SHARE))
    axes.set_xticklabels([])


def _figure(value: float) -> str:
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def _label(axes: Axes, place: int, text: str, strong: bool) -> None:
    """Write a bar's label at the right of the panel, where no bar comes."""
    axes.text(
        1.0,
        place,
        text,
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="center",
        fontsize=style.SMALL,
        fontweight="bold" if strong else "normal",
        color=style.INK if strong else style.QUIET,
    )
