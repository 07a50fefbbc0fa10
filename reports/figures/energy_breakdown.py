"""Modelled energy of a simulated step by component, beside the dense run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltatrain.accel.quantity import quantity
from deltatrain.accel.result import Result
from deltatrain.reports.figures import _style as style
from deltatrain.reports.table import energy_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Energy by component"
_BAR = 0.36
_RUNS = {"energy_j": ("delta", -0.2, style.DELTA), "dense_energy_j": ("dense", 0.2, style.DENSE)}


def draw(result: Result, fidelity: str = "") -> Figure:
    """Return a figure with bars for each component and for their total, delta above dense, linear from zero.

    Without a dense run delta is alone. Every bar carries the label ``<component> <run>``, for example ``remote memory
    dense``.

    Parameters
    ----------
    result
        What to draw.
    fidelity
        How the actions were found, in words; the fidelity's bare name if left out.
    """
    rows = energy_rows(result)
    runs = dict(list(_RUNS.items())[: len(result.runs)])
    table = result.architecture.get("energy", "an energy table")
    figure = style.blank(
        1.45 + 0.5 * len(rows),
        TITLE,
        f"{style.setting(result, fidelity)}  ·  modelled for one {result.simulated}, action counts times {table}",
    )
    margins = style.inches(figure, left=2.05, right=1.5, top=0.75, bottom=0.5)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **margins)[0, 0])
    longest = 0.0
    for position, row in enumerate(rows):
        for key, (run, offset, colour) in runs.items():
            joules = float(row[key])
            axes.barh(position + offset, joules, _BAR, color=colour, label=f"{row['component']} {run}", linewidth=0)
            text = f"{run} {quantity(joules, 'J')}"
            if run == "delta" and joules > 0:
                text += style.gain(float(row.get("dense_energy_j", 0)), joules)
            style.bar_label(axes, text, (joules, position + offset), strong=run == "delta")
            longest = max(longest, joules)
    style.frame(axes, grid="x")
    axes.set_yticks(range(len(rows)), [str(row["component"]) for row in rows], color=style.INK, parse_math=False)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xlim(0, longest or 1)
    axes.xaxis.set_major_formatter(lambda joules, _: quantity(joules, "J"))
    return figure
