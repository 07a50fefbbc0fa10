"""What each memory holds during a training step, by purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deltatrain.accel.quantity import quantity, share
from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "What each memory holds"


def draw(
    local_bytes: Mapping[str, int],
    remote_bytes: Mapping[str, int],
    *,
    local_capacity_bytes: int,
    remote_capacity_bytes: int,
    setting: str,
) -> Figure:
    """Return a figure with one stacked bar for each memory, linear from zero, each on its own scale.

    Every part carries the label ``<memory> <purpose>``, for example ``local tape``.

    Parameters
    ----------
    local_bytes, remote_bytes
        What each memory holds, by purpose.
    local_capacity_bytes, remote_capacity_bytes
        What each could hold.
    setting
        Workload and machine, for the line under the title.
    """
    figure = style.blank(3.3, TITLE, setting)
    grid = figure.add_gridspec(2, 1, hspace=1.5, **style.inches(figure, left=0.3, right=0.3, top=1.0, bottom=0.55))
    uses = list(dict.fromkeys([*local_bytes, *remote_bytes]))
    colours = {use: style.LINES[index % len(style.LINES)] for index, use in enumerate(uses)}
    for row, (memory, words, held, capacity) in enumerate(
        (
            ("local", "Local SRAM", local_bytes, local_capacity_bytes),
            ("remote", "Off-chip memory", remote_bytes, remote_capacity_bytes),
        )
    ):
        axes = figure.add_subplot(grid[row, 0])
        taken = sum(held.values())
        _stack(axes, memory, held, colours)
        style.frame(axes, grid="x")
        style.heading(axes, f"{words}: {quantity(taken, 'B')} of {quantity(capacity, 'B')} ({share(taken / capacity)})")
        axes.set_yticks([])
        axes.set_ylim(-0.5, 0.5)
        axes.set_xlim(0, taken or 1)
        axes.xaxis.set_major_formatter(lambda size, _: quantity(size, "B"))
    _key(figure, colours)
    return figure


def _stack(axes: Axes, memory: str, held: Mapping[str, int], colours: Mapping[str, str]) -> None:
    left = 0
    for use, size in held.items():
        axes.barh(0, size, 0.8, left, color=colours[use], label=f"{memory} {use}", linewidth=0)
        left += size


def _key(figure: Figure, colours: Mapping[str, str]) -> None:
    from matplotlib.patches import Patch

    figure.legend(
        handles=[Patch(color=colour, label=use) for use, colour in colours.items()],
        loc="upper right",
        bbox_to_anchor=(0.99, 1 - 0.06 / figure.get_size_inches()[1]),
        ncols=4,
        frameon=False,
        fontsize=style.SMALL,
        labelcolor=style.INK,
        handlelength=1.0,
        handleheight=1.0,
        columnspacing=1.2,
    )
