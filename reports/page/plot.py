"""The frame of a plot as SVG. Positions are shares of its size, so it fills any width and its text is not scaled.

Only the area between the axes is the SVG; the words around it stand in the margin that the style sheet leaves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from deltatrain.accel.quantity import quantity
from deltatrain.reports.page.markup import element, number, per_cent


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes
    ----------
    name
        What it measures, with its unit.
    low, high
        Its ends.
    ticks
        Where it is marked, each with its words.
    logarithmic
        Whether equal lengths are equal ratios.
    """

    name: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return where `value` lies, 0 at the low end and 1 at the high one; beyond them at the ends."""
        low, high, at = self.low, self.high, value
        if self.logarithmic:
            low, high, at = (math.log(max(x, 1e-300)) if x < math.inf else math.inf for x in (low, high, value))
        return min(1.0, max(0.0, (at - low) / (high - low)))


def decades(name: str, unit: str, values: Sequence[float]) -> Axis:
    """Return the logarithmic axis over `values`, marked at 1, 2 and 5 times each power of ten, or at the powers alone.

    Without a unit the marks are plain numbers.
    """
    low, high = min(values) / 1.5, max(values) * 1.5
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if high / low < 300 else (1,)
    marks = [factor * 10.0**power for power in powers for factor in factors]
    ticks = [(mark, quantity(mark, unit) if unit else f"{mark:g}") for mark in marks if low <= mark <= high]
    return Axis(name, low, high, ticks, logarithmic=True)


def shares(name: str) -> Axis:
    """Return the axis of shares from 0 to 1."""
    return Axis(name, 0.0, 1.0, [(k / 4, f"{25 * k} %") for k in range(5)])


def counted(name: str, last: int) -> Axis:
    """Return the axis of whole numbers from 0 to `last`."""
    step = next(k * 10**e for e in range(20) for k in (1, 2, 5) if last <= 6 * k * 10**e)
    return Axis(name, 0.0, float(max(last, 1)), [(float(mark), str(mark)) for mark in range(0, last + 1, step)])


def linear(name: str, unit: str, high: float) -> Axis:
    """Return the axis from 0 to `high`, marked at up to seven round values."""
    step = next(k * 10.0**e for e in range(-15, 40) for k in (1, 2, 5) if high <= 6 * k * 10.0**e)
    marks = [step * number for number in range(int(high / step) + 1)]
    return Axis(name, 0.0, high or 1.0, [(mark, quantity(mark, unit)) for mark in marks])


def frame(x: Axis, y: Axis, marks: Sequence[Markup], about: str) -> Markup:
    """Return the plot: grid, ticks and names of the axes, and over them `marks`."""
    grid = []
    for value, words in x.ticks:
        at = per_cent(x.place(value))
        grid.append(element("line", x1=at, x2=at, y1="0%", y2="100%", class_="grid"))
        grid.append(element("text", words, x=at, y="100%", dy=18, text_anchor="middle"))
    for value, words in y.ticks:
        at = per_cent(1 - y.place(value))
        grid.append(element("line", x1="0%", x2="100%", y1=at, y2=at, class_="grid"))
        grid.append(element("text", words, x="0%", y=at, dx=-8, dy="0.35em", text_anchor="end"))
    svg = element("svg", *grid, *marks, role="img", aria_label=about)
    return element(
        "div",
        element("div", y.name, class_="axis-name"),
        element("div", svg, class_="area"),
        element("div", x.name, class_="axis-name below"),
        class_="plot",
    )


def curve(x: Axis, y: Axis, points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """Return a line through `points`, in which a value that is not finite leaves a gap."""
    path, pen = [], "M"
    for at, value in points:
        if math.isfinite(value):
            path.append(f"{pen}{number(1000 * x.place(at))} {number(1000 * (1 - y.place(value)))}")
            pen = "L"
        else:
            pen = "M"
    line = element("path", d="".join(path), class_=f"curve {class_}", vector_effect="non-scaling-stroke")
    return element(
        "svg", line, viewBox="0 0 1000 1000", preserveAspectRatio="none", width="100%", height="100%", class_="curves"
    )
