"""Accuracy lost over bits: one curve for each tensor that was narrowed alone, a mark for all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Bits of training against accuracy"

_TOGETHER = "together"
_COLUMNS = {"weight": "W", "activation": "h", "gradient": "g", _TOGETHER: "W"}
_CAPTION = "trained in the machine's numbers; the others as edge has them; bars: one standard deviation"
_HEADROOM_POINTS = 0.2


def draw(rows: Sequence[Mapping[str, int | float | str]], *, most_lost: float, setting: str = "") -> Figure:
    """Return a figure of one panel: points lost against the float training over bits, the most accurate at the top.

    Parameters
    ----------
    rows
        With the columns ``trial``, ``W``, ``h``, ``g``, ``lost_points`` and ``accuracy_sd_%``. A
        trial that begins with a tensor's name narrows it alone; one that begins with "together" is drawn over the bits
        of its weights.
    most_lost
        Points that a format may lose; what loses no more is shaded.
    setting
        What was trained, behind the line under the title.
    """
    from matplotlib.ticker import MaxNLocator

    figure = style.blank(4.2, TITLE, f"{_CAPTION}  ·  {setting}" if setting else _CAPTION)
    margins = style.inches(figure, left=0.7, right=0.4, top=1.0, bottom=0.6)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **margins)[0, 0])
    narrowed = [(float(row["lost_points"]), float(row["accuracy_sd_%"])) for row in rows if row["W"]]
    least = min([0.0, *(lost - spread for lost, spread in narrowed)]) - _HEADROOM_POINTS
    most = max([most_lost, *(lost + spread for lost, spread in narrowed)]) + _HEADROOM_POINTS
    axes.axhspan(least, most_lost, color=style.RULE, alpha=0.5, linewidth=0)
    for (tensor, column), colour in zip(_COLUMNS.items(), (*style.LINES[:3], style.INK), strict=True):
        of_bits = sorted(
            (int(row[column]), float(row["lost_points"]), float(row["accuracy_sd_%"]))
            for row in rows
            if str(row["trial"]).startswith(tensor)
        )
        if of_bits:
            bits, points, spread = zip(*of_bits, strict=True)
            line = "" if tensor == _TOGETHER else "-"
            axes.errorbar(bits, points, spread, marker="o", linestyle=line, color=colour, elinewidth=1, label=tensor)
    axes.set_ylim(most, least)
    style.frame(axes, grid="both")
    style.heading(axes, "points lost against float")
    axes.set_xlabel("bits of the tensor; all together: of the weights")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    look: dict[str, Any] = {"frameon": False, "fontsize": style.SMALL, "labelcolor": style.INK}
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, handlelength=1, columnspacing=1, **look)
    return figure
