"""What a data set is like: lengths, classes, a few sequences, and how many input deltas fire at each threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from deltatrain.accel.quantity import share
from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "What the recordings are like"

_MOST_NAMES = 40
"""Classes whose names fit beside each other."""

_MARKED = (0.1, 0.2, 0.5)
"""Thresholds whose share stands in the figure."""


def draw(
    lengths: Mapping[str, ArrayLike],
    classes: Mapping[str, Sequence[int]],
    class_names: Sequence[str],
    examples: Sequence[tuple[str, ArrayLike]],
    fired: Sequence[tuple[float, float]],
    *,
    setting: str,
) -> Figure:
    """Return a figure with panels of lengths, classes, the share that fires, and an image of each example.

    Parameters
    ----------
    lengths
        By part, the steps of each sequence.
    classes
        By part, how many sequences of each class there are; empty where there are none.
    class_names
        Of the classes.
    examples
        Class and values of a few sequences, shape (steps, features).
    fired
        Thresholds, rising, and the share of input deltas that fire at each.
    setting
        The line under the title.
    """
    figure = style.blank(8.2, TITLE, setting)
    margins = style.inches(figure, left=0.75, right=0.45, top=1.0, bottom=0.55)
    grid = figure.add_gridspec(3, max(1, len(examples)), hspace=0.62, wspace=0.25, **margins)
    upper = grid[0, :].subgridspec(1, 2, wspace=0.28)
    colours = dict(zip(lengths, style.LINES, strict=False))
    _lengths(figure.add_subplot(upper[0, 0]), lengths, colours)
    if classes:
        _classes(figure.add_subplot(upper[0, 1]), classes, class_names, colours)
    _fired(figure.add_subplot(grid[1, :]), fired)
    for column, (name, values) in enumerate(examples):
        _example(figure.add_subplot(grid[2, column]), name, np.asarray(values), first=column == 0)
    return figure


def _lengths(axes: Axes, lengths: Mapping[str, ArrayLike], colours: Mapping[str, str]) -> None:
    parts = {name: np.asarray(steps) for name, steps in lengths.items()}
    highest = max(int(steps.max()) for steps in parts.values())
    edges = np.linspace(0, highest + 1, min(highest + 1, 40) + 1).tolist()
    for name, steps in parts.items():
        axes.hist(steps, edges, histtype="stepfilled", alpha=0.55, color=colours[name], label=name)
    style.frame(axes, grid="y")
    axes.locator_params(axis="y", integer=True)
    style.heading(axes, "Sequences of each length")
    axes.set_xlabel("steps")
    axes.legend(fontsize=style.SMALL, frameon=False)


def _classes(
    axes: Axes, classes: Mapping[str, Sequence[int]], names: Sequence[str], colours: Mapping[str, str]
) -> None:
    places, bottom = np.arange(len(names)), np.zeros(len(names))
    for part, counts in classes.items():
        axes.bar(places, counts, bottom=bottom, color=colours[part], alpha=0.8, label=part)
        bottom = bottom + np.asarray(counts)
    style.frame(axes, grid="y")
    style.heading(axes, f"Sequences of each of the {len(names)} classes")
    axes.set_ylim(0, None)
    if len(names) <= _MOST_NAMES:
        shown = [name if len(name) <= 12 else f"{name[:11]}…" for name in names]
        axes.set_xticks(places, shown, rotation=90 if max(map(len, shown)) * len(names) > 36 else 0, parse_math=False)


def _fired(axes: Axes, fired: Sequence[tuple[float, float]]) -> None:
    thetas, shares = zip(*fired, strict=True)
    axes.plot(thetas, shares, color=style.DELTA, linewidth=1.8, marker="o", markersize=3, label="fired")
    for theta, value in fired:
        if theta in _MARKED:
            axes.annotate(
                f"{share(value)} at {theta:g}",
                (theta, value),
                xytext=(6, 5),
                textcoords="offset points",
                fontsize=style.SMALL,
                color=style.INK,
            )
    style.frame(axes, grid="both")
    style.heading(axes, "Share of input deltas that fire, by threshold")
    axes.set_xlabel("theta_x, in units of the values")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0, max(thetas) or 1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def _example(axes: Axes, name: str, values: np.ndarray, *, first: bool) -> None:
    low, high = np.quantile(values, [0.01, 0.99])
    axes.imshow(
        values.T,
        aspect="auto",
        origin="lower",
        cmap="viridis",
        interpolation="nearest",
        vmin=low,
        vmax=max(high, low + 1e-6),
    )
    style.frame(axes, grid="x")
    axes.grid(False)
    axes.locator_params(axis="y", integer=True, min_n_ticks=1)
    axes.set_title(
        name if len(name) <= 24 else f"{name[:23]}…", fontsize=style.SMALL, color=style.INK, parse_math=False
    )
    axes.set_xlabel("step")
    if first:
        axes.set_ylabel("feature")
