"""Where the engine's cycles went: busy and stalled by cause, for each phase, with a mark where the dense run ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deltatrain.accel.counters import PhaseCounters
from deltatrain.accel.quantity import quantity, times
from deltatrain.accel.result import Result
from deltatrain.reports.figures import _style as style
from deltatrain.reports.table import by_cause, phases_of, ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Where the cycles went"

_BAR = 0.36
_LEGEND_COLUMNS = 3
_OFFSETS = {"delta": -0.2, "dense": 0.2}


def draw(result: Result, fidelity: str = "") -> Figure:
    """Return a figure with a stacked bar of engine cycles for each phase, and a mark for the dense run if there is one.

    The scale is that of the bars, so that their stalls can be seen; a mark further right is an arrow at the edge. Every
    bar carries the label ``<phase> delta`` for each of its parts, such as ``FP delta busy``, a mark ``<phase> dense``.

    Parameters
    ----------
    result
        What to draw.
    fidelity
        How the cycles were found, in words; the fidelity's bare name if left out.
    """
    phases = phases_of(result)
    parts = _present(result)
    legend_inches = 0.2 * -(-len(parts) // _LEGEND_COLUMNS)
    figure = style.blank(1.55 + legend_inches + 0.72 * len(phases), TITLE, _caption(result, fidelity))
    margins = style.inches(figure, left=1.75, right=1.15, top=0.85 + legend_inches, bottom=0.55)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **margins)[0, 0])
    for position, name in enumerate(phases):
        of_runs = {run: counters.phases[name] for run, counters in result.runs.items()}
        _stack(axes, position + _OFFSETS["delta"], of_runs["delta"], f"{name} delta")
        _mark(axes, position + _OFFSETS["dense"], of_runs, name, _longest(result) or 1)
        style.bar_label(
            axes,
            quantity(of_runs["delta"].cycles),
            (of_runs["delta"].cycles, position + _OFFSETS["delta"]),
            strong=True,
        )
    style.frame(axes, grid="x")
    runs = list(result.runs)
    axes.set_yticks([p + _OFFSETS[run] for p in range(len(phases)) for run in runs], runs * len(phases))
    axes.set_ylim(len(phases) - 0.45, -0.55)
    axes.set_xlim(0, _longest(result) or 1)
    lanes, clock = result.counters.lanes, quantity(result.counters.clock_hz, "Hz")
    axes.set_xlabel(f"engine cycles, {lanes} lanes at {clock}")
    axes.xaxis.set_major_formatter(lambda cycles, _: quantity(cycles))
    for position, name in enumerate(phases):
        _name_phase(axes, position, name)
    _legend(figure, parts)
    return figure


def _stack(axes: Axes, position: float, phase: PhaseCounters, label: str) -> None:
    """Draw one bar from its parts; parts of no cycles are left out."""
    left = 0
    for part, cycles in _parts(phase).items():
        if cycles:
            axes.barh(position, cycles, _BAR, left, color=_colour(part), label=f"{label} {part}", linewidth=0)
            left += cycles


def _mark(axes: Axes, position: float, runs: Mapping[str, PhaseCounters], name: str, longest: int) -> None:
    """Draw where the dense run ends, with its cycles and how many times as many they are."""
    if "dense" not in runs:
        return
    delta, dense = runs["delta"].cycles, runs["dense"].cycles
    end = min(dense, longest)
    look = ">" if dense > longest else "|"
    axes.plot([end], [position], look, color=style.QUIET, label=f"{name} dense", clip_on=False, markersize=6)
    text = f"{quantity(dense)}   {times(ratio(dense, delta))}"
    style.bar_label(axes, text, (end, position), strong=False)


def _name_phase(axes: Axes, position: int, name: str) -> None:
    for text, offset, size, colour in (
        (name, -0.12, style.TEXT, style.INK),
        (style.PHASE_NAMES.get(name, ""), 0.18, style.SMALL, style.QUIET),
    ):
        axes.annotate(
            text,
            (0, position + offset),
            xytext=(-118, 0),
            textcoords="offset points",
            va="center",
            fontsize=size,
            fontweight="bold" if text == name else "normal",
            color=colour,
            annotation_clip=False,
        )


def _present(result: Result) -> list[str]:
    """Return the parts that occur, in the order in which they are stacked."""
    phases = list(result.counters.phases.values())
    return [part for part in ("busy", *style.CAUSE_COLOURS) if any(_parts(phase)[part] for phase in phases)]


def _legend(figure: Figure, parts: list[str]) -> None:
    """Name the colours under the caption."""
    from matplotlib.patches import Patch

    handles = [Patch(color=_colour(part), label=style.CAUSE_LABELS.get(part, "multiplies")) for part in parts]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.012, 1 - 0.6 / figure.get_size_inches()[1]),
        ncols=_LEGEND_COLUMNS,
        frameon=False,
        fontsize=style.SMALL,
        labelcolor=style.INK,
        handlelength=1.0,
        handleheight=1.0,
        columnspacing=1.6,
    )


def _parts(phase: PhaseCounters) -> dict[str, int]:
    """Return the parts of a bar in the order of stacking."""
    stalls = by_cause(phase.stall_cycles)
    return {"busy": phase.busy_cycles} | {cause: stalls[cause] for cause in style.CAUSE_COLOURS}


def _colour(part: str) -> str:
    return style.BUSY_COLOUR if part == "busy" else style.CAUSE_COLOURS[part]


def _longest(result: Result) -> int:
    return max((phase.cycles for phase in result.counters.phases.values()), default=0)


def _caption(result: Result, fidelity: str) -> str:
    run, dense = result.counters, result.dense
    seconds = f"{result.simulated} {quantity(run.seconds, 's')}"
    if dense is not None:
        seconds += f", dense {quantity(dense.seconds, 's')} ({times(ratio(dense.cycles, run.cycles))})"
    return f"{style.setting(result, fidelity)}  ·  {seconds}"
