"""Time and memory of checkpoint policies, over lengths of sequences or widths of networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deltatrain.reports.figures import _style as style
from deltatrain.reports.table import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Checkpoint policies: time and memory"

_MARKERS = "osv^"
"""Where there are more lines than colours."""

_AXES = {"T": "steps of a sequence", "H": "neurons"}

_WIDE = 3
"""Where some policy takes so many times as long, times are on a logarithmic axis."""


def draw(rows: Sequence[Row], axis: str, setting: str) -> Figure:
    """Return a figure with three panels: time as a factor of unlimited memory, and tapes and states in each memory.

    Lines of transfers beside compute are solid and labelled with the policy, blocking ones dashed, ``<policy>
    blocking``. A policy ends where it no longer fits.

    Parameters
    ----------
    rows
        Each with ``policy``, ``transfers``, ``beside`` or ``blocking``, ``time_x``, ``local_kB``, ``remote_kB`` and
        `axis`.
    axis
        ``T`` or ``H``.
    setting
        What was simulated, the line under the title.
    """
    figure = style.blank(8.6, TITLE, setting)
    margins = style.inches(figure, left=0.8, right=1.5, top=1.0, bottom=0.55)
    grid = figure.add_gridspec(3, 1, hspace=0.42, **margins)
    times, memory, remote = (figure.add_subplot(grid[place, 0]) for place in range(3))
    policies = list(dict.fromkeys(str(row["policy"]) for row in rows))
    for number, policy in enumerate(policies):
        look = style.LINES[number % len(style.LINES)], _MARKERS[number // len(style.LINES) % len(_MARKERS)]
        for transfers in ("beside", "blocking"):
            mine = [row for row in rows if (row["policy"], row["transfers"]) == (policy, transfers)]
            dashes, label = ("-", policy) if transfers == "beside" else ("--", f"{policy} blocking")
            _line(times, mine, (axis, "time_x"), look, dashes, label)
            if transfers == "beside":
                _line(memory, mine, (axis, "local_kB"), look, dashes, label)
                _line(remote, mine, (axis, "remote_kB"), look, dashes, label)
    style.heading(times, "Time, over that of local memory without end; dashed where transfers block")
    style.heading(memory, "Local memory of tapes and states, of each tile")
    style.heading(remote, "Off-chip memory of tapes and states")
    if max(float(row["time_x"]) for row in rows) > _WIDE:
        style.logarithmic(times, "y")
        times.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    remote.set_yscale("symlog")
    for axes, unit in ((times, "times"), (memory, "kB"), (remote, "kB")):
        style.frame(axes, grid="both")
        axes.set_ylabel(unit)
        style.logarithmic(axes, "x")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    remote.set_xlabel(_AXES[axis])
    times.legend(
        *_first_of_each(times),
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize=style.SMALL,
        labelcolor=style.INK,
    )
    return figure


def _line(
    axes: Axes, rows: Sequence[Row], columns: tuple[str, str], look: tuple[str, str], dashes: str, label: str
) -> None:
    points = sorted(tuple(float(row[column]) for column in columns) for row in rows)
    x, y = [point[0] for point in points], [point[1] for point in points]
    colour, marker = look
    axes.plot(x, y, dashes, color=colour, linewidth=1.8, marker=marker, markersize=4, label=label, clip_on=False)


def _first_of_each(axes: Axes) -> tuple[list[Any], list[str]]:
    """Return the handles and names of the solid lines."""
    handles, labels = axes.get_legend_handles_labels()
    chosen = [(handle, label) for handle, label in zip(handles, labels, strict=True) if not label.endswith("blocking")]
    return [handle for handle, _ in chosen], [label for _, label in chosen]
