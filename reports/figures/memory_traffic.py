"""Bytes moved in local SRAM and over the off-chip port, for each phase, beside the dense run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltatrain.accel.quantity import quantity
from deltatrain.accel.result import Result
from deltatrain.reports.figures import _style as style
from deltatrain.reports.table import phases_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Memory traffic"

_BAR = 0.36
_LEVELS = {"remote_bytes": "Off-chip memory", "local_bytes": "Local SRAM"}
_RUNS = {"delta": (-0.2, style.DELTA), "dense": (0.2, style.DENSE)}


def draw(result: Result, fidelity: str = "") -> Figure:
    """Return a figure with one panel for each memory, and in it bars for each phase, delta above dense if that was run.

    Bars are linear from zero; each panel has its own scale. Every bar carries the label ``<level> <phase> <run>``,
    for example ``remote_bytes FP dense``.

    Parameters
    ----------
    result
        What to draw.
    fidelity
        How the bytes were found, in words; the fidelity's bare name if left out.
    """
    phases = phases_of(result)
    figure = style.blank(
        1.55 + 0.62 * len(phases), TITLE, f"{style.setting(result, fidelity)}  ·  bytes of one {result.simulated}"
    )
    margins = style.inches(figure, left=1.25, right=1.2, top=1.05, bottom=0.5)
    grid = figure.add_gridspec(1, 2, wspace=0.72, **margins)
    for column, (level, heading) in enumerate(_LEVELS.items()):
        axes = figure.add_subplot(grid[0, column])
        _panel(axes, result, level, phases)
        style.heading(axes, heading)
        if column == 0:
            labels = [f"{name}\n{style.PHASE_NAMES.get(name, '')}" for name in phases]
            axes.set_yticks(range(len(phases)), labels, color=style.INK)
        else:
            axes.set_yticks([])
    _key(figure, result)
    return figure


def _panel(axes: Axes, result: Result, level: str, phases: list[str]) -> None:
    longest = 0
    for position, name in enumerate(phases):
        moved = {run: getattr(counters.phases[name], level) for run, counters in result.runs.items()}
        for run in moved:
            offset, colour = _RUNS[run]
            axes.barh(position + offset, moved[run], _BAR, color=colour, label=f"{level} {name} {run}", linewidth=0)
            text = quantity(moved[run], "B")
            if run == "delta":
                text += style.gain(moved.get("dense", 0), moved[run])
            style.bar_label(axes, text, (moved[run], position + offset), strong=run == "delta")
        longest = max(longest, *moved.values())
    style.frame(axes, grid="x")
    axes.set_ylim(len(phases) - 0.45, -0.55)
    axes.set_xlim(0, longest or 1)
    axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(lambda moved, _: quantity(moved, "B"))


def _key(figure: Figure, result: Result) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(color=style.DELTA, label="delta: columns that fired"),
        Patch(color=style.DENSE, label="dense: every column"),
    ]
    figure.legend(
        handles=handles[: len(result.runs)],
        loc="upper right",
        bbox_to_anchor=(0.99, 1 - 0.08 / figure.get_size_inches()[1]),
        ncols=1,
        frameon=False,
        fontsize=style.SMALL,
        labelcolor=style.INK,
        handlelength=1.0,
        handleheight=1.0,
    )
