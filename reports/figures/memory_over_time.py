"""Bytes of tapes and states in local memory over the cycles of a training step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltatrain.accel.quantity import quantity
from deltatrain.accel.result import Result
from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Tapes and states in local memory"


def draw(result: Result, fidelity: str) -> Figure:
    """Return a figure with one stepped line, linear from zero, labelled ``held``.

    Parameters
    ----------
    result
        With `accel.result.Result.held_bytes`.
    fidelity
        How the cycles were found, for the line under the title.
    """
    figure = style.blank(3.3, TITLE, style.setting(result, fidelity))
    grid = figure.add_gridspec(1, 1, **style.inches(figure, left=0.8, right=0.3, top=0.9, bottom=0.6))
    axes = figure.add_subplot(grid[0, 0])
    seconds = [cycle / result.counters.clock_hz for cycle, _ in result.held_bytes]
    held = [held_bytes for _, held_bytes in result.held_bytes]
    axes.step(seconds, held, where="post", color=style.DELTA, linewidth=1.4, label="held")
    style.frame(axes, grid="both")
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, result.counters.seconds)
    axes.xaxis.set_major_formatter(lambda value, _: quantity(value, "s"))
    axes.yaxis.set_major_formatter(lambda value, _: quantity(value, "B"))
    return figure
