"""What is saved against what is lost: matrix operations of a training and points of accuracy, one mark a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Operations saved against accuracy lost"

_CAPTION = "bars: one standard deviation over the seeds"
_HEADROOM_POINTS = 0.5


def draw(
    rows: Sequence[Mapping[str, int | float | str]],
    *,
    least_saved: float,
    most_lost: float,
    setting: str = "",
) -> Figure:
    """Return a figure of one panel: points lost over operations saved, the most accurate at the top.

    Parameters
    ----------
    rows
        One for each network, with the columns ``trial``, ``saved_%``, ``lost_points`` and ``accuracy_sd_%``; a network
        of which nothing is saved is what the others are compared with, and is not drawn.
    least_saved, most_lost
        What is asked of a network, in percent and points: where both hold is shaded.
    setting
        What was trained, behind the line under the title.
    """
    drawn = sorted((row for row in rows if float(row["saved_%"]) > 0), key=lambda row: float(row["saved_%"]))
    figure = style.blank(4.2, TITLE, f"{_CAPTION}  ·  {setting}" if setting else _CAPTION)
    margins = style.inches(figure, left=0.7, right=0.4, top=1.0, bottom=0.6)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **margins)[0, 0])
    saved, lost, spread = (
        [float(row[column]) for row in drawn] for column in ("saved_%", "lost_points", "accuracy_sd_%")
    )
    axes.errorbar(saved, lost, spread, marker="o", markersize=5, color=style.DELTA, elinewidth=1, linewidth=1.2)
    ends = [point + bar for point, bar in zip(lost, spread, strict=True)]
    starts = [point - bar for point, bar in zip(lost, spread, strict=True)]
    axes.set_ylim(max([most_lost, *ends]) + _HEADROOM_POINTS, min([0.0, *starts]) - _HEADROOM_POINTS)
    axes.set_xlim(min([50.0, *saved]) - 2, 100)
    _asked(axes, least_saved, most_lost)
    for number, row in enumerate(drawn):  # by turns above and below, so that neighbours keep apart
        below = number % 2 == 1
        _label(axes, str(row["trial"]), (saved[number], (ends if below else starts)[number]), below)
    style.frame(axes, grid="both")
    style.heading(axes, "points of accuracy lost against the dense network")
    axes.set_xlabel("matrix operations saved, %")
    return figure


def _asked(axes: Axes, least_saved: float, most_lost: float) -> None:
    """Shade where a network saves and loses as asked."""
    from matplotlib.patches import Rectangle

    _, top = axes.get_ylim()
    _, right = axes.get_xlim()
    corner = (least_saved, top)
    axes.add_patch(Rectangle(corner, right - least_saved, most_lost - top, color=style.RULE, alpha=0.5, linewidth=0))


def _label(axes: Axes, text: str, end: tuple[float, float], below: bool) -> None:
    axes.annotate(
        text,
        end,
        xytext=(0, -4 if below else 4),
        textcoords="offset points",
        ha="center",
        va="top" if below else "bottom",
        fontsize=style.SMALL,
        color=style.INK,
        annotation_clip=False,
    )
