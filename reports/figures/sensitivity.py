"""How a step's time answers to each change of machine or network: a tornado, the strongest at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltatrain.accel.advice import Advice
from deltatrain.accel.quantity import quantity
from deltatrain.reports.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "What the step's time answers to"
_BAR = 0.6


def draw(advice: Advice) -> Figure:
    """Return a figure with a bar for each change from the step's time as it is, in per cent of it.

    A bar to the left is a faster step. Its label is the time of the step.
    """
    from matplotlib.ticker import MaxNLocator

    effects = sorted(advice.effects, key=lambda effect: effect.cost.seconds)
    caption = f"{advice.workload} on {advice.machine}  ·  {advice.fidelity}  ·  each change by itself, of "
    figure = style.blank(1.4 + 0.28 * len(effects), TITLE, f"{caption}{quantity(advice.now.seconds, 's')}")
    margins = style.inches(figure, left=3.3, right=0.9, top=0.75, bottom=0.5)
    axes = figure.add_subplot(figure.add_gridspec(1, 1, **margins)[0, 0])
    now = advice.now.seconds or 1.0
    shown = [100 * (effect.cost.seconds - advice.now.seconds) / now for effect in effects]
    axes.barh(range(len(effects)), shown, _BAR, color=[style.DELTA if one <= 0 else style.DENSE for one in shown])
    for place, effect in enumerate(effects):
        style.bar_label(
            axes, quantity(effect.cost.seconds, "s"), (max(shown[place], 0), place), strong=shown[place] < 0
        )
    style.frame(axes, grid="x")
    axes.axvline(0, color=style.QUIET, linewidth=1)
    axes.set_yticks(range(len(effects)), [effect.change for effect in effects], color=style.INK, parse_math=False)
    axes.set_ylim(len(effects) - 0.4, -0.6)
    axes.set_xlim(min([-1.0, *shown]), max([1.0, *shown]))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.0f} %".replace("-", "−") if value else "0")
    return figure
