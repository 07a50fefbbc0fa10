"""Attained multiply-accumulates a second against what lanes and off-chip memory allow, for each phase, beside dense."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.quantity import quantity
from deltatrain.accel.result import Result
from deltatrain.reports.figures import _style as style
from deltatrain.reports.table import TOTAL, Row, above_the_roof, roofline_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Roofline"

_LIFT_POINTS = 6.0
_NEAR = 0.2  # names of points closer than this, in the logarithm, overlap


def draw(result: Result, fidelity: str = "") -> Figure:
    """Return a figure with the machine's roof, and each phase of the run (filled) and of a dense run (hollow).

    Points carry the label ``<phase> <run>``, the roof ``roof``. A phase that moves no off-chip byte stands at the right
    edge.

    Parameters
    ----------
    result
        What to draw.
    fidelity
        How the cycles were found, in words; the fidelity's bare name if left out.
    """
    rows = roofline_rows(result)
    machine = Architecture.from_table(result.architecture, "the result's machine")
    peak, rate = machine.peak_macs_per_second, machine.remote_peak_bytes_per_second
    above = above_the_roof(rows)
    figure = style.blank(4.4, TITLE, "  ·  ".join(filter(None, [style.setting(result, fidelity), above])))
    axes = figure.add_subplot(
        figure.add_gridspec(
            1, 1, **style.inches(figure, left=0.95, right=0.35, top=1.15 if above else 0.95, bottom=0.6)
        )[0, 0]
    )
    style.frame(axes, grid="both")
    style.logarithmic(axes, "x")
    style.logarithmic(axes, "y")
    axes.set_xlabel("multiply-accumulates for each off-chip byte, MAC/B")
    style.heading(axes, "Multiply-accumulates a second")
    left, right = _ends(rows, peak / rate)
    axes.set_xlim(left, right)
    axes.plot(
        [left, peak / rate, right], [rate * left, peak, peak], color=style.INK, linewidth=1.4, label="roof", zorder=1
    )
    for row in rows:
        _point(axes, row, right)
    dense = {row["phase"]: float(row["macs_per_remote_byte"]) for row in rows if row["run"] == "dense"}
    named = [row for row in rows if row["run"] == "delta"]
    for row in named:
        _name(axes, row, right, dense.get(row["phase"], 0.0), _lift_points(row, named, right))
    speeds = [float(row["macs_per_second"]) for row in rows]
    axes.set_ylim(min(speeds, default=peak / 10) / 1.8, peak * 1.8)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: quantity(value, "MAC/s"))
    _say_roofs(axes, right, peak, rate)
    _key(axes)
    return figure


def _ends(rows: list[Row], balance: float) -> tuple[float, float]:
    known = [float(row["macs_per_remote_byte"]) for row in rows]
    finite = [intensity for intensity in known if math.isfinite(intensity)]
    return min([balance / 4, *finite]) / 1.5, max([balance * 4, *finite]) * 1.5


def _point(axes: Axes, row: Row, right: float) -> None:
    place = (min(float(row["macs_per_remote_byte"]), right), float(row["macs_per_second"]))
    delta = row["run"] == "delta"
    axes.plot(
        *place,
        "o",
        markersize=7 if row["phase"] == TOTAL else 5,
        markerfacecolor=style.DELTA if delta else "white",
        markeredgecolor=style.DELTA if delta else style.QUIET,
        markeredgewidth=1.4,
        label=f"{row['phase']} {row['run']}",
        clip_on=False,
        zorder=3 if delta else 2,
    )


def _lift_points(row: Row, named: list[Row], right: float) -> float:
    """Return how far each name moves up or down, so that names of close points do not overlap."""
    intensity, speed = min(float(row["macs_per_remote_byte"]), right), float(row["macs_per_second"])
    lift = 0.0
    for other in named:
        beside = abs(math.log(intensity / min(float(other["macs_per_remote_byte"]), right))) < _NEAR
        above = math.log(speed / float(other["macs_per_second"]))
        if other is not row and beside and abs(above) < _NEAR:
            lift += math.copysign(_LIFT_POINTS, above)
    return lift


def _name(axes: Axes, row: Row, right: float, dense: float, lift_points: float) -> None:
    """Write the phase's name beside its point, on the side away from the dense run's point."""
    from matplotlib.patheffects import withStroke

    place = (min(float(row["macs_per_remote_byte"]), right), float(row["macs_per_second"]))
    left = dense > place[0] or place[0] > 0.8 * right
    halo = withStroke(linewidth=3, foreground="white")  # the roof runs behind the name, not through it
    axes.annotate(
        str(row["phase"]),
        place,
        xytext=(-8 if left else 8, lift_points),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize=style.SMALL,
        fontweight="bold",
        color=style.INK,
        parse_math=False,
        path_effects=[halo],
    )


def _key(axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    runs = {label.rpartition(" ")[2]: handle for handle, label in zip(handles, labels, strict=True) if label != "roof"}
    axes.legend(
        list(runs.values()),
        list(runs),
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
        frameon=False,
        fontsize=style.SMALL,
        labelcolor=style.INK,
    )


def _say_roofs(axes: Axes, right: float, peak: float, rate: float) -> None:
    text = f"lanes {quantity(peak, 'MAC/s')}, off-chip memory {quantity(rate, 'B/s')}"
    axes.annotate(
        text,
        (right, peak),
        xytext=(0, 5 + 2 * _LIFT_POINTS),  # above the names of points on the roof
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=style.SMALL,
        color=style.QUIET,
    )
