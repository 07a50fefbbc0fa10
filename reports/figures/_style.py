"""One look for all figures: ink, palette, frames, and the line that says what was simulated and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accel.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1f2430"
QUIET = "#6b7280"  # contrast 4.8 on white, enough for small text
RULE = "#e3e6ec"
DELTA = "#2f5d9f"
DENSE = "#b9c0cb"

# Work in a strong blue; waiting by kind: the off-chip memory in warm colours, other units in green and violet, nothing
# to do in greys. Neighbours differ in lightness, so that the figure also reads in print and with any colour vision.
BUSY_COLOUR = DELTA
CAUSE_COLOURS = {
    "stream": "#e0823d",
    "load": "#f5c16c",
    "store": "#a8442a",
    "encoder": "#7cc4a4",
    "elementwise": "#2c8c7c",
    "engine": "#9d8ec7",
    "bound": "#aab2bf",
    "end": "#dde1e7",
}
CAUSE_LABELS = {
    "stream": "waits for matrix columns",
    "load": "waits for loads",
    "store": "waits for stores",
    "encoder": "waits for the encoder",
    "elementwise": "waits for element-wise work",
    "engine": "waits for its own result",
    "bound": "waits (bound by another unit)",
    "end": "nothing left to do",
}

LINES = ("#2f5d9f", "#e0823d", "#2c8c7c", "#a8442a", "#7f6fb5", "#8a6d1d", "#5aa9d6", "#c2588a")
"""For curves: each stream or layer its own."""

PHASE_NAMES = {"FP": "forward", "BP": "backward", "WG": "weight gradient", "WU": "weight update"}

WIDTH_INCHES = 8.0
DPI = 160
TEXT, SMALL, LARGE = 10.0, 9.0, 13.0


def blank(height_inches: float, title: str, caption: str) -> Figure:
    """Return an empty figure of the house's width with its title and caption at the top left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, height_inches), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.02, 1 - 0.14 / height_inches, title, fontsize=LARGE, fontweight="bold", color=INK, va="top")
    figure.text(0.02, 1 - 0.42 / height_inches, caption, fontsize=SMALL, color=QUIET, va="top")
    return figure


def inches(figure: Figure, left: float, right: float, top: float, bottom: float) -> dict[str, float]:
    """Return the margins, given in inches, as `add_gridspec` wants them."""
    width, height = figure.get_size_inches()
    return {"left": left / width, "right": 1 - right / width, "top": 1 - top / height, "bottom": bottom / height}


def frame(axes: Axes, grid: str) -> None:
    """Take the box away and leave a light grid along the axis `grid`, ``x`` or ``y``."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=QUIET)
    axes.xaxis.label.set(fontsize=SMALL, color=QUIET)
    axes.yaxis.label.set(fontsize=SMALL, color=QUIET)
    if grid == "x":
        axes.xaxis.grid(True, color=RULE, linewidth=0.8)
    else:
        axes.yaxis.grid(True, color=RULE, linewidth=0.8)


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


def setting(result: Result, fidelity: str) -> str:
    """Return the line under a title: workload, machine, and how the numbers were found."""
    workload = result.workload.get("name", "unnamed workload")
    machine = result.architecture.get("name", "unnamed machine")
    return f"{workload} on {machine}  ·  {fidelity or result.fidelity}"
