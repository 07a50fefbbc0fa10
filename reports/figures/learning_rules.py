"""Accuracy of learning rules over the energy and the local memory of a mini-batch: a mark for each network and rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Learning rules: accuracy against what a mini-batch takes"

_CAPTION = "bars: one standard deviation over the seeds"
_MARKERS = "osD^vP*X"
_PANELS = (("energy_mJ", "energy of a mini-batch, mJ"), ("room_kB", "local memory: state, tape, traces, lists, kB"))


def draw(rows: Sequence[Mapping[str, int | float | str]], *, setting: str = "") -> Figure:
    """Return a figure of two panels, accuracy over energy and over local memory: colours are rules, marks networks.

    Parameters
    ----------
    rows
        One for each network and rule, with the columns ``network``, ``rule``, ``accuracy_%``, ``accuracy_sd_%``,
        ``energy_mJ`` and ``room_kB``.
    setting
        What was simulated, behind the line under the title.
    """
    figure = style.blank(4.6, TITLE, f"{_CAPTION}  ·  {setting}" if setting else _CAPTION)
    grid = figure.add_gridspec(1, 2, wspace=0.25, **style.inches(figure, left=0.7, right=0.3, top=1.0, bottom=1.2))
    rules, networks = (list(dict.fromkeys(str(row[column]) for row in rows)) for column in ("rule", "network"))
    colours = dict(zip(rules, style.LINES, strict=False))
    markers = dict(zip(networks, _MARKERS, strict=False))
    for number, (column, label) in enumerate(_PANELS):
        axes = figure.add_subplot(grid[0, number])
        for row in rows:
            axes.errorbar(
                float(row[column]),
                float(row["accuracy_%"]),
                float(row["accuracy_sd_%"]),
                marker=markers[str(row["network"])],
                color=colours[str(row["rule"])],
                markersize=6,
                elinewidth=1,
            )
        axes.set_xlim(left=0)
        style.frame(axes, grid="both")
        axes.set_xlabel(label)
        if not number:
            style.heading(axes, "accuracy, %")
    _legend(figure.axes[0], colours, markers)
    return figure


def _legend(axes: Axes, colours: Mapping[str, str], markers: Mapping[str, str]) -> None:
    """Name the colours and the marks under both panels."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, linewidth=3, label=rule) for rule, colour in colours.items()]
    handles += [
        Line2D([], [], color=style.QUIET, marker=marker, linestyle="", label=network)
        for network, marker in markers.items()
    ]
    figure = axes.get_figure()
    assert figure is not None, "the axes are drawn"
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.05, 0.01),
        ncols=4,
        frameon=False,
        fontsize=style.SMALL,
        labelcolor=style.INK,
    )
