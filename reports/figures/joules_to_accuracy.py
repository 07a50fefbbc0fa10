"""Joules of a whole training against accuracy: the front in the machine's numbers, and what float accuracy chooses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deltatrain.accel.quantity import quantity
from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Joules to an accuracy"

_CAPTION = "arrows: from what float training says of a point to what it is in the machine's numbers"
_Place = tuple[float, float]


def draw(
    points: Sequence[_Place], front: Sequence[_Place], chosen: Sequence[tuple[_Place, _Place]], *, setting: str = ""
) -> Figure:
    """Return a figure of one panel, joules logarithmic across and accuracy in per cent up.

    Parameters
    ----------
    points, front
        All points in the machine's numbers, and those on their front, the cheapest first: joules and per cent.
    chosen
        The points on the front by float accuracy, as float training says and as they are in the machine's numbers.
    setting
        What was trained, behind the line under the title.
    """
    figure = style.blank(4.6, TITLE, f"{_CAPTION}  ·  {setting}" if setting else _CAPTION)
    margins = style.inches(figure, left=0.7, right=0.4, top=1.0, bottom=0.6)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **margins)[0, 0])
    look: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 4, "alpha": 0.5}
    axes.plot(*_across_and_up(points), color=style.QUIET, label="all points in the machine's numbers", **look)
    _stairs(axes, [claimed for claimed, _ in chosen], style.LINES[1], "front by float accuracy")
    _stairs(axes, front, style.DELTA, "front in the machine's numbers")
    for claimed, found in chosen:
        arrow = {"arrowstyle": "->", "color": style.LINES[1], "linewidth": 0.8, "shrinkA": 3, "shrinkB": 3}
        axes.annotate("", found, claimed, arrowprops=arrow)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: quantity(value, "J"))
    style.frame(axes, grid="both")
    style.heading(axes, "accuracy, %")
    axes.set_xlabel("energy of the whole training")
    axes.legend(loc="lower right", frameon=False, fontsize=style.SMALL, labelcolor=style.INK)
    return figure


def _stairs(axes: Axes, front: Sequence[_Place], colour: str, label: str) -> None:
    """Draw a front as what is to be had for at most so many joules."""
    axes.step(*_across_and_up(front), where="post", marker="o", markersize=5, linewidth=1.4, color=colour, label=label)


def _across_and_up(places: Sequence[_Place]) -> tuple[list[float], list[float]]:
    return [joules for joules, _ in places], [accuracy for _, accuracy in places]
