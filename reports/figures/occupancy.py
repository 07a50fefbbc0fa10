"""How many deltas fire: over the steps of one training step, and over the epochs of training, beside accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltatrain.accel.origin import FLOAT_ACCURACY
from deltatrain.accel.quantity import share
from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "How many deltas fire"

_TOP = 1.02
"""Upper end of the share axes: room for half a line's width above 100 %."""


def draw(
    over_steps: Mapping[str, ArrayLike],
    over_epochs: Mapping[str, ArrayLike],
    accuracy: Sequence[float],
    *,
    dense_epochs: int = 0,
    workload: str,
    title: str = FLOAT_ACCURACY,
) -> Figure:
    """Return a figure with two panels: occupancy over time steps, and occupancy with accuracy over epochs.

    Curves carry their stream as label; accuracy is labelled ``accuracy``. Without epochs the first panel stands alone.

    Parameters
    ----------
    over_steps
        For each stream, such as ``layer 0 x``, the share of its deltas that fired at each time step, mean over the
        samples still running, shape (T,). NaN where nothing could fire.
    over_epochs
        For each stream the share that fired in each epoch, shape (E,).
    accuracy
        Test accuracy after each epoch, length E, share of 1; empty without training.
    dense_epochs
        How many epochs at the start trained the dense network; they are shaded.
    workload
        Name of the workload.
    title
        What the accuracy is called.
    """
    figure = style.blank(6.4 if len(accuracy) else 3.6, TITLE, f"{workload}  ·  share of deltas above threshold")
    margins = style.inches(figure, left=0.65, right=1.5, top=1.0, bottom=0.5)
    grid = figure.add_gridspec(2 if len(accuracy) else 1, 1, hspace=0.46, **margins)
    steps = figure.add_subplot(grid[0, 0])
    _panel(steps, {name: np.asarray(curve, dtype=float) for name, curve in over_steps.items()}, marker="", values=False)
    style.heading(steps, "Over time steps of the recorded training step")
    steps.set_xlabel("time step")
    if len(accuracy):
        epochs = figure.add_subplot(grid[1, 0])
        curves = {name: np.asarray(curve, dtype=float) for name, curve in over_epochs.items()}
        _panel(epochs, curves | {"accuracy": np.asarray(accuracy, dtype=float)}, marker="o", values=True)
        style.heading(epochs, f"Over epochs, beside the {title}")
        epochs.set_xlabel("epoch")
        _shade(epochs, dense_epochs)
    return figure


def _panel(axes: Axes, curves: dict[str, NDArray[np.float64]], marker: str, values: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    ends: list[tuple[str, float, str]] = []  # what to write, at which height, in which colour
    colours = iter(np.resize(np.array(style.LINES), len(curves)).tolist())
    for name, curve in curves.items():
        colour = style.INK if name == "accuracy" else next(colours)
        dashes = "--" if name == "accuracy" else "-"
        axes.plot(curve, dashes, color=colour, linewidth=1.8, marker=marker, markersize=3, label=name, clip_on=False)
        finite = curve[np.isfinite(curve)]
        if len(finite):
            text = f"{name}  {share(finite[-1])}" if values else name
            ends.append((text, float(finite[-1]), colour))
    style.frame(axes, grid="y")
    longest = max((len(curve) for curve in curves.values()), default=0)
    axes.set_xlim(-0.02 * max(longest - 1, 1), max(longest - 1, 1))
    axes.set_ylim(0, _TOP)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    _label_ends(axes, ends)


def _label_ends(axes: Axes, ends: list[tuple[str, float, str]]) -> None:
    """Write the texts at the ends of their curves, moved apart where they would overlap."""
    height_points = axes.get_position().height * axes.get_figure(root=True).get_size_inches()[1] * 72  # type: ignore[union-attr]
    places = spread([value for _, value, _ in ends], 1.35 * style.SMALL / height_points * _TOP)
    for (text, _, colour), place in zip(ends, places, strict=True):
        axes.annotate(
            text,
            (1, place / _TOP),
            xycoords="axes fraction",
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
            color=colour,
            annotation_clip=False,
        )


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Return positions near `values`, in the same order, at least `gap` apart and not below zero.

    Neighbours that are too close form a block, placed as near as possible to the mean of its values.
    """
    order = sorted(range(len(values)), key=lambda i: values[i])
    blocks: list[list[int]] = []
    for index in order:
        blocks.append([index])
        while len(blocks) > 1 and _bottom(blocks[-1], values, gap) < _top(blocks[-2], values, gap) + gap:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    places = [0.0] * len(values)
    for block in blocks:
        for rank, index in enumerate(block):
            places[index] = _bottom(block, values, gap) + rank * gap
    return places


def _bottom(block: list[int], values: Sequence[float], gap: float) -> float:
    mean = sum(values[i] for i in block) / len(block)
    return max(0.0, mean - gap * (len(block) - 1) / 2)


def _top(block: list[int], values: Sequence[float], gap: float) -> float:
    return _bottom(block, values, gap) + gap * (len(block) - 1)


def _shade(axes: Axes, dense_epochs: int) -> None:
    """Mark the epochs of dense pre-training, in which every delta counts as fired."""
    if dense_epochs == 0:
        return
    axes.axvspan(axes.get_xlim()[0], dense_epochs - 0.5, color=style.RULE, alpha=0.6, linewidth=0, zorder=0)
    axes.annotate(
        "dense",
        (axes.get_xlim()[0], 0.02),
        xytext=(5, 2),
        textcoords="offset points",
        va="bottom",
        fontsize=style.SMALL,
        color=style.QUIET,
    )
