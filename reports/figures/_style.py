"""The common style of all figures: colours, frames, and the line that says what was simulated and how."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Literal

from deltatrain.accel.origin import NO_DENSE
from deltatrain.accel.quantity import times
from deltatrain.accel.result import Result
from deltatrain.reports import palette
from deltatrain.reports.table import ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, RULE = palette.LIGHT["ink"], palette.LIGHT["quiet"], palette.LIGHT["rule"]
DELTA, DENSE, BUSY_COLOUR = palette.LIGHT["delta"], palette.LIGHT["dense"], palette.LIGHT["delta"]
CAUSE_LABELS, PHASE_NAMES = palette.CAUSE_LABELS, palette.PHASE_NAMES
CAUSE_COLOURS = {cause: palette.LIGHT[f"cause-{cause}"] for cause in CAUSE_LABELS}
LINES = tuple(palette.LIGHT[f"line-{number}"] for number in range(palette.LINES))
"""For curves: each stream or layer its own."""

WIDTH_INCHES = 8.0
DPI = 160
TEXT, SMALL, LARGE = 10.0, 9.0, 13.0


_CAPTION_CHARACTERS = 110
"""Of a line of a caption; two lines are above the axes of every figure."""


def blank(height_inches: float, title: str, caption: str) -> Figure:
    """Return an empty figure of the house's width with its title and caption at the top left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, height_inches), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(
        0.02, 1 - 0.14 / height_inches, title, fontsize=LARGE, fontweight="bold", color=INK, va="top", parse_math=False
    )
    caption = fill(caption, _CAPTION_CHARACTERS)
    figure.text(0.02, 1 - 0.42 / height_inches, caption, fontsize=SMALL, color=QUIET, va="top", parse_math=False)
    return figure


def inches(figure: Figure, left: float, right: float, top: float, bottom: float) -> dict[str, float]:
    """Return the margins, given in inches, as `add_gridspec` wants them."""
    width, height = figure.get_size_inches()
    return {"left": left / width, "right": 1 - right / width, "top": 1 - top / height, "bottom": bottom / height}


def frame(axes: Axes, grid: Literal["x", "y", "both"]) -> None:
    """Remove the box, and draw a light grid along the axis `grid`: ``x``, ``y`` or ``both``."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=QUIET)
    axes.xaxis.label.set(fontsize=SMALL, color=QUIET)
    axes.yaxis.label.set(fontsize=SMALL, color=QUIET)
    axes.grid(True, axis=grid, color=RULE, linewidth=0.8)


def logarithmic(axes: Axes, which: Literal["x", "y"]) -> None:
    """Make an axis logarithmic, marked at 1, 2 and 5 times the powers of ten."""
    from matplotlib.ticker import LogLocator, NullLocator

    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=9))
    axis.set_minor_locator(NullLocator())


def heading(axes: Axes, text: str) -> None:
    """Write a panel's heading above its top left corner."""
    axes.set_title(text, loc="left", fontsize=TEXT, fontweight="bold", color=INK, pad=8)


def bar_label(axes: Axes, text: str, end: tuple[float, float], strong: bool) -> None:
    """Write `text` beside the end of a horizontal bar, over the grid lines."""
    axes.annotate(
        text,
        end,
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL,
        fontweight="bold" if strong else "normal",
        color=INK if strong else QUIET,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        annotation_clip=False,
    )


def gain(dense: float, delta: float) -> str:
    """Return how many times less `delta` is than `dense`, as ``÷4.36`` behind a gap; empty if it is not less."""
    return f"  ÷{times(ratio(dense, delta)).rstrip('×')}" if dense > delta else ""


def setting(result: Result, fidelity: str) -> str:
    """Return the line under a title: workload, machine, how the numbers were found, and whether dense is missing."""
    workload = result.workload.get("name", "unnamed workload")
    machine = result.architecture.get("name", "unnamed machine")
    return "  ·  ".join(
        [f"{workload} on {machine}", fidelity or result.fidelity, *([] if result.dense else [NO_DENSE])]
    )
