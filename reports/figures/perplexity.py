"""Perplexity over the epochs of several trainings: one curve each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Perplexity over a training"

_CAPTION = "on the validation part after each epoch, of the average once it has begun"
_DASHES = ("-", "--", ":")


def draw(curves: Mapping[str, Sequence[float]], *, setting: str = "") -> Figure:
    """Return a figure of one panel: the perplexity after each epoch on a logarithmic scale.

    Parameters
    ----------
    curves
        Of each training by its name, the perplexity after each epoch.
    setting
        What was trained, behind the line under the title.
    """
    from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

    figure = style.blank(4.6, TITLE, f"{_CAPTION}  ·  {setting}" if setting else _CAPTION)
    margins = style.inches(figure, left=0.7, right=2.7, top=1.0, bottom=0.6)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **margins)[0, 0])
    for number, (name, perplexities) in enumerate(curves.items()):
        dashes, colour = _DASHES[number // len(style.LINES) % len(_DASHES)], style.LINES[number % len(style.LINES)]
        epochs = range(1, len(perplexities) + 1)
        axes.plot(epochs, perplexities, dashes, color=colour, linewidth=1.2, label=f"{name}, {min(perplexities):.1f}")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(MaxNLocator(7))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_locator(NullLocator())
    style.frame(axes, grid="both")
    style.heading(axes, "perplexity, and the lowest of each")
    axes.set_xlabel("epochs")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=style.SMALL, labelcolor=style.INK)
    return figure
